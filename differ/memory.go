package differ

import (
	"hash/maphash"
	"slices"
	"strings"
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

	index   map[string]int // by key, into entries
	entries []entry
	present int           // entries that are not gone
	counted int           // of present, those that the metric has
	absent  int           // entries that are not confirmed gone: missing > 0
	pending []unconfirmed // changes to be confirmed: at most those of one answer

	hold      *Hold // why the last answer was not taken in; nil: it was
	standings standings
	alerts    alerts

	pages   uint64 // hash of the pages that were taken in last; 0: none
	unknown bool   // that answer had items that item_ok refused
	blind   bool   // one of them had no id
	round   uint32 // counts the answers that were compared
	read    int64  // when the last of them came, in Unix seconds; 0: none did
}

type entry struct {
	key      string
	hash     Hash // zero: gone
	revision uint64
	raw      uint64 // hash of the item as it was spelled last; 0: not known
	round    uint32 // the last answer that listed it
	missing  uint16 // answers in a row that did not
	seen     int64  // Mark.Seen in Unix seconds
}

func (e *entry) gone() bool { return e.hash == Hash{} }

// remember makes the memory of a stored state.
func remember(s State) *memory {
	m := &memory{version: s.Version, shape: s.Shape, since: s.Since, index: make(map[string]int, len(s.Items))}
	m.entries = make([]entry, 0, len(s.Items))
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
	m.index, m.entries, m.present, m.absent = map[string]int{}, nil, 0, 0
	m.pages, m.unknown, m.blind, m.pending = 0, false, false, nil
}

// put takes in the stored mark of an item.
func (m *memory) put(key string, mark Mark) {
	i, ok := m.index[key]
	if !ok {
		key = strings.Clone(key)
		i = len(m.entries)
		m.index[key] = i
		m.entries = append(m.entries, entry{key: key})
	}
	e := &m.entries[i]
	if was, is := !e.gone(), mark.Hash != (Hash{}); was != is {
		if is {
			m.present++
		} else {
			m.present--
		}
	}
	if e.missing > 0 {
		e.missing, m.absent = 0, m.absent-1
	}
	e.hash, e.revision, e.seen = mark.Hash, mark.Revision, mark.Seen.Unix()
	e.raw = 0 // the spelling that is known was that of the content before
}

// carry takes over from an older memory how often items were absent: only
// the contents of a memory can be in doubt.
func (m *memory) carry(old *memory) {
	m.pending = old.pending
	for i := range old.entries {
		if was := &old.entries[i]; was.missing > 0 {
			if e := m.find(was.key); e != nil && !e.gone() && e.missing == 0 {
				e.missing, m.absent = was.missing, m.absent+1
			}
		}
	}
}

// partial reports whether the last answer left something open that only
// another whole answer can settle: an absence or a change to be confirmed, or an
// item that was refused. A validator that is stored then would hide it after a restart.
func (m *memory) partial() bool {
	return m.hold != nil || m.absent > 0 || m.unknown || len(m.pending) > 0
}

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
	kept := m.entries[:0]
	for _, e := range m.entries {
		if e.gone() && e.round <= oldest && left > 0 {
			left--
			continue
		}
		kept = append(kept, e)
	}
	clear(m.entries[len(kept):])
	m.entries = kept
	m.index = make(map[string]int, len(kept))
	for i := range kept {
		m.index[kept[i].key] = i
	}
}

func (m *memory) find(key string) *entry {
	if i, ok := m.index[key]; ok {
		return &m.entries[i]
	}
	return nil
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
