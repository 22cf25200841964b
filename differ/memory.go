package differ

import (
	"hash/maphash"
	"math"
	"slices"
	"time"
)

// memory is what is kept in memory of a source: a mark for each item, so that
// an answer is compared without a read. Only the source's own poll uses it.
// After any commit whose outcome is unknown it is thrown away and read anew.
type memory struct {
	version  uint64
	shape    string
	since    time.Time
	doubtful bool // the outcome of a commit is unknown: read it anew

	pasts  map[string]*past // of items with a history, by key
	fields map[string]int   // items that have samples of a field

	index   index // of entries
	entries []entry
	keys    keyring           // their keys
	present int               // entries that are not gone
	counted int               // of present, those that the metric has
	absent  map[string]uint16 // answers in a row that lacked an item, by its key; none: the last one listed it
	pending []unconfirmed     // changes to be confirmed: those of one answer, and maxUnlisted

	timers    *timers    // nil: none, and there never were
	quiet     *quietNote // nil: no change was noted
	hold      *Hold      // why the last answer was not taken in; nil: it was
	standings standings
	alerts    alerts

	pages   uint64 // hash of the pages that were taken in last; 0: none
	unknown bool   // that answer had items that item_ok refused
	blind   bool   // one of them had no id
	round   uint32 // counts the answers that were compared
	read    int64  // when the last of them came that was taken in, in Unix seconds; 0: none did
	count   int    // items that it listed
}

// entry is an item in 56 bytes, beside the text of its key. What few items have
// is kept in maps beside the entries.
type entry struct {
	key      string
	hash     Hash // zero: gone
	revision uint64
	raw      uint64 // hash of the item as it was spelled last; 0: not known
	round    uint32 // the last answer that listed it
	seen     uint32 // Mark.Seen in Unix seconds, until the year 2106
}

// seconds are the Unix seconds of t as an entry has them.
func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

func (e *entry) gone() bool { return e.hash == Hash{} }

// remember makes the memory of a stored state.
func remember(s State) *memory {
	m := &memory{version: s.Version, shape: s.Shape, since: s.Since}
	m.entries = make([]entry, 0, len(s.Items))
	m.index = newIndex(m.index.seed, len(s.Items))
	total := 0
	for key := range s.Items {
		total += len(key)
	}
	m.keys.room(total)
	for key, mark := range s.Items {
		m.put(key, mark)
	}
	for _, n := range s.Notes {
		m.note(n)
	}
	return m
}

// clear forgets all items, for a baseline that takes their place. What was
// noted stays.
func (m *memory) clear() {
	m.index, m.entries, m.keys, m.present, m.absent = index{}, nil, keyring{}, 0, nil
	m.pages, m.unknown, m.blind, m.pending = 0, false, false, nil
}

// put takes in the stored mark of an item.
func (m *memory) put(key string, mark Mark) {
	e := m.find(key)
	if e == nil {
		e = m.enter(key)
	}
	if was, is := !e.gone(), mark.Hash != (Hash{}); was != is {
		if is {
			m.present++
		} else {
			m.present--
		}
	}
	delete(m.absent, key)
	e.hash, e.revision, e.seen = mark.Hash, mark.Revision, seconds(mark.Seen)
	e.raw = 0 // the spelling that is known was that of the content before
}

// enter adds an entry for a key that is not there.
func (m *memory) enter(key string) *entry {
	if n := len(m.entries); n == cap(m.entries) && n >= growSlowly {
		more := make([]entry, n, n+n/8)
		copy(more, m.entries)
		m.entries = more
	}
	m.entries = append(m.entries, entry{key: m.keys.clone(key), round: m.round})
	m.index.add(m.entries)
	return &m.entries[len(m.entries)-1]
}

// growSlowly is from how many entries on they grow by an eighth only: what is
// spare stays for as long as the source.
const growSlowly = 64

// carry takes over from an older memory what the last answer left open, and what
// was counted: only the contents of a memory can be in doubt.
func (m *memory) carry(old *memory) {
	m.pending, m.unknown, m.blind = old.pending, old.unknown, old.blind
	m.read, m.count, m.counted = old.read, old.count, old.counted
	for key, n := range old.absent {
		if e := m.find(key); e != nil && !e.gone() && m.absent[key] == 0 {
			m.misses(key, n)
		}
	}
	for key, p := range old.pasts { // a 304 repeats them
		if e := m.find(key); p.values != nil && e != nil && e.hash == old.hashOf(key) {
			m.pastOf(key).values = p.values
		}
	}
}

// partial reports whether the last answer left something open that only
// another whole answer can settle: an absence or a change to be confirmed, or an
// item that was refused. A validator that is stored then would hide it after a restart.
func (m *memory) partial() bool { return m.hold != nil || m.open() }

// open is partial of an answer that is not held.
func (m *memory) open() bool { return len(m.absent) > 0 || m.unknown || len(m.pending) > 0 }

// maxGone is how many gone items a source remembers for their revisions. Over
// it, the half that was gone longest is forgotten.
const maxGone = 100_000

// trim forgets gone items where there are too many.
func (m *memory) trim() {
	if len(m.entries)-m.present <= maxGone {
		return
	}
	gone := make([]uint32, 0, len(m.entries)-m.present)
	for i := range m.entries {
		if e := &m.entries[i]; e.gone() {
			gone = append(gone, e.round)
		}
	}
	slices.Sort(gone)
	oldest := gone[len(gone)/2]
	left := len(gone) - maxGone/2 // to be dropped, at most
	kept := make([]entry, 0, len(m.entries)-left)
	for _, e := range m.entries {
		if e.gone() && e.round <= oldest && left > 0 {
			left--
			continue
		}
		kept = append(kept, e)
	}
	m.entries, m.keys = nil, keyring{} // so that what is dropped is freed
	m.index = newIndex(m.index.seed, len(kept))
	for _, e := range kept {
		left := m.enter(e.key)
		e.key = left.key
		*left = e
	}
}

func (m *memory) find(key string) *entry {
	if i := m.index.find(m.entries, key); i >= 0 {
		return &m.entries[i]
	}
	return nil
}

// knownAs is the key under which an answer that is one item without an id is
// remembered; "": it is not, or answers are not of that kind. It is the source's
// name, or one that it had before: an item keeps its key where its source gets
// another name.
func (s *Source) knownAs(m *memory) (key string) {
	if s.response.Items != "" || len(s.response.ID) > 0 || s.keyed || m.shape != s.shape {
		return ""
	}
	for i := range m.entries {
		if e := &m.entries[i]; !e.gone() || key == "" {
			key = e.key
		}
	}
	return key
}

// hashOf is the hash of an item; zero: it is not there.
func (m *memory) hashOf(key string) Hash {
	if e := m.find(key); e != nil {
		return e.hash
	}
	return Hash{}
}

// hasher compares spellings. Its hashes live as long as the process: the seed
// is random, so nobody can choose two texts that look the same to it.
type hasher struct{ seed maphash.Seed }

func (h hasher) text(s string) uint64 { return max(maphash.String(h.seed, s), 1) }

// pages is the hash of an answer: of its pages and of where they part.
func (h hasher) pages(pages [][]byte) uint64 {
	if len(pages) == 1 {
		return max(maphash.Bytes(h.seed, pages[0]), 1)
	}
	var sum maphash.Hash
	sum.SetSeed(h.seed)
	for _, page := range pages {
		maphash.WriteComparable(&sum, len(page))
		_, _ = sum.Write(page)
	}
	return max(sum.Sum64(), 1)
}
