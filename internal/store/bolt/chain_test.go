package bolt

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// TestRepairedChain damages one of a delivery and its two replays. The others
// still belong together: the last is what its event and replays know, and goes
// with the event.
func TestRepairedChain(t *testing.T) {
	for _, waits := range []bool{true, false} {
		for i := range 3 {
			t.Run(fmt.Sprintf("%d, waits %t", i, waits), func(t *testing.T) {
				s := openTemp(t)
				tell(t, s, 0, "a")
				settleAll(t, s, "other", map[string]emitter.State{"a": emitter.Delivered})
				for range 2 {
					dieAll(t, s, "hook", "a")
					replay(t, s, emitter.Replay{Delivery: 1}, 1)
				}
				if !waits {
					dieAll(t, s, "hook", "a")
				}
				chain := []uint64{1, 3, 4}
				spoil(t, s, bucketDeliveries, numberKey(chain[i]))
				path := copyFixture(t, s.db.Path())
				r, err := Repair(t.Context(), path, nil)
				if err != nil {
					t.Fatal(err)
				}
				fixed, err := Open(path, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer fixed.Close()
				all, err := fixed.Deliveries(t.Context(), emitter.Filter{Endpoint: "hook"}, emitter.Page{})
				e, err2 := fixed.Event(t.Context(), "e0a")
				if err := errors.Join(err, err2); err != nil {
					t.Fatal(err)
				}
				if len(e.Deliveries) != 2 || len(all.Deliveries) == 0 || e.Deliveries[0].Number != all.Deliveries[0].Number || e.Deliveries[0].State != all.Deliveries[0].State {
					t.Errorf("%+v\nthe event has %+v, the list %+v", r, e.Deliveries, all.Deliveries)
				}
				if _, err := fixed.Drop(t.Context(), "hook", emitter.Drop{Reason: "of no use"}); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * time.Millisecond)
				if _, err := fixed.Sweep(t.Context(), Retention{Events: time.Millisecond, Dead: time.Millisecond}); err != nil {
					t.Error(err)
				}
				if err := fixed.Check(t.Context()); err != nil {
					t.Error(err)
				}
				if left := count(t, fixed); left[bucketDeliveries]+left[bucketEvents]+left[bucketBySource]+left[bucketByEndpoint] > 0 {
					t.Errorf("left are %v", left)
				}
			})
		}
	}
}
