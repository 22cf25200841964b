package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// maxBulk is how many watch keys one request may add and remove.
	maxBulk = 10_000
	// maxBulkBody is how many bytes it may have.
	maxBulkBody = 8 << 20
	// bulkAtOnce is how many of them are worked on at once: those share a
	// write to the disk.
	bulkAtOnce = 64
	// bulkRead is how long such a body may take.
	bulkRead = 30 * time.Second
)

// WatchOrder is what POST /api/v1/sources/{name}/watches is to do. A key in
// both lists is refused.
type WatchOrder struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// WatchResult is what came of it: each key by itself.
type WatchResult struct {
	Added   int            `json:"added"`
	Known   int            `json:"known"` // were to be added and were there
	Removed int            `json:"removed"`
	Refused []RefusedWatch `json:"refused"` // the first 100, in no order
	Failed  int            `json:"failed"`  // how many were refused
}

// RefusedWatch is a watch key that could not be added, or removed.
type RefusedWatch struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// maxRefused is how many of those are told.
const maxRefused = 100

func (h watches) bulk(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bulkRead)) // where it cannot be had, the short one holds
	allow(w, longTime)
	var order WatchOrder
	if err := readJSON(w, r, maxBulkBody, &order); err != nil {
		failed(w, err)
		return
	}
	if err := order.check(); err != nil {
		failed(w, err)
		return
	}
	if _, err := h.of.Watched(r.PathValue("name")); err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, h.work(r.Context(), r.PathValue("name"), order))
}

// check refuses too many keys, and one that is to be added and removed.
func (o *WatchOrder) check() error {
	if n := len(o.Add) + len(o.Remove); n == 0 || n > maxBulk {
		return invalid("%d keys: expected 1 to %d in add and remove", n, maxBulk)
	}
	add := make(map[string]bool, len(o.Add))
	for _, key := range o.Add {
		add[key] = true
	}
	for _, key := range o.Remove {
		if add[key] {
			return invalid("key %.100q is in both add and remove", key)
		}
	}
	return nil
}

// work does what is to be done, many keys at a time.
func (h watches) work(ctx context.Context, source string, order WatchOrder) WatchResult {
	var (
		mu     sync.Mutex
		result = WatchResult{Refused: []RefusedWatch{}}
		some   errgroup.Group
	)
	some.SetLimit(bulkAtOnce)
	note := func(key string, count *int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			*count++
			return
		}
		if result.Failed++; len(result.Refused) < maxRefused {
			result.Refused = append(result.Refused, RefusedWatch{key, err.Error()})
		}
	}
	for _, key := range order.Remove {
		some.Go(func() error {
			note(key, &result.Removed, h.of.Unwatch(ctx, source, key))
			return nil
		})
	}
	_ = some.Wait() // they make room
	for _, key := range order.Add {
		some.Go(func() error {
			added, err := h.of.Watch(ctx, source, key)
			count := &result.Known
			if added {
				count = &result.Added
			}
			note(key, count, err)
			return nil
		})
	}
	_ = some.Wait()
	return result
}

// ChangeWatches has the daemon add and remove watch keys of a source, 10,000 at
// most.
func (c *Client) ChangeWatches(ctx context.Context, source string, order WatchOrder) (result WatchResult, err error) {
	body, err := json.Marshal(order)
	if err != nil {
		return result, err
	}
	resp, err := c.send(ctx, http.MethodPost, sourcePath(source)+"/watches", bytes.NewReader(body), "Content-Type", "application/json")
	if err != nil {
		return result, err
	}
	err = c.decode(resp, &result)
	return result, err
}

// Watch has the daemon add a watch key.
func (c *Client) Watch(ctx context.Context, source, key string) error {
	return c.change(ctx, http.MethodPut, watchPath(source, key))
}

// Unwatch has it remove one that was added so.
func (c *Client) Unwatch(ctx context.Context, source, key string) error {
	return c.change(ctx, http.MethodDelete, watchPath(source, key))
}
