package differ

import (
	"context"
	"slices"
)

// sample is what an answer says of one item.
type sample struct {
	key    string
	values []float64 // of the history's fields, NaN: no number; nil: the item is unknown
}

// sample notes what the answer says of an item, whose content is given; nil:
// item_ok refused it.
func (c *comparison) sample(key string, content []byte) (values []float64) {
	if len(c.src.history) == 0 {
		return nil
	}
	if content != nil {
		values = c.src.history.values(content)
	}
	c.found.samples = append(c.found.samples, sample{key, values})
	return values
}

// sampleAgain notes that an item says what it said before. It reports false
// where that is not known.
func (c *comparison) sampleAgain(key string) bool {
	if len(c.src.history) == 0 {
		return true
	}
	p := c.mem.pasts[key]
	if p == nil || p.values == nil {
		return false
	}
	c.found.samples = append(c.found.samples, sample{key, p.values})
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
	for i := range mem.entries {
		e := &mem.entries[i]
		if e.gone() || mem.absent[e.key] > 0 {
			continue
		}
		if p := mem.pasts[e.key]; p != nil && p.values != nil {
			found.samples = append(found.samples, sample{e.key, p.values})
		} else if mem.pages == 0 && !src.kept {
			unread = append(unread, e.key)
		}
	}
	for i := range found.changes { // that waited to be confirmed
		if key := found.changes[i].key; !mem.holds(key) {
			if p := mem.pasts[key]; p != nil && p.values != nil {
				found.samples = append(found.samples, sample{key, p.values})
			}
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
			found.samples = append(found.samples, sample{item.Key, src.history.values(item.Content)})
		}
	}
	return nil
}
