package poller_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// The dispatcher answers while it sleeps, and not before nor after it runs.
func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poller.New(nil, nil, nil, poller.Options{})
		beat := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return p.Beat(ctx)
		}
		if beat() == nil {
			t.Error("it answers before it runs")
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		for range 3 {
			if err := beat(); err != nil {
				t.Error(err)
			}
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if beat() == nil {
			t.Error("it answers when it has ended")
		}
	})
}
