package bolt

import (
	stdcmp "cmp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deltahook/deltahook/emitter"
)

// origin is the first delivery of its event to the endpoint.
func origin(d *emitter.DeliveryRecord) uint64 { return stdcmp.Or(d.ReplayOf, d.Number) }

// told is all that a store tells, read record by record.
type told struct {
	events     []emitter.EventRecord // with their last deliveries
	firsts     map[string]uint64
	deliveries []emitter.DeliveryRecord
	stored     []storedDelivery
}

func (h *history) read() (all told) {
	err := h.s.view(func(t *tx) error {
		all.firsts = map[string]uint64{}
		last := map[string][]emitter.DeliveryRecord{}
		c := t.cursor(bucketDeliveries)
		for k, v := c.First(); k != nil; k, v = c.Next() {
			d, err := readDelivery(k, v)
			if err != nil {
				return err
			}
			number, _ := lastNumber(k)
			e, err := readEvent([]byte(d.event), t.bucket(bucketEvents).Get([]byte(d.event)))
			if err != nil {
				return err
			}
			shown, event := d.shown(number, &e), e.shown(d.event)
			if d.after == 0 {
				last[d.event] = append(last[d.event], shown)
			}
			shown.Event = &event
			all.deliveries, all.stored = append(all.deliveries, shown), append(all.stored, d)
		}
		c = t.cursor(bucketEvents)
		for k, v := c.First(); k != nil; k, v = c.Next() {
			e, err := readEvent(k, v)
			if err != nil {
				return err
			}
			event := e.shown(string(k))
			event.Deliveries = last[event.ID]
			slices.SortFunc(event.Deliveries, func(a, b emitter.DeliveryRecord) int { // as the event was told
				return int(origin(&a)) - int(origin(&b))
			})
			all.events, all.firsts[event.ID] = append(all.events, event), e.first
		}
		return nil
	})
	if err != nil {
		h.Error(err)
	}
	return all
}

// inBounds is what the bounds of time of a list mean.
func inBounds(f *emitter.Filter, d *emitter.DeliveryRecord) bool {
	if f.State == emitter.Dead {
		return f.Sees(d.Settled)
	}
	return f.Sees(d.Queued)
}

func (h *history) verifyLists() {
	all := h.read()
	for range 12 {
		f, size := h.filter(), 1+h.IntN(6)
		want := slices.DeleteFunc(slices.Clone(all.deliveries), func(d emitter.DeliveryRecord) bool {
			return !f.Of(&d) || !f.Takes(d.Event) || !inBounds(&f, &d)
		})
		slices.SortFunc(want, func(a, b emitter.DeliveryRecord) int {
			if f.State == emitter.Dead && !a.Settled.Equal(b.Settled) {
				return b.Settled.Compare(a.Settled)
			}
			return int(b.Number) - int(a.Number)
		})
		if diff := cmp.Diff(want, h.deliveries(f, size, func() {}), cmpopts.EquateEmpty()); diff != "" {
			h.Errorf("deliveries by %+q, %s to %s (-want +got):\n%s", f, f.Since, f.Until, diff)
		}
		events := slices.DeleteFunc(slices.Clone(all.events), func(e emitter.EventRecord) bool {
			return !f.Takes(&e) || !f.Sees(e.Created) || (f.Endpoint != "" || f.State != "") && !slices.ContainsFunc(e.Deliveries, func(d emitter.DeliveryRecord) bool { return f.Of(&d) })
		})
		got := h.eventsOf(f, size, func() {})
		if byNumber := f.Endpoint != "" || f.State == emitter.Waiting || f.State == emitter.Dead || f.Source != ""; byNumber && h.s.refusing == nil &&
			!slices.IsSortedFunc(got, func(a, b emitter.EventRecord) int { return int(all.firsts[b.ID]) - int(all.firsts[a.ID]) }) {
			h.Errorf("events by %+q are not in order", f)
		}
		byID := func(a, b emitter.EventRecord) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(events, byID)
		slices.SortFunc(got, byID)
		if diff := cmp.Diff(events, got, cmpopts.EquateEmpty()); diff != "" {
			h.Errorf("events by %+q, %s to %s (-want +got):\n%s", f, f.Since, f.Until, diff)
		}
	}
}

