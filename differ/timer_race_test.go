package differ_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// Timers, answers, bookmarks, decisions, removals of watch keys and a store that
// fails all meet: no time is told twice, none of the last answers is left out.
func TestTimersBesideAllElse(t *testing.T) {
	settings := reminders(differ.RuleSettings{When: "new.more != 1"})
	settings.Changes.MaxEvents = 3
	settings.Changes.ExpectWithin = units.Duration(20 * time.Millisecond)
	source, err := differ.NewSource("s", settings, listed, []string{"shop"})
	if err != nil {
		t.Fatal(err)
	}
	store := &ledger{Store: mem.New()}
	d := differ.New([]*differ.Source{source}, store, renderer{}, differ.Options{Alerts: []string{"ops"}})
	if _, err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run, work sync.WaitGroup
	run.Go(func() { _ = d.Run(ctx) })
	end := time.Now().Add(700 * time.Millisecond)
	for n := range 8 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 3))
			key := fmt.Sprint("k", n)
			for turn := 0; time.Now().Before(end); turn++ {
				switch op := rng.IntN(10); {
				case op < 6:
					_ = d.Take(ctx, remindersOf(key, rng)) // the store may fail
				case op == 6:
					d.Keep(poller.Unit("s", key), poller.Bookmarks{Next: time.Now().Add(time.Hour * time.Duration(turn))})
				case op == 7:
					if err := d.Decide(ctx, "s", key, differ.Released); err != nil && !errors.Is(err, differ.ErrNoHold) {
						t.Error(err)
					}
				case op == 8 && n < 2:
					_ = d.Forget(ctx, "s", key)
				case op == 9 && n == 7:
					store.fail(nil, errors.New("lost"))
					time.Sleep(time.Millisecond)
					store.fail(nil, nil)
				}
				time.Sleep(time.Duration(rng.IntN(4)) * time.Millisecond)
			}
		})
	}
	work.Wait()
	for n := range 8 {
		key := fmt.Sprint("k", n)
		end := remindersOf(key, nil)
		for range 2 { // a hold is released
			if err := d.Take(ctx, end); err != nil {
				t.Fatal(err)
			}
			_ = d.Decide(ctx, "s", key, differ.Released)
		}
	}
	deadline := time.Now().Add(time.Minute) // a unit whose store failed waits for two seconds at most
	told, last := map[string]int{}, map[string]bool{}
	for ; len(last) < 8 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		clear(told)
		for _, e := range store.told() {
			if e.Type != "soon" {
				continue
			}
			told[e.Watch+" "+e.Key+" "+string(e.New)]++
			if e.Key == "last" {
				last[e.Watch] = true
			}
		}
	}
	cancel()
	run.Wait()
	if len(last) < 8 {
		t.Errorf("only of %v it is told what came last", last)
	}
	for what, n := range told {
		if n > 1 && !strings.HasPrefix(what, "k0") && !strings.HasPrefix(what, "k1") { // those two were forgotten now and then
			t.Errorf("%s is told %d times", what, n)
		}
	}
}

// remindersOf is an answer with random times that are near; nil: the last one.
func remindersOf(key string, rng *rand.Rand) *poller.Answer {
	now := time.Now()
	var items []string
	add := func(id string, more, millis int) {
		at := now.Add(time.Duration(millis) * time.Millisecond).Format(time.RFC3339Nano)
		items = append(items, fmt.Sprintf(`{"id":%q,"start":%q,"more":%d}`, id, at, more))
	}
	if rng == nil {
		add("last", 0, 20)
	} else {
		for i := range rng.IntN(6) {
			add(fmt.Sprint(i), rng.IntN(2), rng.IntN(20)-5)
		}
	}
	body := `{"items":[` + strings.Join(items, ",") + `]}`
	return &poller.Answer{Source: "s", Keys: []string{key}, Status: 200, Pages: [][]byte{[]byte(body)}, Received: now}
}
