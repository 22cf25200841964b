package bolt

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// countdown is a context that ends after it was asked so often whether it has.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestArrangeInterrupted stops at each step on the way to another order: what
// is there is whole at each, and the next call, for that or another order,
// finishes it.
func TestArrangeInterrupted(t *testing.T) {
	s := openTemp(t)
	for version := range uint64(4) {
		c := &differ.Commit{Source: "shop", Version: version}
		for i := range walkStep {
			c.Events = append(c.Events, differ.Event{
				ID: fmt.Sprintf("e%d-%04d", version, i), Key: fmt.Sprint(i),
				Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("x")}},
			})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	due := func() int {
		batch, err := s.Pending(t.Context(), "hook", time.Now(), 5*walkStep, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(batch.Due)
	}
	from, want := emitter.OrderItem, map[emitter.Order]int{emitter.OrderItem: walkStep, emitter.OrderEndpoint: 1, emitter.OrderNone: 4 * walkStep}
	for _, to := range []emitter.Order{emitter.OrderEndpoint, emitter.OrderNone, emitter.OrderItem, emitter.OrderNone} {
		stops := 0
		for after := 1; ; after++ {
			left := after
			err := s.Arrange(countdown{t.Context(), &left}, "hook", to)
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("to %s, stopped after %d: %v", to, after, err)
			}
			if stops++; after%2 == 0 { // and back again
				if err := s.Arrange(t.Context(), "hook", from); err != nil || due() != want[from] {
					t.Fatalf("back to %s: %d due, %v", from, due(), err)
				}
			}
		}
		if n := due(); n != want[to] || stops < 3 {
			t.Errorf("in order %s %d are due, want %d, after %d stops", to, n, want[to], stops)
		}
		from = to
	}
}
