package differ

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// bucket is what is kept of the samples of one field of one item in a span of
// time. Of up to two samples that is the samples themselves.
type bucket struct {
	index           int64 // its time by its width
	count           uint64
	firstAt, lastAt int64 // in Unix milliseconds
	first, last     float64
	min, max, sum   float64
}

// add takes a sample in, in any order of time; of two at one time the later
// call is the later sample.
func (b *bucket) add(at int64, v float64) {
	b.join(bucket{count: 1, firstAt: at, lastAt: at, first: v, last: v, min: v, max: v, sum: v})
}

// join takes another bucket's samples in.
func (b *bucket) join(o bucket) {
	if b.count == 0 {
		o.index = b.index
		*b = o
		return
	}
	if o.firstAt < b.firstAt {
		b.firstAt, b.first = o.firstAt, o.first
	}
	if o.lastAt >= b.lastAt {
		b.lastAt, b.last = o.lastAt, o.last
	}
	b.count += o.count
	b.min, b.max, b.sum = min(b.min, o.min), max(b.max, o.max), b.sum+o.sum
}

// A page is the buckets of one field and item that follow each other, in one
// note: so that a day of minutes is 45 notes of an item and not 1,440, and a
// sample writes a few hundred bytes.
//
//	1 | origin (4) | width | buckets
//
// A bucket is
//
//	index in the page | count | first time | first value
//	  from two samples on:   | last time | last value
//	  from three samples on: | least | greatest | sum
//
// Numbers are uvarints; a time is milliseconds from the bucket's beginning, as
// a varint; a value is an IEEE 754 double, big endian.
type page struct {
	number int64
	data   []byte // never changed
}

const (
	pageForm    = 1
	pageHead    = 5
	pageBuckets = 32
)

// head reads what the samples of a page are of. ok is false of what no
// deltahook wrote.
func (p page) head() (origin uint32, width int64, buckets []byte, ok bool) {
	if len(p.data) < pageHead || p.data[0] != pageForm {
		return 0, 0, nil, false
	}
	w, n := binary.Uvarint(p.data[pageHead:])
	if n <= 0 || w == 0 || w > math.MaxInt64/pageBuckets {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint32(p.data[1:]), int64(w), p.data[pageHead+n:], true
}

// appendBuckets appends those of a page to buckets; of a page that no deltahook
// wrote, none.
func (p page) appendBuckets(buckets []bucket) []bucket {
	_, width, rest, ok := p.head()
	if !ok {
		return buckets
	}
	r := reader{data: rest}
	out := buckets
	for last := int64(-1); r.at < len(rest); {
		i := int64(r.uint())
		if i <= last || i >= pageBuckets {
			return buckets
		}
		last = i
		b := bucket{index: p.number*pageBuckets + i, count: r.uint()}
		begin := b.index * width
		b.firstAt, b.first = begin+r.int(), r.value()
		b.lastAt, b.last = b.firstAt, b.first
		if b.count > 1 {
			b.lastAt, b.last = begin+r.int(), r.value()
		}
		b.min, b.max, b.sum = min(b.first, b.last), max(b.first, b.last), b.first
		if b.count == 2 {
			b.sum += b.last
		}
		if b.count > 2 {
			b.min, b.max, b.sum = r.value(), r.value(), r.value()
		}
		if r.short || b.count == 0 {
			return buckets
		}
		out = append(out, b)
	}
	return out
}

// newPage writes the buckets of a page, in the order of their indices.
func newPage(number int64, origin uint32, width int64, buckets []bucket) page {
	data := make([]byte, 0, pageHead+4+16*len(buckets))
	data = binary.BigEndian.AppendUint32(append(data, pageForm), origin)
	data = binary.AppendUvarint(data, uint64(width))
	for i := range buckets {
		b := &buckets[i]
		begin := b.index * width
		data = binary.AppendUvarint(data, uint64(b.index-number*pageBuckets))
		data = binary.AppendUvarint(data, b.count)
		data = appendSample(data, b.firstAt-begin, b.first)
		if b.count > 1 {
			data = appendSample(data, b.lastAt-begin, b.last)
		}
		if b.count > 2 {
			data = appendValue(appendValue(appendValue(data, b.min), b.max), b.sum)
		}
	}
	return page{number, data}
}

func appendSample(data []byte, at int64, v float64) []byte {
	return appendValue(binary.AppendVarint(data, at), v)
}

func appendValue(data []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(data, math.Float64bits(v))
}

// reader reads the parts of a page. What is missing is zero, and sets short.
type reader struct {
	data  []byte
	at    int
	short bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.data[r.at:])
	r.skip(n)
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.data[r.at:])
	r.skip(n)
	return v
}

func (r *reader) value() float64 {
	if len(r.data)-r.at < 8 {
		r.skip(0)
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(r.data[r.at:]))
	r.skip(8)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.at, r.short = len(r.data), true
		return
	}
	r.at += n
}

// series is what is kept of one field of one item.
type series struct {
	field string
	pages []page // by number, and so by time

	// origin and width are those of all pages; width 0: they are not of one.
	origin uint32
	width  int64
}

// find is where the page of a number is, or would be.
func (s *series) find(number int64) (i int, there bool) {
	return slices.BinarySearchFunc(s.pages, number, func(p page, n int64) int { return cmp.Compare(p.number, n) })
}

// put takes a page in, in the place of one of its number; without data it is
// removed.
func (s *series) put(p page) {
	i, there := s.find(p.number)
	switch {
	case p.data == nil && there:
		s.pages = slices.Delete(s.pages, i, i+1)
	case p.data == nil:
	case there:
		s.pages[i] = p
	default:
		s.pages = slices.Insert(s.pages, i, p)
	}
	if origin, width, _, _ := p.head(); len(s.pages) == 1 || s.width == 0 || p.data != nil && (origin != s.origin || width != s.width) {
		s.unite()
	}
}

// unite finds what all pages are of.
func (s *series) unite() {
	for i, p := range s.pages {
		origin, width, _, _ := p.head()
		if i > 0 && (origin != s.origin || width != s.width) {
			width = 0
		}
		if s.origin, s.width = origin, width; width == 0 {
			return
		}
	}
}

// all gives the buckets of a series that are of origin, by time.
func (s *series) all(origin uint32) iter.Seq[bucket] {
	return func(yield func(bucket) bool) {
		if s == nil {
			return
		}
		var buckets []bucket
		for _, p := range s.pages {
			if of, _, _, ok := p.head(); !ok || of != origin {
				continue
			}
			buckets = p.appendBuckets(buckets[:0])
			for _, b := range buckets {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// sampleName is the name of the note that a page of a field is. The names of a
// field sort by time.
func sampleName(field string, number int64) string {
	return fmt.Sprintf("%s%s/%016x", noteSample, field, uint64(number)^(1<<63))
}

// cutSampleName is the reverse of sampleName.
func cutSampleName(name string) (field string, number int64, ok bool) {
	rest, ok := strings.CutPrefix(name, noteSample)
	slash := len(rest) - 17
	if !ok || slash < 0 || rest[slash] != '/' {
		return "", 0, false
	}
	n, err := strconv.ParseUint(rest[slash+1:], 16, 64)
	return rest[:slash], int64(n ^ (1 << 63)), err == nil
}
