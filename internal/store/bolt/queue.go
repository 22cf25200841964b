package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Pending gives what is due at an endpoint. See emitter.Queue. It reads the
// deliveries that it gives and one key more, whatever waits.
func (s *Store) Pending(ctx context.Context, endpoint string, now time.Time, n int) (emitter.Batch, error) {
	if err := ctx.Err(); err != nil {
		return emitter.Batch{}, err
	}
	var batch emitter.Batch
	err := s.view(func(t *tx) (err error) {
		batch, err = t.pending(endpoint, now, n)
		return err
	})
	if err != nil {
		return emitter.Batch{}, fmt.Errorf("pending at endpoint %s: %w", endpoint, err)
	}
	return batch, nil
}

func (t *tx) pending(endpoint string, now time.Time, n int) (batch emitter.Batch, err error) {
	prefix := duePrefix(endpoint)
	c := t.cursor(bucketDue)
	k, v := c.Seek(prefix)
	for ; k != nil && bytes.HasPrefix(k, prefix) && len(batch.Due) < n; k, v = c.Next() {
		due, number, err := readDue(prefix, k, v)
		if err != nil {
			return batch, err
		}
		if due.After(now) {
			break
		}
		d, err := t.wire(number)
		if err != nil {
			return batch, err
		}
		batch.Due = append(batch.Due, d)
	}
	if len(batch.Due) >= n {
		// More may be due. What comes next is behind all of it.
		k, v = c.Seek(appendTime(bytes.Clone(prefix), now.Add(1)))
	}
	if k != nil && bytes.HasPrefix(k, prefix) {
		batch.Next, _, err = readDue(prefix, k, v)
	}
	return batch, err
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
		Body: bytes.Clone(body), Created: e.created, Due: d.due, Attempts: d.attempts,
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
