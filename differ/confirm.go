package differ

// unconfirmed is a change that was not seen in enough answers in a row yet.
type unconfirmed struct {
	change
	seen int // answers in a row
}

// confirm takes out of the changes those that must be seen in more answers
// before they count. How often a deletion was, absences knows.
func (f *finding) confirm(s *Source, mem *memory) {
	if s.confirm <= 1 || f.baseline {
		return
	}
	before := make(map[string]unconfirmed, len(mem.pending))
	for _, u := range mem.pending {
		before[u.key] = u
	}
	for _, key := range f.doubted { // says nothing for it, and nothing against it
		if u, ok := before[key]; ok {
			f.pending = append(f.pending, u)
		}
	}
	if s.kept {
		f.pending = append(f.pending, f.unlisted(mem)...)
	}
	confirmed := f.changes[:0]
	for _, ch := range f.changes {
		if seen := before[ch.key].seen + 1; ch.kind != Deleted && seen < s.confirm {
			f.pending = append(f.pending, unconfirmed{ch, seen})
		} else {
			confirmed = append(confirmed, ch)
		}
	}
	f.changes = confirmed
}

// unlisted are the changes that wait of items which the answer does not list:
// where such items are kept, that says nothing of them.
func (f *finding) unlisted(mem *memory) (out []unconfirmed) {
	known := make(map[string]bool, len(f.changes)+len(f.doubted))
	for _, key := range f.doubted {
		known[key] = true
	}
	for i := range f.changes {
		known[f.changes[i].key] = true
	}
	for _, u := range mem.pending {
		if e := mem.find(u.key); !known[u.key] && (e == nil || e.round != mem.round) {
			out = append(out, u)
		}
	}
	return out
}

// repeat adds the changes that the last answer showed, for one that is the
// same again.
func (c *comparison) repeat() {
	for _, u := range c.mem.pending {
		u.change.rules = nil
		c.found.changes = append(c.found.changes, u.change)
	}
}
