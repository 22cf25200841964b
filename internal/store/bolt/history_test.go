package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

// history does random things to a store, ends it, upgrades and repairs it.
type history struct {
	*testing.T
	*rand.Rand
	s      *Store
	path   string
	events int
	given  []emitter.Delivery
	did    []string // the last things
	paging bool     // a list is read meanwhile
	harmed bool     // records are damaged
	log    strings.Builder
}

// Names that are prefixes of each other, or whose bytes are odd.
var (
	oddSources   = []string{"s", "ss", "s\x01", "é", "sources/s", strings.Repeat("x", 127), strings.Repeat("x", 128)}
	oddWatches   = []string{"", "", "w", "ww", "\xff"}
	oddKeys      = []string{"", "a", "b", "a\x00b", "\xff\xff"}
	oddEndpoints = []string{"x", "xx", "é"}
	someTypes    = []string{"t", "tt"}
)

func oneOf[T any](h *history, of []T) T { return of[h.IntN(len(of))] }

// TestHistories has stores live through random histories, and holds after each
// that Check is silent, that every index is what the records say, byte for byte,
// and that lists and replays give what a look at every record gives.
// DELTAHOOK_TEST_HISTORIES=1000 has so many.
func TestHistories(t *testing.T) {
	n, seed := 6, rand.Uint64()
	if long := envNumber(t, "DELTAHOOK_TEST_HISTORIES"); long > 0 {
		n = long
	}
	if old := envNumber(t, "DELTAHOOK_TEST_SEED"); old > 0 {
		n, seed = 1, uint64(old)
	}
	for i := range uint64(n) {
		synctest.Test(t, func(t *testing.T) {
			h := &history{T: t, Rand: rand.New(rand.NewPCG(seed>>1+i, 0)), path: filepath.Join(t.TempDir(), "test.db")}
			h.open()
			h.live(120)
			if err := h.s.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Fatalf("seed %d, at the end of %q", seed>>1+i, h.did)
			}
		})
	}
}

