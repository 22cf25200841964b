package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A part that does not answer for a minute is named, and no more when it goes
// on. One that answers late, but within it, is alive.
func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeart(prometheus.NewRegistry(), "store", "clock")
		if err := h.alive(); err != nil {
			t.Errorf("before it runs: %v", err)
		}
		stuck := make(chan struct{})
		asked := 0
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- h.run(ctx, map[string]func(context.Context) error{
				"store": func(ctx context.Context) error {
					if asked++; asked < 10 {
						return nil
					}
					select {
					case <-stuck:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				},
				"clock": func(ctx context.Context) error { return ctx.Err() },
			})
		}()
		time.Sleep(100 * time.Second) // asked at 0, 5, …; from 45 on it is stuck
		synctest.Wait()
		if err := h.alive(); err != nil {
			t.Errorf("60 s after the last answer: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := h.alive(); err == nil || err.Error() != "the store has stood still for 1m2s" {
			t.Errorf("62 s after the last answer: %v", err)
		}
		close(stuck)
		synctest.Wait()
		if err := h.alive(); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
