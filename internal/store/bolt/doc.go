// Package bolt keeps the state in one bbolt file. One process holds the file
// and every source in it, so nothing here is ever fenced.
//
// # The file
//
// Every bucket is at the top level. The engine's own index entries have empty
// bodies.
//
//	bucket      key                                        body
//	meta        "schema"                                   version of this page: 6, and of the program that wrote last
//	meta        "upgrade"                                  how far an upgrade has come: a bucket and a key in it
//	meta        "token/" credential                        refresh token, what it grew from, since (JSON)
//	meta        "limit/" limit                             day, used, rest (JSON)
//	meta        "name/" source                             where its name and that in keys are two (JSON)
//	meta        "left/" source                             since when it is not configured (time)
//	meta        "forget/" source [00 watch]                – a unit of which there is no state any more, but what is left of it
//	sources     source [00 watch]                          version, shape, since, bookmarks, life (JSON)
//	items       source' watch' key                         hash, revision, seen, content
//	notes       source' watch' key' name                   what is noted of an item or, without key, of the unit
//	revisions   source' watch' key' revision64             change, seen, hashes, content before, life
//	gone        time source' watch' key                    – an item that was gone at that time
//	events      id                                         type, source, watch, key, change, …
//	bodies      id' index16                                one distinct payload of an event
//	deliveries  number64                                   event, endpoint, body index, state, due, …
//	attempts    number64 index32                           one attempt of a delivery, from 1
//	lanes       endpoint' source' watch' key' number64     – a delivery that waits
//	due         endpoint' zero source' [place64] number64  – the first delivery of a lane that was never tried
//	            endpoint' time number64                    – that is due at a time
//	dead        time number64                              – a dead letter, by when it died
//	letters     endpoint' time number64                    – the same, of an endpoint
//	bysource    source' number64 kind id                   watch and key, hashed, how many deliveries – an event, or a replay
//	byendpoint  endpoint' number64                         the first delivery, of a replay – a delivery
//	updates     source' watch' key' endpoint' type         delivery, what the item was before – an update that may be superseded
//	endpoints   endpoint                                   health, order, counters (JSON)
//
// x' is x behind its length as a uvarint, so that no part can run into the
// next one. Integers are big endian. A time is Unix nanoseconds as an int64
// with the sign bit flipped, so that keys sort by it; the zero time sorts
// first. watch is empty where a source has no watch keys. A key is at most
// [MaxKey] bytes of names.
//
// A source that got another name (see Rename) keeps the old one in its keys: its
// stem. Nothing is moved, so a rename is one small transaction, and what waits
// stands in one lane with what is told under the new name. The name that became
// free has the stem of the new one, so that each stem is that of one name. The
// record of an event has both, where they differ: the name that it was told
// under, and the stem for its lanes. What is said of a damaged record has the
// stem.
//
// A lane is what may not overtake itself: the deliveries of one item to one
// endpoint or, as the endpoint's order has it, all deliveries to the endpoint
// (source, watch and key of the lane are empty) or each by itself (source and
// watch are empty, the key is the number). Which one it is stands in the
// delivery: it is decided at the commit, and by Arrange. Only the first of a
// lane stands in due, so Pending costs the same whatever waits behind. Of
// damaged ones whose source can't be read it is empty there.
//
// A delivery that is replayed gets a successor, with a number of its own, at
// the end of the lane; it names the one that took its place, and each of those
// names the first, whose number the event knows. Of that chain only the last
// can wait or be a dead letter.
//
// An update that is told where updates coalesce stands in updates, as long as it
// waits and was never tried. The next one of its item and type takes its place,
// in the transaction that commits it, unless the emitter may have it in hand:
// it was given by Pending, or stood first in its lane when the endpoint began to
// be sent to, and may have been sent by a process that was killed. In its lane it
// stands at the end, for what was told of the item meanwhile is not overtaken. In
// due it stands where the first of those stood whose place it took, so that what
// is told at each poll does not keep others waiting: its place is the number of
// that one, which is in its record too.
//
// Lists go by bysource, byendpoint and letters. The first two are written with
// the event or the delivery and do not change until it is removed, so settling a
// delivery costs them nothing. An event stands in bysource once, by its first
// number, for all its deliveries (kind 1), or, told to no endpoint, by the number
// that came next (kind 0), in front of what has it. What both have in common is
// found by leaps. What waits stands in lanes, and what is dead in dead and
// letters. The source in bysource is the name that the event was told under, as
// that is what is asked for.
//
// Notes are put and removed by name, with a commit or a Keep. A note needs no
// item that is there: it outlives a deletion, and a new baseline. What is noted
// of an item goes at the latest when the sweep forgets that the item ever was;
// what is noted of the unit itself goes with Forget, as all of the unit does.
//
// A revision has the content before the change alone: what follows it stands in
// the next one, or it is the item's, if the hash is that of it: an item may become
// another one silently. So a change costs one more record, and each
// content is there once. It has none where that is larger than differ.MaxKept.
// A change removes the revision that is differ.MaxRevisions older, by its key:
// an item never has more. The life is a number of its source's: that gets
// another one with each commit that resets it, and what is of another life is
// not shown any more. So nothing has to be looked for at a reset or a Forget;
// the sweep, which reads the bucket through, removes it.
//
// Forget takes the state of a unit in its first step, and the rest in further
// ones. Where some of it is left, the unit stands under forget/ in meta: what is
// left is shown to nobody, and whoever writes under its name has it removed first.
// The sweep does that otherwise.
//
// # Versions
//
//	1   as this page, without the bucket notes
//	2   with it; in due, what was never tried has no source
//	3   without revisions, lives and updates; every source is named in keys as it is
//	4   without told
//	5   without letters, bysource and byendpoint; told has the events of a source by their ids
//	6   this page
//
// A file of an older version is brought to this one when it is opened to write.
// The first transaction makes it one of this version, which an older deltahook
// refuses, and notes in meta that its indexes lack records; more of them take
// those in, some at a time. Killed meanwhile, that goes on at the next start.
// Opened to read only a file stays as it is, and has none of what came later:
// lists read all records then, of which one call looks at some.
//
// # Values
//
//	crc32c (4) | form (1) | body
//
// The checksum (Castagnoli) covers the bucket's name, the key, the form and
// the body: a record that was damaged, or that turned up under another key, is
// refused by name ([ErrDamaged]). bbolt itself notices neither. The form is 1;
// fields may be added at the end of a body, none is renamed or reused.
//
// In a body, numbers are uvarints, texts and bytes stand behind their length
// as a uvarint, times are 8 bytes as in keys. What an API said, and what a
// receiver is told, is stored byte for byte. Of an event its payloads are
// kept, not the old and new values that they were made from.
//
// # Writing
//
// One goroutine writes. It takes all requests that wait, at most 1,024 of them
// and about 16 MiB, applies them in one transaction with one fsync, and
// answers all: no timer, so a lone request doesn't wait for company. At most
// 1,024 more wait in the queue; who comes then, blocks. A request is checked
// in full before anything of it is written, so one that conflicts leaves the
// others alone.
//
// # Reading
//
// No read transaction is open while a caller works on what it read: an open
// one keeps bbolt from reusing pages and can block a writer that must map the
// file anew.
//
// The list of free pages is not written at each commit but found again at
// open, which walks the file once.
package bolt
