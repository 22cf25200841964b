package emitter

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// lookAfter is when an outlet looks into the queue by itself, for a
	// lost hint and for a clock that was set.
	lookAfter = time.Minute

	// aheadOfSettling bounds, in multiples of the concurrency, how many
	// outcomes may wait to be settled before nothing new is sent.
	aheadOfSettling = 4
)

// outlet sends what waits for one endpoint. All of its fields belong to the
// goroutine of run; attempts and settling run beside it and report by channel.
//
//	Pending -> launch -> Send (goroutines) -> finish -> settle (goroutine) -> settled
//
// A delivery is in taken from its launch until its outcome is durable: the
// queue is told to skip it in between, for it must not be sent again.
type outlet struct {
	endpoint *Endpoint
	queue    Queue
	log      *slog.Logger
	meters   *meters

	wake     chan struct{}
	finished chan Outcome // capacity: the concurrency, so that no attempt waits here
	settled  chan error   // capacity 1
	helpers  sync.WaitGroup

	taken    map[uint64]bool
	flying   int       // attempts in flight
	ended    []Outcome // not handed to Settle yet
	settling []Outcome // handed to Settle

	look      bool      // the queue may have something
	next      time.Time // when something waiting is due; zero: nothing is known to wait
	gate      gate
	reading   trouble
	writing   trouble
	harm      harm
	reporting streak
	unmade    unmade // used by those who render
}

func newOutlet(e *Endpoint, q Queue, log *slog.Logger, m *meters) *outlet {
	return &outlet{
		endpoint: e, queue: q, log: log, meters: m,
		wake:      make(chan struct{}, 1),
		finished:  make(chan Outcome, e.concurrency),
		settled:   make(chan error, 1),
		taken:     map[uint64]bool{},
		look:      true,
		reading:   trouble{log: log, what: "read the queue"},
		writing:   trouble{log: log, what: "settle deliveries"},
		harm:      harm{log: log, gauge: m.damaged.WithLabelValues(e.name)},
		reporting: streak{log: log},
		unmade:    unmade{log: log, count: m.unmade.WithLabelValues(e.name)},
	}
}