// deliveries is a whole list, page by page; between two of them something happens.
func (h *history) deliveries(f emitter.Filter, size int, between func()) (all []emitter.DeliveryRecord) {
	for p := (emitter.Page{Limit: size}); ; between() {
		page, err := h.s.Deliveries(h.Context(), f, p)
		if err != nil || !h.harmed && page.Damaged > 0 || len(page.Deliveries) > size || len(all) > 10_000 {
			h.Errorf("deliveries by %+q: %+v, %v", f, page.Rest, err)
			return all
		}
		all = append(all, page.Deliveries...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return all
		}
	}
}

func (h *history) eventsOf(f emitter.Filter, size int, between func()) (all []emitter.EventRecord) {
	for p := (emitter.Page{Limit: size}); ; between() {
		page, err := h.s.Events(h.Context(), f, p)
		if err != nil || !h.harmed && page.Damaged > 0 || len(page.Events) > size || len(all) > 10_000 {
			h.Errorf("events by %+q: %+v, %v", f, page.Rest, err)
			return all
		}
		all = append(all, page.Events...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return all
		}
	}
}

// naiveReplay counts what a replay would put back.
func (h *history) naiveReplay(r *emitter.Replay) (n emitter.Replayed) {
	all := h.read()
	for i, d := range all.deliveries {
		at := d.Event.Created
		if r.State == emitter.Dead {
			at = d.Settled
		}
		if dead := r.State == emitter.Dead && !(r.Since.IsZero() && r.Until.IsZero()); dead && d.State != emitter.Dead {
			continue
		}
		if d.ReplayedBy != 0 || !r.Takes(d.Event) || !r.Sees(at) || r.Endpoint != "" && d.Endpoint != r.Endpoint {
			continue
		}
		switch {
		case d.State == emitter.Waiting:
			n.Waiting++
		case r.State != "" && r.State != d.State:
		case r.Covers(d.State):
			n.Superseded++
		case all.stored[i].unmade:
			n.Unsendable++
		default:
			n.Replayed++
		}
	}
	return n
}

// pages reads lists page by page while other things happen: what was there all
// the time is given, and nothing twice.
func (h *history) pages() error {
	h.paging = true
	defer func() { h.paging = false }()
	f, size := h.filter(), 1+h.IntN(3)
	numbers := func() (of []uint64) {
		for _, d := range h.read().deliveries {
			if f.Of(&d) && f.Takes(d.Event) && inBounds(&f, &d) {
				of = append(of, d.Number)
			}
		}
		return of
	}
	var got []uint64
	before := numbers()
	for _, d := range h.deliveries(f, size, h.do) {
		got = append(got, d.Number)
	}
	compareAll(h, "deliveries", f, before, numbers(), got)
	f.State = ""
	ids := func() (of []string) {
		for _, e := range h.read().events {
			if f.Takes(&e) && f.Sees(e.Created) && (f.Endpoint == "" || slices.ContainsFunc(e.Deliveries, func(d emitter.DeliveryRecord) bool { return f.Of(&d) })) {
				of = append(of, e.ID)
			}
		}
		return of
	}
	var told []string
	were := ids()
	for _, e := range h.eventsOf(f, size, h.do) {
		told = append(told, e.ID)
	}
	compareAll(h, "events", f, were, ids(), told)
	return nil
}

func compareAll[T stdcmp.Ordered](h *history, what string, f emitter.Filter, before, after, got []T) {
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != len(got) {
		h.Errorf("%s by %+q are given twice: %v", what, f, got)
	}
	for _, one := range before {
		if slices.Contains(after, one) && !slices.Contains(got, one) {
			h.Errorf("%s by %+q lack %v, which was there all the time", what, f, one)
		}
	}
}
