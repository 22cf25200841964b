package differ

import "bytes"

// unconfirmed is a change that was not seen in enough answers in a row yet.
type unconfirmed struct {
	change
	seen   int  // answers in a row
	listed bool // the last answer showed it
}

// confirm takes out of the changes those that must be seen in more answers
// before they count. How often a deletion was, absences knows.
func (c *finding) confirm(s *Source, mem *memory) {
	if s.confirm <= 1 || c.baseline {
		return
	}
	before := make(map[string]unconfirmed, len(mem.pending))
	for _, u := range mem.pending {
		before[u.key] = u
	}
	for _, key := range c.doubted { // says nothing for it, and nothing against it
		if u, ok := before[key]; ok {
			u.listed = false
			c.pending = append(c.pending, u)
		}
	}
	if s.kept {
		c.pending = append(c.pending, c.unlisted(mem)...)
	}
	confirmed := c.changes[:0]
	for _, ch := range c.changes {
		if seen := before[ch.key].seen + 1; ch.kind != Deleted && seen < s.confirm {
			c.pending = append(c.pending, unconfirmed{ch.apart(), seen, true})
		} else {
			confirmed = append(confirmed, ch)
		}
	}
	c.changes = confirmed
}

// apart is c without what would keep the page in memory that it was read from.
func (c change) apart() change {
	c.item = bytes.Clone(c.item)
	return c
}

// maxUnlisted is how many changes of items that answers do not list wait to be
// confirmed. Those that were listed longest ago are given up first.
const maxUnlisted = 10_000

// unlisted are the changes that wait of items which the answer does not list:
// where such items are kept, that says nothing of them.
func (c *finding) unlisted(mem *memory) (out []unconfirmed) {
	known := make(map[string]bool, len(c.changes)+len(c.doubted))
	for _, key := range c.doubted {
		known[key] = true
	}
	for i := range c.changes {
		known[c.changes[i].key] = true
	}
	for _, u := range mem.pending {
		if e := mem.find(u.key); !known[u.key] && (e == nil || e.round != mem.round) {
			u.listed = false
			out = append(out, u)
		}
	}
	return out[max(0, len(out)-maxUnlisted):] // the latest
}

// repeat adds the changes that the last answer showed, for one that is the
// same again.
func (c *comparison) repeat() {
	for _, u := range c.mem.pending {
		if !u.listed {
			c.found.doubted = append(c.found.doubted, u.key)
			continue
		}
		u.rules, u.sample = nil, 0
		c.found.changes = append(c.found.changes, u.change)
	}
}