// hint tells the outlet to look into the queue. Others may call it.
func (o *outlet) hint() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends, and then lasts until nothing is in flight and
// nothing unsettled, or until settles ends.
func (o *outlet) run(ctx, attempts, settles context.Context) {
	defer o.helpers.Wait()
	defer o.reporting.close()
	if !o.restore(ctx) {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for {
		now := time.Now()
		o.reporting.tell(now)
		o.settle(settles, now)
		if ctx.Err() == nil {
			o.dispatch(ctx, attempts, now)
		} else if len(o.taken) == 0 {
			return
		}
		// What has fallen due since now was not dispatched: it must not be
		// taken for past.
		timer.Reset(o.sleep(now) - time.Since(now))
		select {
		case out := <-o.finished:
			o.finish(attempts, out)
			o.gather(attempts)
		case err := <-o.settled:
			o.afterSettle(err)
		case <-o.wake:
			o.look = true
		case <-timer.C:
			o.look = true
		case <-stopping:
			stopping = nil
		case <-settles.Done():
			return
		}
	}
}

// restore takes up the endpoint's stored state. It is false where ctx ended
// first. A hold that a receiver asked for is kept over a restart. A pause is
// tried at once, with one delivery, for a restart may be the mended URL.
func (o *outlet) restore(ctx context.Context) bool {
	for {
		s, err := o.queue.Endpoint(ctx, o.endpoint.name)
		if ctx.Err() != nil {
			return false
		}
		now := time.Now()
		o.reading.note(now, err)
		if err == nil {
			o.gate.restore(s)
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(o.reading.until.Sub(now)):
		}
	}
}

// room is how many attempts may be started now.
func (o *outlet) room() int {
	if o.writing.bad() {
		return 0 // what is sent now could be sent again after a crash
	}
	limit := o.endpoint.concurrency
	if o.gate.paused {
		limit = 1
	}
	return min(limit-o.flying, aheadOfSettling*o.endpoint.concurrency-len(o.taken))
}

// dispatch starts attempts of what is due, if it may.
func (o *outlet) dispatch(ctx, attempts context.Context, now time.Time) {
	limit := o.endpoint.limit
	if limit == nil {
		o.start(ctx, attempts, now, o.room())
		return
	}
	for o.room() > 0 && !limit.Next(now).After(now) {
		if !o.start(ctx, attempts, now, 1) {
			return
		}
		o.look = true // there may be more
	}
}

// start starts up to room attempts of what is due, and reports whether it
// started any.
func (o *outlet) start(ctx, attempts context.Context, now time.Time, room int) bool {
	if !o.look || room <= 0 || o.gate.holds(now) || now.Before(o.reading.until) {
		return false
	}
	batch, err := o.queue.Pending(ctx, o.endpoint.name, now, room, func(number uint64) bool { return o.taken[number] })
	if ctx.Err() != nil {
		return false
	}
	o.reading.note(now, err)
	if err != nil {
		return false
	}
	o.look, o.next = false, batch.Next // where more are due, the slot that frees next looks again
	o.harm.note(batch)
	for _, d := range batch.Due {
		o.launch(attempts, now, d)
	}
	return len(batch.Due) > 0
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
	o.taken[d.Number] = true
	o.flying++
	ctx, sent := o.spend(attempts, now)
	o.helpers.Go(func() {
		a := o.endpoint.Send(ctx, d)
		sent() // where there was no connection
		o.finished <- Outcome{Delivery: d, Attempt: a}
	})
}

// gather takes in what else has ended, so that it is settled together.
func (o *outlet) gather(attempts context.Context) {
	for {
		select {
		case out := <-o.finished:
			o.finish(attempts, out)
		default:
			return
		}
	}
}

// finish judges an attempt that has ended.
func (o *outlet) finish(attempts context.Context, out Outcome) {
	o.flying--
	o.look = true
	if out.Attempt.Status == 0 && attempts.Err() != nil {
		delete(o.taken, out.Delivery.Number) // cut short by the drain: nothing was learnt
		return
	}
	now := time.Now().Round(0).UTC()
	out.Verdict = Judge(out.Attempt, o.endpoint.policy, out.Delivery.Attempts+1, now, rand.Float64())
	out.Delivery.Body = nil // it may wait for the disk, and is not needed for that
	o.gate.pass(now, &out)
	o.meters.count(o.endpoint.name, out)
	o.reporting.note(now, out)
	o.ended = append(o.ended, out)
}

// settle hands over what has ended, all at once, unless a hand-over is under
// way or the last one failed a moment ago.
func (o *outlet) settle(ctx context.Context, now time.Time) {
	if len(o.ended) == 0 || o.settling != nil || now.Before(o.writing.until) {
		return
	}
	batch := o.ended
	o.settling, o.ended = batch, nil
	o.helpers.Go(func() { o.settled <- o.queue.Settle(ctx, batch) })
}

// afterSettle drops what is durable, or keeps it for the next hand-over: an
// outcome that is known is never asked of the receiver again.
func (o *outlet) afterSettle(err error) {
	o.writing.note(time.Now(), err)
	if err != nil {
		o.ended = append(o.settling, o.ended...)
	} else {
		for _, out := range o.settling {
			delete(o.taken, out.Delivery.Number)
		}
	}
	o.settling, o.look = nil, true
}

// sleep is how long, from now, nothing but a channel needs attention.
func (o *outlet) sleep(now time.Time) time.Duration {
	wait := lookAfter
	until := func(t time.Time) {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
		}
	}
	if !o.next.IsZero() {
		until(o.next)
	}
	if o.endpoint.limit != nil && o.look && o.room() > 0 {
		until(o.endpoint.limit.Next(now))
	}
	until(o.gate.hold)
	until(o.reading.until)
	until(o.writing.until)
	return wait
}