func (h *history) open() {
	h.Helper()
	s, err := Open(h.path, Options{Logger: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		h.Fatal(err)
	}
	s.db.NoSync = true
	s.step = 1 + h.IntN(5)
	h.s = s
}

// deed is one thing that can be done.
type deed struct {
	name   string
	chance int
	do     func() error
}

// do does a few things at random.
func (h *history) do() {
	deeds := h.deeds()
	if !h.harmed {
		deeds = append(deeds, h.ends()...)
	}
	if !h.harmed && !h.paging {
		deeds = append(deeds, deed{"harm", 3, h.harm}, deed{"pages", 8, h.pages})
	}
	for _, one := range deeds {
		if h.IntN(130) >= one.chance {
			continue
		}
		h.did = append(h.did[max(0, len(h.did)-20):], one.name)
		if err := one.do(); err != nil && (!h.harmed || !errors.Is(err, ErrDamaged)) {
			h.Errorf("%s: %v", one.name, err)
		}
		if h.log.Len() > 0 {
			h.Fatalf("%s: %s", one.name, &h.log)
		}
	}
}

// deeds is what is done to a store that is open.
func (h *history) deeds() []deed {
	return []deed{
		{"commit", 30, h.commit},
		{"settle", 40, h.settle},
		{"replay", 25, h.replay},
		{"sleep", 20, func() error { time.Sleep(time.Duration(h.IntN(900)) * time.Second); return nil }},
		{"sweep", 6, h.sweep},
		{"forget", 6, h.forget},
		{"rename", 6, func() error {
			err := h.s.Rename(h.Context(), oneOf(h, oddSources), oneOf(h, oddSources))
			if errors.Is(err, differ.ErrTaken) {
				return nil
			}
			return err
		}},
		{"left", 5, func() error {
			_, err := h.s.Left(h.Context(), func(string) bool { return h.IntN(3) > 0 })
			return err
		}},
		{"arrange", 5, func() error {
			return h.s.Arrange(h.Context(), oneOf(h, oddEndpoints), oneOf(h, []emitter.Order{emitter.OrderItem, emitter.OrderEndpoint, emitter.OrderNone}))
		}},
		{"hasten", 5, func() error { return h.s.Hasten(h.Context(), oneOf(h, oddEndpoints)) }},
		{"drop", 5, func() error {
			some := func(uint64) bool { return h.IntN(2) == 0 }
			_, err := h.s.Drop(h.Context(), oneOf(h, oddEndpoints), emitter.Drop{Reason: "of no use", Expired: h.IntN(2) == 0, Skip: some})
			return err
		}},
	}
}

// ends is what is done to a file between two opens of it.
func (h *history) ends() []deed {
	return []deed{
		{"reopen", 3, func() error { return h.between(func() {}) }},
		{"compact", 2, func() error {
			return h.between(func() {
				if _, _, err := Compact(context.Background(), h.path, nil); err != nil {
					h.Error(err)
				}
			})
		}},
		{"upgrade", 4, func() error { return h.between(h.upgrade) }},
		{"repair", 3, func() error { return h.between(h.repair) }},
	}
}

func (h *history) live(steps int) {
	for i := range steps {
		h.do()
		if i%8 == 7 || i == steps-1 {
			h.verify()
		}
		if h.Failed() {
			return
		}
	}
}

func (h *history) commit() error {
	unit := poller.Unit(oneOf(h, oddSources), oneOf(h, oddWatches))
	source, watch := poller.CutUnit(unit)
	c := &differ.Commit{Source: source, Watch: watch, Reset: h.IntN(10) == 0}
	for state, err := range h.s.Load(h.Context(), unit) {
		if err != nil {
			return err
		}
		c.Version = state.Version
	}
	for _, key := range oddKeys[:h.IntN(len(oddKeys))] {
		it := differ.Item{Key: key, Revision: 1 + h.Uint64N(3), Seen: time.Now()}
		if h.IntN(3) > 0 {
			it.Hash, it.Content = differ.Hash{byte(h.IntN(3) + 1)}, []byte(`1`)
			c.Before = append(c.Before, differ.Before{Item: len(c.Items), Change: differ.Updated, Hash: differ.Hash{9}, Old: []byte(`0`)})
		}
		c.Items = append(c.Items, it)
		c.Notes = append(c.Notes, differ.Note{Key: key, Name: "n", Data: []byte("x")})
	}
	for range h.IntN(4) {
		e := differ.Event{ID: h.id(), Type: oneOf(h, someTypes), Source: source, Watch: watch, Key: oneOf(h, oddKeys), Time: time.Now(), Old: []byte(`0`)}
		for _, i := range h.Perm(len(oddEndpoints))[:h.IntN(len(oddEndpoints)+1)] {
			b := differ.Body{Endpoint: oddEndpoints[i], Payload: fmt.Appendf(nil, "%d", h.IntN(2))}
			if err := h.body(unit, &e, &b); err != nil {
				return err
			}
			e.Bodies = append(e.Bodies, b)
		}
		c.Events = append(c.Events, e)
	}
	return h.s.Commit(h.Context(), c)
}

// id is that of the next event. It was given out some time before.
func (h *history) id() string {
	h.events++
	at := time.Now().Add(-time.Duration(h.IntN(120)) * time.Second)
	return fmt.Sprintf("%s-7000-8000-%012x", timeID(at), h.events)
}

func (h *history) body(unit string, e *differ.Event, b *differ.Body) error {
	switch h.IntN(5) {
	case 0:
		b.Dead = "it cannot be made"
	case 1, 2:
		b.Coalesce = true
		at := differ.Place{Key: e.Key, Type: e.Type, Endpoint: b.Endpoint}
		waits, err := h.s.Untried(h.Context(), unit, []differ.Place{at})
		if err != nil {
			return err
		}
		if first, ok := waits[at]; ok {
			b.Merged = &differ.Merged{Delivery: first.Delivery, Payload: json.RawMessage(`"merged"`)}
		}
	}
	return nil
}

func (h *history) settle() error {
	batch, err := h.s.Pending(h.Context(), oneOf(h, oddEndpoints), time.Now(), 1+h.IntN(6), nil)
	if err = errors.Join(err, batch.Damage); err != nil {
		return err
	}
	h.given = append(h.given, batch.Due...)
	var outcomes []emitter.Outcome
	for range h.IntN(8) {
		if len(h.given) == 0 {
			break
		}
		i := h.IntN(len(h.given))
		v := emitter.Verdict{State: oneOf(h, []emitter.State{emitter.Waiting, emitter.Delivered, emitter.Dead, emitter.Dead, emitter.Expired})}
		if v.State == emitter.Waiting {
			v.Due = time.Now().Add(time.Duration(h.IntN(600)-60) * time.Second)
		}
		outcomes = append(outcomes, emitter.Outcome{Delivery: h.given[i], Attempt: emitter.Attempt{At: time.Now()}, Verdict: v})
		h.given = slices.Delete(h.given, i, i+1)
	}
	return h.s.Settle(h.Context(), outcomes)
}

func (h *history) sweep() error {
	age := func() time.Duration { return time.Duration(h.IntN(4)) * time.Hour / 2 }
	_, err := h.s.Sweep(h.Context(), Retention{Events: age(), Attempts: age(), Dead: age()})
	return err
}

// forget forgets units, or begins to.
func (h *history) forget() error {
	unit := poller.Unit(oneOf(h, oddSources), oneOf(h, oddWatches))
	if h.IntN(2) == 0 {
		return h.s.Forget(h.Context(), unit, oneOf(h, oddSources))
	}
	_, _, err := h.s.forgetStep(h.Context(), []string{unit})
	return err
}

// filter is one by everything there is.
func (h *history) filter() (f emitter.Filter) {
	maybe := func(to *string, of []string) {
		if h.IntN(3) == 0 {
			*to = oneOf(h, of)
		}
	}
	maybe(&f.Source, []string{"s", "ss", "s\x01", "é", oddSources[5], oddSources[6], "none"})
	maybe(&f.Endpoint, append(oddEndpoints, "none"))
	if h.IntN(2) == 0 {
		maybe(&f.Watch, oddWatches)
		maybe(&f.Key, oddKeys)
		maybe(&f.Type, someTypes)
	}
	if h.IntN(2) == 0 {
		f.State = oneOf(h, emitter.States())
	}
	if h.IntN(3) == 0 {
		f.Since = time.Now().Add(-time.Duration(h.IntN(7200)) * time.Second)
	}
	if h.IntN(3) == 0 {
		f.Until = time.Now().Add(-time.Duration(h.IntN(7200)) * time.Second)
	}
	return f
}

// replay puts some back, and holds that it does what a dry run says.
func (h *history) replay() error {
	r := emitter.Replay{Filter: h.filter(), Most: 1 + h.IntN(3), Dry: true}
	dry, err := h.replayAll(r)
	if err != nil {
		return err
	}
	if !h.harmed {
		if diff := cmp.Diff(h.naiveReplay(&r), dry); diff != "" {
			h.Errorf("a dry replay of %+v (-want +got):\n%s", r.Filter, diff)
		}
	}
	if r.Dry = false; h.IntN(2) == 0 {
		return nil
	}
	done, err := h.replayAll(r)
	if diff := cmp.Diff(dry, done); diff != "" && !h.harmed {
		h.Errorf("a replay of %+v (-dry +done):\n%s", r.Filter, diff)
	}
	return err
}

func (h *history) replayAll(r emitter.Replay) (all emitter.Replayed, err error) {
	for range 1_000 {
		step, err := h.s.Replay(h.Context(), r)
		if all.Add(step); err != nil || step.Next == "" {
			return all, err
		}
		r.Cursor = step.Next
	}
	return all, errors.New("it does not come to an end")
}

// between ends the store, does something to its file, and begins it again.
func (h *history) between(do func()) error {
	err := h.s.Close()
	do()
	h.given = nil
	h.open()
	return err
}

// upgrade makes the file one of schema 5, and begins to upgrade it.
func (h *history) upgrade() {
	older(h, h.path)
	if h.IntN(3) == 0 {
		return
	}
	halfUpgraded(h.T, h.path, h.IntN(40), 1+h.IntN(3))
	r, err := Open(h.path, Options{ReadOnly: true})
	if err != nil {
		h.Fatal(err)
	}
	h.s = r
	h.verifyLists()
	if err := errors.Join(r.Check(h.Context()), r.Close()); err != nil {
		h.Errorf("half way: %v", err)
	}
	if h.IntN(4) == 0 {
		h.repair()
	}
}

// repair repairs what is whole: nothing is lost.
func (h *history) repair() {
	f, err := Examine(context.Background(), h.path, nil)
	if err != nil || f.Damaged() {
		h.Fatalf("examined: %+v, %v", f, err)
	}
	r, err := Repair(context.Background(), h.path, nil)
	if err != nil || len(r.Lost)+r.Revived > 0 {
		h.Fatalf("repaired: %+v, %v", r, err)
	}
	if err := os.Remove(r.Kept); err != nil {
		h.Error(err)
	}
}

// harm damages a few records, and has the store repaired.
func (h *history) harm() error {
	var all []pair
	err := h.s.each(h.Context(), func(_ *tx, b bucket, k, _ []byte) error {
		all = append(all, pair{b: b, k: slices.Clone(k)})
		return nil
	})
	before, harmed := h.read(), map[string]bool{}
	for range 1 + h.IntN(3) {
		one := oneOf(h, all)
		for _, d := range before.deliveries {
			if id, _, _ := cutPart(one.k); one.b == bucketDeliveries && string(one.k) == string(numberKey(d.Number)) || string(one.k) == d.Event.ID || id == d.Event.ID {
				harmed[d.Event.ID] = true
			}
		}
		spoil(h.T, h.s, one.b, one.k)
		h.did = append(h.did, describe(one.b, one.k))
	}
	h.harmed = true
	steps := max(0, h.IntN(30)-10)
	for range steps {
		h.do()
		f := h.filter()
		h.deliveries(f, 1+h.IntN(3), func() {})
		h.eventsOf(f, 1+h.IntN(3), func() {})
	}
	h.harmed = false
	err = errors.Join(err, h.between(func() {
		r, err := Repair(context.Background(), h.path, nil)
		if err != nil {
			h.Fatalf("repaired: %v", err)
		}
		if err := os.Remove(r.Kept); err != nil {
			h.Error(err)
		}
	}))
	if steps > 0 {
		return err
	}
	whole := func(all []emitter.DeliveryRecord) []emitter.DeliveryRecord {
		return slices.DeleteFunc(all, func(d emitter.DeliveryRecord) bool { return harmed[d.Event.ID] })
	}
	if diff := cmp.Diff(whole(before.deliveries), whole(h.read().deliveries), cmpopts.EquateEmpty()); diff != "" {
		h.Errorf("what was whole, and is repaired (-want +got):\n%s", diff)
	}
	return err
}

// TestHistoriesTogether has several live in one store at once.
func TestHistoriesTogether(t *testing.T) {
	h := &history{T: t, Rand: rand.New(rand.NewPCG(rand.Uint64(), 0)), path: filepath.Join(t.TempDir(), "test.db")}
	h.open()
	var all sync.WaitGroup
	for i := range 4 {
		one := &history{T: t, Rand: rand.New(rand.NewPCG(h.Uint64(), 0)), s: h.s, harmed: true, events: i * 100_000}
		all.Go(func() {
			for range 60 {
				for _, d := range one.deeds() {
					if d.name == "sleep" || one.IntN(130) >= d.chance {
						continue
					}
					if err := d.do(); err != nil && !errors.Is(err, differ.ErrConflict) {
						t.Errorf("%s: %v", d.name, err)
					}
				}
				one.deliveries(one.filter(), 3, func() {})
			}
		})
	}
	all.Wait()
	h.verify()
	if err := h.s.Close(); err != nil {
		t.Error(err)
	}
}
