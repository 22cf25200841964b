package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	beatEvery = 5 * time.Second // after an answer the part is asked again
	beatLimit = time.Minute     // a part that did not answer for so long stands still
)

// heart knows whether the parts go on whose standing still would stop the
// rest. It does not ask whether they succeed: a full disk stops none of them,
// and a restart would not make room.
type heart struct {
	last map[string]*atomic.Pointer[time.Time]
}

// newHeart is for parts of these names; it beats when it runs.
func newHeart(r prometheus.Registerer, parts ...string) *heart {
	h := &heart{last: map[string]*atomic.Pointer[time.Time]{}}
	for _, name := range parts {
		last := &atomic.Pointer[time.Time]{}
		h.last[name] = last
		promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
			Name: "deltahook_last_beat_timestamp_seconds", ConstLabels: prometheus.Labels{"part": name},
			Help: "When the part last showed that it goes on: store, schedule, clock.",
		}, func() float64 {
			if at := last.Load(); at != nil {
				return float64(at.UnixMilli()) / 1000
			}
			return 0
		})
	}
	return h
}

// beats has what a part of a name answers by, once it goes on.
type beats map[string]func(context.Context) error

// run asks each part, by its name, until ctx ends.
func (h *heart) run(ctx context.Context, ask beats) error {
	var all sync.WaitGroup
	now := time.Now()
	for name, last := range h.last {
		last.Store(&now)
		all.Go(func() {
			tick := time.NewTicker(beatEvery)
			defer tick.Stop()
			for ask[name](ctx) == nil {
				now := time.Now()
				last.Store(&now)
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	all.Wait()
	return nil
}

// alive says which part stands still; nil: none.
func (h *heart) alive() error {
	for _, name := range slices.Sorted(maps.Keys(h.last)) {
		at := h.last[name].Load()
		if at == nil {
			continue // it does not run yet
		}
		if silent := time.Since(*at); silent > beatLimit {
			return fmt.Errorf("the %s has stood still for %s", name, silent.Round(time.Second))
		}
	}
	return nil
}
