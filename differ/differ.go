// Package differ decides what changed: it takes an answer, reads its items,
// compares each with what is remembered, evaluates the rules, and commits what
// was seen together with what must be told, all or nothing.
//
// The flow of one answer:
//
//	Answer -> items -> compare by hash -> changes -> rules -> events -> Commit
//
// It does not know how an event is sent.
package differ

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// Store is what the differ needs of an engine. All methods may be called
// concurrently. What they return is the caller's to keep.
type Store interface {
	// Load streams the state of the named units (poller.Unit: a source, or
	// one of its watch keys), or of all there are where none is named. One
	// that was never committed has none. The sequence ends at the first
	// error.
	Load(ctx context.Context, units ...string) iter.Seq2[State, error]

	// Items gives the remembered content of some items of a unit. Keys
	// that are not there are left out.
	Items(ctx context.Context, unit string, keys []string) ([]Item, error)

	// Commit applies c, all of it or nothing, and returns when it is
	// durable. ErrConflict: the source is not at c.Version; nothing was
	// applied. ErrFenced: the source is no longer this process's to write;
	// nothing was applied. Any other error: the outcome is unknown, and the
	// caller must load again before it compares again.
	Commit(ctx context.Context, c *Commit) error

	// Keep stores bookmarks and notes of units, by unit, leaves their version
	// alone, and returns when they are durable. A unit without state gets
	// one that has Version 0.
	Keep(ctx context.Context, kept map[string]Kept) error
}

// Forgetter is what a Store of sources with watch keys can do besides.
type Forgetter interface {
	// Forget removes all that is remembered of units, and returns when that
	// is durable. Events that wait are still delivered. A unit that is not
	// there is no error. Each unit is there as a whole or not at all, whatever
	// ends it.
	Forget(ctx context.Context, units ...string) error
}

// States of a commit that did not happen.
var (
	ErrConflict = errors.New("the source was changed by somebody else")
	ErrFenced   = errors.New("the source belongs to another process now")
)

// State is what is remembered of a source, or of one of its watch keys,
// without the items' contents.
type State struct {
	Source    string
	Watch     string    // the watch key; "": the source has none
	Version   uint64    // 0: nothing but bookmarks; +1 at each commit
	Shape     string    // fingerprint of the settings that the items were read with
	Since     time.Time // when the baseline was taken
	Bookmarks poller.Bookmarks
	Items     map[string]Mark // by key; items that are gone are among them
	Notes     []Note          // sorted by key and name; none has nil data
}

// Unit is whose state it is; see poller.Unit.
func (s *State) Unit() string { return poller.Unit(s.Source, s.Watch) }

// Mark is one item as the differ's cache holds it.
type Mark struct {
	Hash     Hash      // of the canonical content; zero: the item is gone
	Revision uint64    // changes told so far; 0: only the baseline
	Seen     time.Time // as the Item's
}

// Hash is the first 128 bits of SHA-256 over an item's canonical content.
type Hash [16]byte

// Item is one item as it is stored.
type Item struct {
	Key      string
	Hash     Hash // zero: the item is gone and Content is nil
	Revision uint64
	Content  json.RawMessage // the picked fields, as the API spelled them
	Seen     time.Time       // when this revision was seen; with forget_after, about when the item was listed last
}

// Note is something that is remembered of an item beside its content, or of
// the unit itself: where a rule stands, a sample of the history, a timer, a
// hold. An engine stores it and reads nothing in it.
//
// Who made a note removes it. That of an item goes at the latest when an engine
// forgets that the item ever was.
type Note struct {
	Key  string // of the item, which need not be there; "": it is of the unit
	Name string // not empty; a key has at most one note of a name
	Data []byte // at most MaxNote bytes; nil: there is none any more; empty is not nil
}

// MaxNote is how many bytes the data of a note may have.
const MaxNote = 64 << 10

// Check says why an engine must refuse n, and all that comes with it.
func (n *Note) Check() error {
	switch {
	case n.Name == "":
		return fmt.Errorf("a note of item %q has no name", clip(n.Key))
	case len(n.Data) > MaxNote:
		return fmt.Errorf("note %q of item %q has %d bytes; at most %d are taken", clip(n.Name), clip(n.Key), len(n.Data), MaxNote)
	}
	return nil
}

// Kept is what Store.Keep stores of a unit.
type Kept struct {
	Bookmarks poller.Bookmarks
	Notes     []Note // put and removed, as those of a Commit
}

