package bolt

import (
	"bytes"
	"cmp"
	"math"
	"slices"

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

// numbers gives the indexes of the deliveries that a filter can take. What is dead
// is listed in another order.
func (t *tx) numbers(f *emitter.Filter, harm func(error)) (of []numbered) {
	if !t.indexed() {
		return []numbered{t.ofAll()}
	}
	if some, few := t.few(f.Endpoint, span{}, maxLooked, f.State); few {
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
// which the last may be in one of some states, those that are dead within a
// span, and which a filter can take. It reads all that are in those states, where
// they are no more than most.
func (t *tx) firsts(f *emitter.Filter, died span, most int, harm func(error), states ...emitter.State) (of []numbered) {
	if some, few := t.few(f.Endpoint, died, most, states...); few {
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

// span is from when to before when dead letters died, as their keys begin; nil:
// it has no such end.
type span struct{ since, until []byte }

// few gives the deliveries that are in some states at an endpoint, or at any,
// where there is an index of those states and they are no more than most. Of
// dead ones it gives those that died within a span.
func (t *tx) few(endpoint string, died span, most int, states ...emitter.State) (all ofSome, few bool) {
	var prefix []byte
	if endpoint != "" {
		prefix = appendPart(nil, endpoint)
	}
	for _, state := range states {
		var b bucket
		within := died
		switch {
		case state == emitter.Waiting:
			b, within = bucketLanes, span{}
		case state == emitter.Dead && endpoint != "":
			b = bucketLetters
		case state == emitter.Dead:
			b = bucketDead
		default:
			return nil, false
		}
		c := t.cursor(b)
		for k, _ := c.Seek(slices.Concat(prefix, within.since)); k != nil; k, _ = c.Next() {
			at, ok := bytes.CutPrefix(k, prefix)
			if !ok || within.until != nil && bytes.Compare(at, within.until) >= 0 {
				break
			}
			if number, ok := lastNumber(k); ok {
				all = append(all, number)
			}
			if len(all) > most {
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
