package emitter

import (
	"context"
	"net/http/httptrace"
	"time"
)

const (
	// aheadOfSettling bounds, in multiples of the concurrency, how many
	// outcomes may wait to be settled before nothing new is sent.
	aheadOfSettling = 8

	// What has ended while there is more to send is settled together: as soon
	// as settleTogether times the concurrency has, and settleWait after the
	// first that did at the latest. A transaction costs about as much as ten
	// attempts.
	settleTogether = 4
	settleWait     = 5 * time.Millisecond

	// After slowAfter attempts in a row that did not arrive one is made at a
	// time, slowly, until one arrives: what can't be taken is not to be
	// pushed, nor are all that wait to lose their attempts.
	slowAfter = 10
	slowWait  = 100 * time.Millisecond // from one attempt's start to the next

	// expireAtOnce is how many deliveries are looked at where the last ones
	// were older than ttl.
	expireAtOnce = 64
)

// room is how many attempts may be started now.
func (o *outlet) room() int {
	if o.writing.bad() || o.dropping {
		return 0 // what is sent now could be sent again after a crash
	}
	limit := o.endpoint.concurrency
	if o.gate.Pause != "" || o.slow() {
		limit = 1
	}
	return min(limit-o.flying, aheadOfSettling*o.endpoint.concurrency-len(o.taken))
}

func (o *outlet) slow() bool { return o.gate.Failed >= slowAfter }

// free is when an attempt may be started, for all that the endpoint's rate and
// its failures say.
func (o *outlet) free(now time.Time) (at time.Time) {
	if o.slow() {
		at = o.last.Add(slowWait)
	}
	if o.endpoint.limit != nil {
		if next := o.endpoint.limit.Next(now); next.After(at) {
			at = next
		}
	}
	return at
}

// dispatch starts attempts of what is due, if it may.
func (o *outlet) dispatch(ctx, attempts context.Context, now time.Time) {
	if o.gate.holds(now) || !o.hurries() {
		o.forget()
	}
	for o.look && !o.gate.holds(now) && !now.Before(o.reading.until) && !now.Before(o.aging.until) {
		room := o.room()
		if o.endpoint.limit != nil {
			room = min(room, 1)
		}
		if room <= 0 || o.free(now).After(now) || !o.start(ctx, attempts, now, room) {
			return
		}
	}
}

// hurries says whether nothing but what is in flight keeps the outlet from
// sending: then it reads ahead.
func (o *outlet) hurries() bool {
	return o.endpoint.limit == nil && o.gate.Pause == "" && !o.slow() && !o.dropping
}

// forget drops what was read ahead: what is due may be something else now.
func (o *outlet) forget() { o.ready, o.ahead = nil, 0 }

// start starts up to room attempts of what is due. It is false where the queue
// can't be read.
func (o *outlet) start(ctx, attempts context.Context, now time.Time, room int) bool {
	read := len(o.ready) == 0
	if read && !o.read(ctx, now, room) {
		return false
	}
	found := len(o.ready) > 0
	o.expiring = false
	for len(o.ready) > 0 {
		d := &o.ready[0]
		switch old := o.endpoint.outdates(d, now); {
		case old && o.gate.Pause != "":
			o.expireAll(ctx, now)
		case old:
			o.expire(now, *d)
			o.expiring = true
		case room > 0:
			o.launch(attempts, now, *d)
			room--
		default: // the slot that frees next goes on
			o.look = false
			return true
		}
		*d = Delivery{}
		o.ready = o.ready[1:]
	}
	// With a rate, room is less than there are slots. What was read ahead may
	// have been less than there is room for.
	o.look = o.expiring || found && o.endpoint.limit != nil || !read && room > 0
	return true
}

// read asks the queue for what is due: for so many as there is room for and, as
// long as it has so many and nothing new comes, for ever more of what follows,
// up to the concurrency.
func (o *outlet) read(ctx context.Context, now time.Time, room int) bool {
	want := room
	if o.hurries() {
		want += o.ahead
	}
	batch, err := o.find(ctx, now, want)
	if ctx.Err() != nil {
		return false
	}
	o.reading.note(now, err)
	if err != nil {
		return false
	}
	o.ready, o.next = batch.Due, batch.Next
	o.harm.note(batch)
	if o.ahead = 0; len(batch.Due) >= want {
		o.ahead = min(2*want, o.endpoint.concurrency)
	}
	return true
}

// find asks the queue for what is due: of an endpoint that is paused for its
// oldest delivery, whenever that is due.
func (o *outlet) find(ctx context.Context, now time.Time, want int) (batch Batch, err error) {
	skip := func(number uint64) bool { return o.taken[number] }
	if o.gate.Pause != "" {
		d, found, err := o.queue.Oldest(ctx, o.endpoint.name, skip)
		if found {
			batch.Due = []Delivery{d}
		}
		return batch, err
	}
	if o.expiring {
		want = max(want, expireAtOnce) // most likely what follows has expired, too
	}
	return o.queue.Pending(ctx, o.endpoint.name, now, want, skip)
}

// spend takes one attempt of the endpoint's rate, which dispatch found to be
// there. What it gives is the context of the attempt and what is called when
// it has ended. It counts from when there is a connection: connecting may take
// long.
func (o *outlet) spend(ctx context.Context, now time.Time) (context.Context, func()) {
	limit := o.endpoint.limit
	if limit == nil {
		return ctx, func() {}
	}
	grant, _ := limit.Take(now)
	sent := func() { limit.Sent(grant, time.Now()) }
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent() }}), sent
}

func (o *outlet) launch(attempts context.Context, now time.Time, d Delivery) {
	o.taken[d.Number], o.last = true, now
	o.flying++
	ctx, sent := o.spend(attempts, now)
	o.helpers.Go(func() {
		a := o.endpoint.Send(ctx, d)
		sent() // where there was no connection
		o.finished <- Outcome{Delivery: d, Attempt: a}
	})
}
