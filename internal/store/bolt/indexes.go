package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// place is a cursor that goes one way.
type place struct {
	c    *bbolt.Cursor
	k, v []byte // where it stands; nil: nowhere yet
}

// down goes to the last key that is not behind one. Most often that is the next
// one, or where it stands.
func (p *place) down(key []byte) (k, v []byte) {
	if p.k != nil && bytes.Compare(p.k, key) > 0 {
		p.k, p.v = p.c.Prev()
	}
	if p.k == nil || bytes.Compare(p.k, key) > 0 {
		p.k, p.v = floor(p.c, key)
	}
	return p.k, p.v
}

// floor gives the last key that is not behind one.
func floor(c *bbolt.Cursor, key []byte) (k, v []byte) {
	k, v = c.Seek(key)
	switch {
	case k == nil:
		return c.Last()
	case bytes.Equal(k, key):
		return k, v
	}
	return c.Prev()
}

// ofAll is all deliveries.
type ofAll struct{ place }

func (x *ofAll) near(n uint64, up bool) (number uint64, takes, found bool) {
	key := numberKey(n)
	var k []byte
	if up {
		k, _ = x.c.Seek(key)
	} else {
		k, _ = x.down(key)
	}
	if number, found = lastNumber(k); !found {
		return 0, false, false
	}
	return number, true, true
}

// ofEndpoint is the deliveries to an endpoint.
type ofEndpoint struct {
	place
	prefix  []byte
	replays bool // with those that are replays
	harm    func(error)
}

func (x *ofEndpoint) near(n uint64, up bool) (number uint64, takes, found bool) {
	key := binary.BigEndian.AppendUint64(bytes.Clone(x.prefix), n)
	var k, v []byte
	if up {
		k, v = x.c.Seek(key)
	} else {
		k, v = x.down(key)
	}
	rest, found := bytes.CutPrefix(k, x.prefix)
	if !found || len(rest) != 8 {
		return 0, false, false
	}
	f, err := unseal(bucketByEndpoint, k, v)
	origin := f.uint()
	if err = cmp.Or(err, f.end(bucketByEndpoint, k)); err != nil {
		x.harm(err)
	}
	return binary.BigEndian.Uint64(rest), err == nil && (x.replays || origin == 0), true
}

// ofSource is the deliveries of the events of a source, or of one of its watch
// keys or items, by their hashes. Some of those that it names may have been swept.
type ofSource struct {
	place
	prefix     []byte
	watch, key *uint32
	replays    bool // with those that are replays
	harm       func(error)
	harmed     []byte // the entry that was told of last
}

func (x *ofSource) near(n uint64, up bool) (number uint64, takes, found bool) {
	key := sourceKey(x.prefix, n, numbersSome, "\xff")
	if !up {
		o, takes, found := x.at(x.down(key))
		if !takes {
			return o.first, false, found
		}
		return min(n, o.last()), true, found
	}
	if o, takes, found := x.at(floor(x.c, key)); found && o.kind == numbersSome && n <= o.last() {
		if !takes {
			n = o.last()
		}
		return n, takes, true // one of several of an event
	}
	o, takes, found := x.at(x.c.Seek(key))
	switch {
	case takes:
		return o.first, true, found
	case o.kind == numbersSome:
		return o.last(), false, found
	}
	return max(o.first, 1) - 1, false, found // what has that number follows
}

// has says whether a number is in it, or cannot be told. It is the first that is
// asked for.
func (x *ofSource) has(n uint64) bool {
	harmed := false
	x.harm = func(error) { harmed = true }
	number, takes, found := x.near(n, false)
	return harmed || found && takes && number == n
}

// at reads an entry.
func (x *ofSource) at(k, v []byte) (o entryOfSource, takes, found bool) {
	if !bytes.HasPrefix(k, x.prefix) {
		return o, false, false
	}
	o, err := readOfSource(x.prefix, k, v)
	if err != nil {
		if !bytes.Equal(k, x.harmed) {
			x.harm(err)
			x.harmed = k
		}
		return o, false, len(k) >= len(x.prefix)+9
	}
	takes = o.kind == numbersSome && (x.replays || o.id != "") &&
		(x.watch == nil || *x.watch == o.watch) && (x.key == nil || *x.key == o.key)
	return o, takes, true
}

// ofSome is a few deliveries, in the order of their numbers.
type ofSome []uint64

func (x ofSome) near(n uint64, up bool) (number uint64, takes, found bool) {
	i, exact := slices.BinarySearch(x, n)
	if !up && !exact {
		i--
	}
	if i < 0 || i == len(x) {
		return 0, false, false
	}
	return x[i], true, true
}

func (t *tx) ofAll() *ofAll { return &ofAll{place{c: t.cursor(bucketDeliveries)}} }

func (t *tx) ofEndpoint(name string, replays bool, harm func(error)) *ofEndpoint {
	return &ofEndpoint{place: place{c: t.cursor(bucketByEndpoint)}, prefix: appendPart(nil, name), replays: replays, harm: harm}
}

func (t *tx) ofSource(f *emitter.Filter, replays bool, harm func(error)) *ofSource {
	x := &ofSource{place: place{c: t.cursor(bucketBySource)}, prefix: sourcePrefix(f.Source), replays: replays, harm: harm}
	if f.Watch != "" {
		x.watch = new(nameHash(f.Watch))
	}
	if f.Key != "" {
		x.key = new(nameHash(f.Key))
	}
	return x
}
