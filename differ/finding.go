package differ

import (
	"encoding/json"
	"slices"
)

// finding is what comparing an answer with the memory shows. The memory's
// content is untouched by it: only what helps the next comparison moves
// before the commit (spellings, and which items were listed).
type finding struct {
	listed   int      // items in the answer
	unknown  int      // those that item_ok refused
	changes  []change // in the order of the answer; deletions last
	baseline bool     // the answer is the first, or the first of a new shape
	read     bool     // the answer's items were read; false: it is the last one again
	waiting  []string // keys that are absent, but not often enough yet
	blind    bool     // an item that item_ok refused has no id: no absence means anything
	gone     []Item   // of a baseline: what was known and has no content in it, for its revisions
	renewed  []Item   // unchanged, but listed for the first time in long
	forgot   []Item   // kept for long enough
	samples  []sample // for the history, where one is kept

	tolerated []string // keys of items that differ by no more than their tolerance

	doubted []string      // keys that item_ok refused, where some change waits for its confirmation
	pending []unconfirmed // changes that were not seen often enough yet
}

// change is one difference.
type change struct {
	kind     Change
	key      string
	revision uint64
	hash     Hash
	item     []byte // the whole item, a part of the page; nil where deleted
	new, old json.RawMessage
	diff     json.RawMessage
	window   windowFunc // nil: no history is kept
	sample   int        // its place among the samples, from 1; 0: it has none
	told     bool       // of a silent baseline, and yet it makes events
	rules    []Ruled    // what each rule makes of it, where that is to be explained
}

// settle moves the memory on, after the answer's commit or where there was
// nothing to commit.
func (c *finding) settle(mem *memory, p *part, h hasher) {
	for _, item := range c.gone {
		mem.put(item.Key, Mark{Revision: item.Revision})
	}
	for _, item := range slices.Concat(c.renewed, c.forgot) {
		mem.put(item.Key, Mark{Hash: item.Hash, Revision: item.Revision, Seen: item.Seen})
	}
	for _, ch := range c.changes {
		mem.put(ch.key, Mark{Hash: ch.hash, Revision: ch.revision, Seen: p.Received})
	}
	if c.read {
		mem.read, mem.count = p.Received.Unix(), c.listed
		mem.pages, mem.unknown, mem.blind = p.hash(h), c.unknown > 0, c.blind
		mem.returned()
	}
	mem.listed(c.samples, c.read)
	mem.pending = c.pending
	for _, key := range c.waiting {
		mem.miss(key)
	}
}

// miss counts one more answer in a row that did not list an item.
func (m *memory) miss(key string) { m.misses(key, m.absent[key]+1) }

// misses notes that n answers in a row did not list an item.
func (m *memory) misses(key string, n uint16) {
	if m.absent == nil {
		m.absent = map[string]uint16{}
	}
	m.absent[key] = n
}

// returned forgets the absence of items that the last answer lists.
func (m *memory) returned() {
	for key := range m.absent {
		if m.find(key).round == m.round {
			delete(m.absent, key)
		}
	}
}
