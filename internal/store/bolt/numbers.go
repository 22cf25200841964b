package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// maxSkimmed is how many entries of indexes one call looks at, of which it reads
// the records of maxLooked at most.
const maxSkimmed = 10 * maxLooked

// numbered is an index of deliveries in the order of their numbers. A caller goes
// one way.
type numbered interface {
	// near gives the number in it that is nearest to n: n itself, or the next
	// one below, or with up above. takes is false where it is none that is
	// meant, and neither is any between n and it.
	near(n uint64, up bool) (number uint64, takes, found bool)
}

// meeting goes through the numbers that are in several indexes. Its cost is that
// of the smallest of them: each says how far the others may leap.
type meeting struct {
	of      []numbered
	up      bool
	skimmed int
}

// next gives the nearest number from n on. Where that takes too long, more is
// true and at is where to go on.
func (m *meeting) next(n uint64) (at uint64, found, more bool) {
	for agreed, i := 0, 0; agreed < len(m.of); {
		if m.skimmed++; m.skimmed > maxSkimmed {
			return n, false, true
		}
		at, takes, found := m.of[i].near(n, m.up)
		switch {
		case !found:
			return 0, false, false
		case !takes:
			if at, found = m.beyond(at); !found {
				return 0, false, false
			}
			n, agreed = at, 0
			continue
		case at != n:
			n, agreed = at, 0
		}
		agreed, i = agreed+1, (i+1)%len(m.of)
	}
	return n, true, false
}

// sure says whether what they name is there: a source's index names events, of
// which deliveries may have been swept.
func (m *meeting) sure() bool {
	_, swept := m.of[0].(*ofSource)
	return !swept
}

// beyond is the number behind n; found is false where there is none.
func (m *meeting) beyond(n uint64) (next uint64, found bool) {
	if m.up {
		return n + 1, n < math.MaxUint64
	}
	return n - 1, n > 0
}

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
		x.harm(err)
		return o, false, true
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

// numbers gives the indexes of the deliveries that a filter can take.
func (t *tx) numbers(f *emitter.Filter, harm func(error)) (of []numbered) {
	if !t.indexed() {
		return []numbered{t.ofAll()}
	}
	if some, few := t.few(f.Endpoint, f.State); few && f.State == emitter.Waiting {
		of = append(of, some)
	} else if f.Endpoint != "" {
		of = append(of, t.ofEndpoint(f.Endpoint, true, harm))
	}
	if f.Source != "" {
		of = append(of, t.ofSource(f, true, harm))
	}
	if of == nil {
		of = append(of, t.ofAll())
	}
	return of
}

// firsts gives the indexes of the first deliveries of events to endpoints of
// which the last may be in one of some states, and which a filter can take.
func (t *tx) firsts(f *emitter.Filter, harm func(error), states ...emitter.State) (of []numbered) {
	if some, few := t.few(f.Endpoint, states...); few {
		of = append(of, t.origins(some, harm))
	} else if f.Endpoint != "" {
		of = append(of, t.ofEndpoint(f.Endpoint, false, harm))
	}
	if f.Source != "" {
		of = append(of, t.ofSource(f, false, harm))
	}
	if of == nil {
		of = append(of, t.ofAll())
	}
	return of
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

// few gives the deliveries that are in some states at an endpoint, or at any,
// where there is an index of those states and they are no more than a call looks
// at.
func (t *tx) few(endpoint string, states ...emitter.State) (all ofSome, few bool) {
	var prefix []byte
	if endpoint != "" {
		prefix = appendPart(nil, endpoint)
	}
	for _, state := range states {
		var b bucket
		switch {
		case state == emitter.Waiting:
			b = bucketLanes
		case state == emitter.Dead && endpoint != "":
			b = bucketLetters
		case state == emitter.Dead:
			b = bucketDead
		default:
			return nil, false
		}
		c := t.cursor(b)
		for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if number, ok := lastNumber(k); ok {
				all = append(all, number)
			}
			if len(all) > maxLooked {
				return nil, false
			}
		}
	}
	slices.Sort(all)
	return all, len(states) > 0
}

// origins gives the first deliveries of which some are replays, or which they
// are.
func (t *tx) origins(of ofSome, harm func(error)) (all ofSome) {
	for _, number := range of {
		d, found, err := t.delivery(number)
		if err == nil && !found {
			err = missing(bucketDeliveries, numberKey(number))
		}
		if err != nil {
			harm(err)
			continue
		}
		all = append(all, cmp.Or(d.origin, number))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
