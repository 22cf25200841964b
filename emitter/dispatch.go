package emitter

import (
	"context"
	"net/http/httptrace"
	"time"
)

const (
	// aheadOfSettling bounds, in multiples of the concurrency, how many
	// deliveries may be in hand: started ahead, in flight, or not settled yet.
	// All of them may have been sent.
	aheadOfSettling = 32

	// aheadOfSending is how many, in multiples of the concurrency, are started
	// ahead where much waits, so that nobody who sends waits for the queue. It
	// is asked for aheadAtOnce of them at least: a search costs about as much
	// as reading three.
	aheadOfSending = 4
	aheadAtOnce    = 2
	recallEvery    = 10 * time.Millisecond

	// What has ended while there is more to send is settled together: as soon
	// as settleTogether times the concurrency has, and settleWait after the
	// first that did at the latest. A transaction costs about as much as ten
	// attempts.
	settleTogether = 16
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
	limit, each := 1, 1
	switch {
	case o.hurries():
		limit, each = (1+aheadOfSending)*o.endpoint.concurrency, aheadAtOnce*o.endpoint.concurrency
	case o.gate.Pause == "" && !o.slow():
		limit = o.endpoint.concurrency
	}
	if o.more && limit-o.flying < each {
		return 0 // the queue is asked for several at a time
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
		o.recall()
	}
	o.employ(ctx, attempts)
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
// sending. Then some are started ahead: whose attempt arrived goes on with one
// of those, and asks nobody.
func (o *outlet) hurries() bool {
	return o.endpoint.limit == nil && o.gate.Pause == "" && !o.slow() && !o.dropping && !o.writing.bad()
}

// recall takes back what was started ahead: something else may be due now, or
// nothing may be sent.
func (o *outlet) recall() {
	o.more = false
	for {
		select {
		case d := <-o.ahead:
			delete(o.taken, d.Number)
			o.flying--
			o.look = true
		default:
			return
		}
	}
}

// recallLater has what was started ahead taken back for a hint, but every
// recallEvery at most: where much is committed and much waits, all would be read
// again for each commit.
func (o *outlet) recallLater() {
	switch wait := time.Until(o.recalled.Add(recallEvery)); {
	case wait <= 0:
		o.recallNow()
	case o.again == nil:
		o.again = time.After(wait)
	}
}

func (o *outlet) recallNow() {
	o.recalled, o.again = time.Now(), nil
	o.recall()
}

// start starts up to room attempts of what is due. It is false where the queue
// can't be read.
func (o *outlet) start(ctx, attempts context.Context, now time.Time, room int) bool {
	batch, err := o.find(ctx, now, room)
	if ctx.Err() != nil {
		return false
	}
	o.reading.note(now, err)
	if err != nil {
		return false
	}
	o.next = batch.Next
	o.harm.note(batch)
	o.more, o.expiring = len(batch.Due) >= room && o.hurries(), false
	for i := range batch.Due {
		d := &batch.Due[i]
		switch old := o.endpoint.outdates(d, now); {
		case old && o.gate.Pause != "":
			o.expireAll(ctx, now)
		case old:
			o.expire(now, *d)
			o.expiring = true
		case room > 0:
			o.launch(ctx, attempts, now, *d)
			room--
		}
	}
	// With a rate, room is less than there are slots.
	o.look = o.expiring || len(batch.Due) > 0 && o.endpoint.limit != nil
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

// launch has a delivery sent: at once, or ahead.
func (o *outlet) launch(ctx, attempts context.Context, now time.Time, d Delivery) {
	o.taken[d.Number] = true
	o.flying++
	if o.workers == o.endpoint.concurrency {
		o.ahead <- d
		return
	}
	o.work(ctx, attempts, now, d)
}

// employ has somebody send what was started ahead of attempts that did not
// arrive, or that ended before it was.
func (o *outlet) employ(ctx, attempts context.Context) {
	for o.workers < o.endpoint.concurrency {
		select {
		case d := <-o.ahead:
			o.work(ctx, attempts, time.Now(), d)
		default:
			return
		}
	}
}

// work sends a delivery and, as long as they arrive and ctx lasts, those that
// were started ahead.
func (o *outlet) work(ctx, attempts context.Context, now time.Time, d Delivery) {
	o.workers++
	o.last = now
	attempts, sent := o.spend(attempts, now)
	o.helpers.Go(func() {
		for last := false; !last; {
			tried := landed{Outcome: Outcome{Delivery: d, Attempt: o.endpoint.Send(attempts, d)}, last: true}
			sent() // where there was no connection
			if tried.Attempt.plain() && ctx.Err() == nil {
				select {
				case d = <-o.ahead:
					tried.last = false
				default:
				}
			}
			last = tried.last
			o.finished <- tried
		}
	})
}

// landed is an attempt that has ended.
type landed struct {
	Outcome
	last bool // who made it makes no other one
}
