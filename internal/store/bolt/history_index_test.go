package bolt

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func (h *history) verify() {
	if err := h.s.Check(h.Context()); err != nil {
		h.Error(err)
	}
	h.verifyIndexes()
	h.verifyLists()
	h.verifyMeetings()
}

// verifyIndexes makes all indexes from the records and compares them with those
// that there are.
func (h *history) verifyIndexes() {
	err := h.s.view(func(t *tx) error {
		want, err := t.allEntries()
		if err != nil {
			return err
		}
		for _, b := range []bucket{bucketBySource, bucketByEndpoint, bucketLetters, bucketDead, bucketLanes, bucketDue} {
			got := map[string][]byte{}
			c := t.cursor(b)
			for k, v := c.First(); k != nil; k, v = c.Next() {
				got[string(k)] = v
			}
			if diff := cmp.Diff(want[b], got, cmpopts.EquateEmpty()); diff != "" {
				h.Errorf("%s (-made from the records +there):\n%s", b, diff)
			}
		}
		return nil
	})
	if err != nil {
		h.Error(err)
	}
}

// allEntries makes the entries of all indexes anew.
func (t *tx) allEntries() (map[bucket]map[string][]byte, error) {
	all := map[bucket]map[string][]byte{bucketLanes: {}, bucketDue: {}, bucketDead: {}, bucketBySource: {}, bucketByEndpoint: {}, bucketLetters: {}}
	heads := map[string]bool{}
	for _, b := range []bucket{bucketEvents, bucketDeliveries} {
		c := t.cursor(b)
		for k, v := c.First(); k != nil; k, v = c.Next() {
			some, err := t.entries(nil, b, k, v)
			if err != nil {
				return nil, err
			}
			for _, p := range some {
				all[p.b][string(p.k)] = p.v
			}
			if b == bucketEvents {
				continue
			}
			number, _ := lastNumber(k)
			d, e, err := t.waiting(number)
			if err != nil {
				return nil, err
			}
			put := func(b bucket, key []byte) { all[b][string(key)] = entry(b, key) }
			switch lane := d.lane(&e, number); {
			case d.letter():
				put(bucketDead, deadKey(d.settled, number))
			case d.state == stateWaiting:
				put(bucketLanes, laneKey(lane, number))
				if !heads[string(lane)] {
					put(bucketDue, d.dueKey(&e, number))
				}
				heads[string(lane)] = true
			}
		}
	}
	return all, nil
}

// verifyMeetings goes through what indexes have in common, up and down, whatever
// index of states is short enough, and with ends in between.
func (h *history) verifyMeetings() {
	all := h.read()
	err := h.s.view(func(t *tx) error {
		for range 20 {
			f, up := h.filter(), h.IntN(2) == 0
			harm := func(err error) { h.Error(err) }
			for name, of := range map[string]func() []numbered{
				"firsts":  func() []numbered { return t.firsts(&f, span{}, h.IntN(6), harm, f.State) },
				"numbers": func() []numbered { return t.numbers(&f, harm) },
			} {
				got := t.meetAll(h, of, up)
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					h.Errorf("%s by %+q, up %t: %v", name, f, up, got)
				}
				for i, d := range all.deliveries {
					first := origin(&d)
					if name == "numbers" {
						first = d.Number
					} else if all.stored[i].after != 0 {
						continue
					}
					if f.Of(&d) && (f.Source == "" || f.Takes(d.Event)) && !slices.Contains(got, first) {
						h.Errorf("%s by %+q, up %t, lack %d: %v", name, f, up, first, got)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		h.Error(err)
	}
}

// meetAll gives all numbers, the least first.
func (t *tx) meetAll(h *history, of func() []numbered, up bool) (all []uint64) {
	n := uint64(0)
	if !up {
		n = 1 << 40
	}
	m := meeting{of: of(), up: up}
	for {
		if h.IntN(3) == 0 {
			m = meeting{of: of(), up: up, skimmed: maxSkimmed - 3 - h.IntN(5)}
		}
		at, found, more := m.next(n)
		if more {
			m = meeting{of: of(), up: up}
			if n = at; h.IntN(2) == 0 {
				m.skimmed = maxSkimmed - 3 - h.IntN(5)
			}
			continue
		}
		if !found {
			break
		}
		all = append(all, at)
		if n, found = m.beyond(at); !found {
			break
		}
	}
	if !up {
		slices.Reverse(all)
	}
	return all
}
