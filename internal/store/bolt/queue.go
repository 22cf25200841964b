package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// maxDamaged is how many damaged deliveries one Pending steps over. Where more
// are met it fails with the error of the first: that is no store to work with.
const maxDamaged = 1_000

// Pending gives what is due at an endpoint. See emitter.Queue. Of what waits it
// reads the deliveries that it gives and one key more, and those that it skips
// or steps over.
func (s *Store) Pending(ctx context.Context, endpoint string, now time.Time, n int, skip func(uint64) bool) (emitter.Batch, error) {
	if err := ctx.Err(); err != nil {
		return emitter.Batch{}, err
	}
	var batch emitter.Batch
	err := s.view(func(t *tx) (err error) {
		batch, err = t.pending(endpoint, now, n, skip)
		return err
	})
	if err != nil {
		return emitter.Batch{}, fmt.Errorf("pending at endpoint %s: %w", endpoint, err)
	}
	return batch, nil
}

func (t *tx) pending(endpoint string, now time.Time, n int, skip func(uint64) bool) (batch emitter.Batch, err error) {
	prefix := duePrefix(endpoint)
	c := t.cursor(bucketDue)
	k, v := c.Seek(prefix)
	for ; k != nil && bytes.HasPrefix(k, prefix) && len(batch.Due) < n; k, v = c.Next() {
		due, number, err := readDue(prefix, k, v)
		if err == nil && due.After(now) {
			break
		}
		if err == nil && skip != nil && skip(number) {
			continue
		}
		var d emitter.Delivery
		if err == nil {
			d, err = t.wire(number)
		}
		switch {
		case err == nil:
			batch.Due = append(batch.Due, d)
		case !errors.Is(err, ErrDamaged) || batch.Damaged == maxDamaged:
			return emitter.Batch{}, cmp.Or(batch.Damage, err)
		default:
			batch.Damaged, batch.Damage = batch.Damaged+1, cmp.Or(batch.Damage, err)
		}
	}
	if len(batch.Due) >= n {
		// More may be due. What comes next is behind all of it.
		k, v = c.Seek(appendTime(bytes.Clone(prefix), now.Add(1)))
	}
	for ; k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if batch.Next, _, err = readDue(prefix, k, v); err == nil {
			break
		}
	}
	return batch, nil
}

func readDue(prefix, k, v []byte) (due time.Time, number uint64, err error) {
	if _, err := unseal(bucketDue, k, v); err != nil {
		return time.Time{}, 0, err
	}
	due, number, ok := cutDueKey(k[len(prefix):])
	if !ok {
		return time.Time{}, 0, damaged(bucketDue, k)
	}
	return due, number, nil
}

// wire reads a delivery as the emitter gets it.
func (t *tx) wire(number uint64) (emitter.Delivery, error) {
	d, found, err := t.delivery(number)
	if err != nil {
		return emitter.Delivery{}, err
	}
	if !found {
		return emitter.Delivery{}, missing(bucketDeliveries, numberKey(number))
	}
	e, err := t.event(d.event)
	if err != nil {
		return emitter.Delivery{}, err
	}
	body, err := t.payload(d.event, d.body)
	if err != nil {
		return emitter.Delivery{}, err
	}
	return emitter.Delivery{
		Number: number, Endpoint: d.endpoint,
		Event: d.event, Type: e.typ, Source: e.source(), Key: e.key, Revision: e.revision,
		Time: e.seen, Body: bytes.Clone(body), Created: d.since(&e), Due: d.due, Attempts: d.attempts,
	}, nil
}

// payload reads one payload of an event. It is the file's.
func (t *tx) payload(event string, index int) ([]byte, error) {
	key := bodyKey(event, index)
	v := t.get(bucketBodies, key)
	if v == nil {
		return nil, missing(bucketBodies, key)
	}
	f, err := unseal(bucketBodies, key, v)
	if err != nil {
		return nil, err
	}
	body := f.bytes()
	return body, f.end(bucketBodies, key)
}

// Endpoint is the stored state of an endpoint. See emitter.Queue.
func (s *Store) Endpoint(ctx context.Context, name string) (emitter.EndpointState, error) {
	if err := ctx.Err(); err != nil {
		return emitter.EndpointState{}, err
	}
	var e storedEndpoint
	err := s.view(func(t *tx) (err error) {
		e, err = t.readEndpoint(name)
		return err
	})
	if err != nil {
		return emitter.EndpointState{}, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return emitter.EndpointState(e), nil
}

// Backlog is how many deliveries wait at each endpoint. See emitter.Queue. An
// endpoint whose record is damaged is left out, and its error given beside the
// others.
func (s *Store) Backlog(ctx context.Context) (map[string]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	waiting := map[string]int{}
	var harm error
	err := s.view(func(t *tx) error {
		c := t.cursor(bucketEndpoints)
		for k, v := c.First(); k != nil; k, v = c.Next() {
			var e storedEndpoint
			if err := unsealJSON(bucketEndpoints, k, v, &e); err != nil {
				harm = cmp.Or(harm, err)
			} else if e.Waiting > 0 {
				waiting[string(k)] = e.Waiting
			}
		}
		return nil
	})
	if err = cmp.Or(err, harm); err != nil {
		return waiting, fmt.Errorf("backlog: %w", err)
	}
	return waiting, nil
}
