package differ

import (
	"cmp"
	"math"
	"slices"
)

// keepSamples has the samples of an answer that is taken in stored, and those
// removed that are too old, of an item that is gone, or of a field of which
// none are kept any more.
func (out *outcome) keepSamples() {
	src, mem, found := out.source, out.memory, out.finding
	if out.held || len(src.history) == 0 && len(mem.fields) == 0 {
		return
	}
	k := keeper{history: src.history, mem: mem}
	k.dropFields()
	there := k.dropGone(found)
	at := out.part.Received.UnixMilli()
	for _, s := range found.samples {
		is, changed := there[s.key]
		if e := mem.find(s.key); !changed && !found.baseline && e != nil && !e.gone() {
			is, s.key = true, e.key // not a part of the answer, which would stay in memory with the note
		}
		if !is {
			continue // it is not remembered: it waits to be confirmed
		}
		for i, v := range s.values {
			if !math.IsNaN(v) {
				k.add(s.key, &src.history[i], at, v)
			}
		}
	}
	out.notes = append(out.notes, k.notes...)
}

// dropGone removes the samples of items that are gone, and gives of those that
// the answer changes whether they are there then.
func (k *keeper) dropGone(found *finding) (there map[string]bool) {
	there = make(map[string]bool, len(found.changes)+len(found.forgot))
	for i := range found.changes {
		there[found.changes[i].key] = found.changes[i].kind != Deleted
	}
	for _, item := range found.forgot {
		there[item.Key] = false
	}
	for key, is := range there {
		if !is {
			k.drop(key)
		}
	}
	if found.baseline {
		for key := range k.mem.pasts {
			if _, known := there[key]; !known {
				k.drop(key)
			}
		}
	}
	return there
}

// keeper makes notes of samples.
type keeper struct {
	history history
	mem     *memory
	notes   []Note
	buckets []bucket // scratch room
}

func (k *keeper) put(key, field string, number int64, data []byte) {
	k.notes = append(k.notes, Note{Key: key, Name: sampleName(field, number), Data: data})
}

// drop removes all samples of an item, but those that dropFields does.
func (k *keeper) drop(key string) {
	if p := k.mem.pasts[key]; p != nil {
		for i := range p.series {
			if s := &p.series[i]; k.history.find(s.field) != nil {
				k.dropSeries(key, s)
			}
		}
	}
}

func (k *keeper) dropSeries(key string, s *series) {
	for _, p := range s.pages {
		k.put(key, s.field, p.number, nil)
	}
}

// dropFields removes the samples of fields of which none are kept any more.
func (k *keeper) dropFields() {
	stale := false
	for field := range k.mem.fields {
		stale = stale || k.history.find(field) == nil
	}
	if !stale {
		return
	}
	for key, p := range k.mem.pasts {
		for i := range p.series {
			if s := &p.series[i]; k.history.find(s.field) == nil {
				k.dropSeries(key, s)
			}
		}
	}
}

// add takes a sample in: into its bucket, on its page. Pages that are further
// away than the history is long, on either side, are removed: those of a clock
// that was wrong too.
func (k *keeper) add(key string, t *tracked, at int64, v float64) {
	s := k.mem.pasts[key].find(t.name)
	index := floor(at, t.width)
	number := floor(index, pageBuckets)
	var here page
	if s != nil {
		if s.origin != t.origin || s.width != t.width {
			k.convert(key, s, t, at, v)
			return
		}
		if i, there := s.find(number); there {
			here = s.pages[i]
		}
		for _, p := range s.far(t, at) {
			k.put(key, t.name, p.number, nil)
		}
	}
	k.buckets = here.appendBuckets(k.buckets[:0])
	k.buckets = into(k.buckets, index, func(b *bucket) { b.add(at, v) })
	k.put(key, t.name, number, newPage(number, t.origin, t.width, k.buckets).data)
}

// convert writes a series anew that was kept for another time, or of another
// origin, with one more sample. A bucket stands where its last sample belongs.
func (k *keeper) convert(key string, s *series, t *tracked, at int64, v float64) {
	byPage := map[int64][]bucket{}
	put := func(b bucket) {
		index := floor(b.lastAt, t.width)
		number := floor(index, pageBuckets)
		if !t.far(number, at) {
			byPage[number] = into(byPage[number], index, func(to *bucket) { to.join(b) })
		}
	}
	for b := range s.all(t.origin) {
		put(b)
	}
	var own bucket
	own.add(at, v)
	put(own)
	for _, p := range s.pages {
		if byPage[p.number] == nil {
			k.put(key, t.name, p.number, nil)
		}
	}
	for number, buckets := range byPage {
		k.put(key, t.name, number, newPage(number, t.origin, t.width, buckets).data)
	}
}

// into does something to the bucket of an index, a new one where there is none.
func into(buckets []bucket, index int64, do func(*bucket)) []bucket {
	i, there := slices.BinarySearchFunc(buckets, index, func(b bucket, index int64) int {
		return cmp.Compare(b.index, index)
	})
	if !there {
		buckets = slices.Insert(buckets, i, bucket{index: index})
	}
	do(&buckets[i])
	return buckets
}

// far reports whether nothing on a page is within the history before or after
// at.
func (t *tracked) far(number, at int64) bool {
	span := pageBuckets * t.width
	begin, keep := number*span, t.keep.Milliseconds()
	return begin+span <= at-keep || begin > at+keep
}

// far gives the pages that are far from at: the first ones and the last ones.
func (s *series) far(t *tracked, at int64) (pages []page) {
	i, j := 0, len(s.pages)
	for i < j && t.far(s.pages[i].number, at) {
		i++
	}
	for i < j && t.far(s.pages[j-1].number, at) {
		j--
	}
	if i == 0 && j == len(s.pages) {
		return nil
	}
	return slices.Concat(s.pages[:i], s.pages[j:])
}

// floor is a/b, rounded down.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
