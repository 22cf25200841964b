package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

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
		Event: d.event, Type: e.typ, Source: differ.EventSource(e.source()), Key: e.key, Revision: e.revision,
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
	return e.state(), nil
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
