package differ

import (
	"context"
	"slices"
)

// sample is what an answer says of one item.
type sample struct {
	key    string
	values []float64 // of the history's fields, NaN: no number; nil: the item is unknown
	raw    uint64    // the spelling that says the remembered content, and these; 0: none does
}

// spelled notes how an item is spelled that is no other than what is
// remembered. With a sample, that counts only once the answer is taken in: the
// next one that is spelled so says the same values.
func (c *finding) spelled(e *entry, raw uint64, sample int) {
	if sample == 0 {
		e.raw = raw
	} else {
		c.samples[sample-1].raw = raw
	}
}

// sample notes what the answer says of an item, whose content is given; nil:
// item_ok refused it.
func (c *comparison) sample(key string, content []byte) {
	if len(c.src.history) == 0 {
		return
	}
	var values []float64
	if content != nil {
		values = c.src.history.values(content)
	}
	c.found.samples = append(c.found.samples, sample{key: key, values: values})
}

// sampleAgain notes that an item says what it said before. It reports false
// where that is not known.
func (c *comparison) sampleAgain(key string, raw uint64) bool {
	if len(c.src.history) == 0 {
		return true
	}
	p := c.mem.pasts[key]
	if p == nil || p.values == nil {
		return false
	}
	c.found.samples = append(c.found.samples, sample{key, p.values, raw})
	return true
}

// sampleAll completes what the answer says of items: one that is the same again
// says what the last one said.
func (d *Differ) sampleAll(ctx context.Context, out *outcome) error {
	src, mem, found := out.source, out.memory, out.finding
	out.sampled = true
	if len(src.history) == 0 || found.read || out.part.lacking || found.baseline {
		return nil
	}
	var unread []string
	waited := make(map[string]bool, len(found.changes)) // to be confirmed
	for i := range found.changes {
		ch := &found.changes[i]
		if ch.kind == Deleted {
			continue
		}
		waited[ch.key] = true
		if p := mem.pasts[ch.key]; p != nil && p.values != nil {
			found.samples = append(found.samples, sample{key: ch.key, values: p.values})
		} else {
			found.samples = append(found.samples, sample{key: ch.key, values: src.history.values(ch.new)})
		}
	}
	for i := range mem.entries {
		e := &mem.entries[i]
		if e.gone() || mem.absent[e.key] > 0 || waited[e.key] {
			continue
		}
		if p := mem.pasts[e.key]; p != nil && p.values != nil {
			found.samples = append(found.samples, sample{e.key, p.values, e.raw})
		} else if mem.pages == 0 && !src.kept && !mem.unknown {
			unread = append(unread, e.key)
		}
	}
	// Status 304 is the first that this process hears: what the answer says
	// is what is stored. Where items are kept it may have said less.
	for some := range slices.Chunk(unread, feedAtOnce) {
		items, err := d.store.Items(ctx, out.part.unit, some)
		if err != nil {
			return storeFailure("reading", err)
		}
		for _, item := range items {
			found.samples = append(found.samples, sample{key: item.Key, values: src.history.values(item.Content)})
		}
	}
	return nil
}