// Commit is one answer's effect: the write set that an engine applies.
type Commit struct {
	Source    string
	Watch     string // the watch key; "": the source has none
	Version   uint64 // the version that it was computed from
	Shape     string
	Since     time.Time
	Bookmarks poller.Bookmarks
	Reset     bool     // true: what is remembered of items not in Items is dropped first, their notes excepted
	Items     []Item   // created, changed and gone; never one key twice
	Before    []Before // of those of Items that changed; the others only say what is there
	Notes     []Note   // put and removed; never one of a key and name twice
	Events    []Event  // in the order in which they are told
}

// Unit is whose state it changes; see poller.Unit.
func (c *Commit) Unit() string { return poller.Unit(c.Source, c.Watch) }

// Before is what an item was before the change that a commit makes of it. It is
// kept for Archive.
type Before struct {
	Item   int             // its place in Commit.Items; at most one has it
	Change Change          // Created, Updated or Deleted
	Hash   Hash            // of the content before; zero: there was none
	Old    json.RawMessage // the content before; nil: Created
}

// Check says why an engine must refuse a commit's Before: it names no item, or
// one that did not change so.
func (c *Commit) Check() error {
	named := make(map[int]bool, len(c.Before))
	for _, b := range c.Before {
		if b.Item < 0 || b.Item >= len(c.Items) || named[b.Item] {
			return fmt.Errorf("what was before is of item %d, of %d that there are, or is there twice", b.Item, len(c.Items))
		}
		named[b.Item] = true
		it := &c.Items[b.Item]
		if b.Change == Created && b.Old != nil {
			return fmt.Errorf("item %q was created, and was something before", clip(it.Key))
		}
		if gone := it.Hash == (Hash{}); it.Revision == 0 || gone != (b.Change == Deleted) || b.Change == Due || b.Change == "" {
			return fmt.Errorf("item %q at revision %d cannot be %s", clip(it.Key), it.Revision, b.Change)
		}
	}
	return nil
}

// Change is what happened to an item.
type Change string

// The kinds of change.
const (
	Created Change = "created"
	Updated Change = "updated"
	Deleted Change = "deleted"
	// Due is no change: a time that the item names has come. Such an event
	// has the revision that the item has, and no Old.
	Due Change = "due"
)

// Event is something to be told. Its id and its bodies are fixed here, once.
type Event struct {
	ID       string // "evt_" and a UUIDv7
	Type     string // the rule's name
	Source   string
	Watch    string // the watch key; "": the source has none
	Key      string // of the item
	Change   Change
	Revision uint64    // of the item; gapless from 1
	Time     time.Time // when the change was seen, or a timer was due

	New  json.RawMessage // nil: deleted
	Old  json.RawMessage // nil: created
	Diff json.RawMessage // RFC 6902 from Old to New; nil unless updated

	// Item is the whole item as the answer has it, also what is not picked;
	// nil: deleted. It is there for those who render, and never stored.
	Item json.RawMessage
	// Window is window() for the item when the change was seen; nil: no
	// history is kept. It is there for those who render too.
	Window func(field, span string) (Window, error)
	// Moment is time() as the source reads times; nil: those that say no zone
	// are in UTC. It is there for those who render too.
	Moment func(value any, in ...any) (any, error)

	// Data is what an event of Deltahook's own says (see alerts), an object;
	// nil: the event is of an item. Then Key, Change, New, Old and Diff are
	// empty, and Revision is 0.
	Data json.RawMessage

	// Bodies are the rendered payloads, one for each endpoint that the
	// event goes to. Equal bodies may share their bytes.
	Bodies []Body
}

// Body is an event as one endpoint gets it.
type Body struct {
	Endpoint string
	Payload  []byte
	// Dead says why this is a dead letter from the start; "": it is not.
	Dead string
	// Coalesce says of an update that a later one of the same item and type
	// may take its place, as long as it waits and was never tried. An engine
	// keeps Event.Old until then.
	Coalesce bool
	// Merged, with Coalesce, is what is told in place of Payload if the
	// delivery that it names still waits, was never tried, and cannot be in
	// the emitter's hands when the commit is applied. That one ends then, and
	// is recorded as superseded; all in the same transaction. Nil: Payload is
	// told.
	Merged *Merged
}

// Renderer makes the bodies of an event. The emitter is one.
type Renderer interface {
	// Render gives the payload of e for endpoint. It must be a pure
	// function of the two. With an *Undeliverable there is a payload too: it
	// is kept as a dead letter, and nothing is sent.
	Render(e *Event, endpoint string) ([]byte, error)
}
