package main

import (
	"testing"

	"github.com/deltahook/deltahook/internal/web"
)

// TestTallyBeginsWithWhatFails, and one of a thing is named as one.
func TestTallyBeginsWithWhatFails(t *testing.T) {
	by := map[web.Condition]int{web.SourceOK: 1, web.SourceFailing: 2, web.SourceDisabled: 3, web.SourceHeld: 4}
	if got, want := tally(by), "2 failing, 4 held, 3 disabled, 1 ok"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, c := range []struct {
		n         int
		one, want string
	}{{1, "delivery", "1 delivery"}, {2, "delivery", "2 deliveries"}, {0, "watch key", "0 watch keys"}} {
		if got := count(c.n, c.one); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
