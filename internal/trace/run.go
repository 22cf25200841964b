package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A batch that the collector cannot take now is tried so often.
const (
	mostTries   = 5
	firstWait   = time.Second      // doubled after each try
	longestWait = 30 * time.Second // also where the collector asks for more
	mostAnswer  = 64 << 10         // bytes that are read of its answer
)

// Run sends what has ended until ctx ends, and then, for 5 s at most, what
// waits. It is called once, returns nil always, and may be called on nil.
func (t *Tracer) Run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	sending, give := context.WithCancel(context.WithoutCancel(ctx))
	defer give()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(flushFor, give) })()
	defer t.client.CloseIdleConnections()
	var o outage
	tick := time.NewTicker(gatherFor)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-t.full:
		case <-ctx.Done():
		}
		t.send(ctx, sending, &o)
	}
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.send(ctx, sending, &o)
	return nil
}

// send sends all that waits.
func (t *Tracer) send(ctx, sending context.Context, o *outage) {
	for batch := t.batch(); len(batch) > 0; batch = t.batch() {
		lost, err := t.deliver(ctx, sending, batch)
		t.metrics.sent.Add(float64(len(batch) - lost.n))
		if lost.n > 0 {
			t.metrics.dropped(lost.reason, lost.n)
		}
		t.note(o, lost.n, err)
	}
}

// loss is how many spans of a batch were dropped, and why.
type loss struct {
	n      int
	reason string
}

// deliver tries a batch until it is taken, refused, or was tried often enough;
// when ctx has ended, once.
func (t *Tracer) deliver(ctx, sending context.Context, batch []*Span) (loss, error) {
	body, err := t.encode(batch)
	if err != nil {
		return loss{len(batch), droppedRefused}, err
	}
	wait := firstWait
	for try := 1; ; try++ {
		refused, err := t.post(sending, body)
		later, isLater := errors.AsType[*later](err)
		switch {
		case err == nil:
			return loss{}, nil
		case !isLater:
			return loss{min(max(refused, 0), len(batch)), droppedRefused}, err
		case try == mostTries || ctx.Err() != nil:
			return loss{len(batch), droppedFailed}, err
		}
		select {
		case <-time.After(min(max(wait, later.after), longestWait)):
		case <-ctx.Done():
		}
		wait *= 2
	}
}

// later is why a batch may be taken another time.
type later struct {
	error
	after time.Duration // as the collector asks; 0: it doesn't
}

// everything is how many spans are refused with a whole batch.
const everything = mostInBatch

// post makes one request. Where the error is no *later, it is about so many
// spans that the collector refused.
func (t *Tracer) post(ctx context.Context, body []byte) (refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return everything, errors.New("the request could not be made")
	}
	r.Header = t.header.Clone()
	answer, err := t.client.Do(r)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // without the URL
		}
		return 0, &later{error: err}
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	switch answer.StatusCode {
	case http.StatusOK:
		return partly(said)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return 0, &later{fmt.Errorf("status %s", answer.Status), time.Duration(max(0, min(seconds, 3600))) * time.Second}
	default:
		return everything, fmt.Errorf("status %s", answer.Status)
	}
}

// partly reads the answer to a request that was taken: which may not have been
// so for all spans.
func partly(said []byte) (refused int, err error) {
	var answer struct {
		Partial struct {
			Rejected json.Number `json:"rejectedSpans"` // a string, but some send a number
		} `json:"partialSuccess"`
	}
	_ = json.Unmarshal(said, &answer)
	n, _ := strconv.Atoi(answer.Partial.Rejected.String())
	if n <= 0 {
		return 0, nil
	}
	return n, fmt.Errorf("%d spans of a batch were refused", n)
}

// outage is a time in which the collector does not take all.
type outage struct {
	is   bool
	lost int
}

// note logs the beginning of an outage, and its end.
func (t *Tracer) note(o *outage, lost int, err error) {
	switch {
	case err != nil && !o.is:
		t.log.Warn("traces are not taken by the collector: they are dropped until they are; nothing else is affected", "err", err)
	case err == nil && o.is:
		t.log.Info("traces are taken by the collector again", "dropped", o.lost)
	}
	if o.is = err != nil; !o.is {
		o.lost = 0
		return
	}
	o.lost += lost
}
