package emitter

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

const (
	// lookAfter is when an outlet looks into the queue by itself, for a
	// lost hint and for a clock that was set.
	lookAfter = time.Minute

	// aheadOfSettling bounds, in multiples of the concurrency, how many
	// outcomes may wait to be settled before nothing new is sent.
	aheadOfSettling = 4

	// After slowAfter attempts in a row that did not arrive one is made at a
	// time, slowly, until one arrives: what can't be taken is not to be
	// pushed, nor are all that wait to lose their attempts.
	slowAfter = 10
	slowWait  = 100 * time.Millisecond // from one attempt's start to the next

	// expireAtOnce is how many deliveries are looked at where the last ones
	// were older than ttl.
	expireAtOnce = 64
)

// outlet sends what waits for one endpoint. All of its fields belong to the
// goroutine of run; attempts, settling and the like run beside it and report
// by channel.
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
	asked    chan func(context.Context, *outlet) // what a person wants
	gone     chan struct{}                       // closed when run has ended
	finished chan Outcome                        // capacity: the concurrency, so that no attempt waits here
	settled  chan error                          // capacity 1
	helped   chan func()                         // what a helper brings home, called by run; capacity: as many as there can be
	helpers  sync.WaitGroup

	taken    map[uint64]bool
	flying   int       // attempts in flight
	ended    []Outcome // not handed to Settle yet
	settling []Outcome // handed to Settle
	saving   bool      // Settle or SetHealth is under way

	look      bool      // the queue may have something
	next      time.Time // when something waiting is due; zero: nothing is known to wait
	last      time.Time // when the last attempt was started
	expiring  bool      // the last look found what is older than ttl
	dropping  bool      // for a person: nothing new is sent meanwhile
	hastening bool
	gate      gate
	stored    Health       // what is durable of the gate, or being stored
	unsure    bool         // what is durable is not known
	waiters   []chan error // told when the gate is durable
	news      news
	reading   trouble
	writing   trouble
	hurrying  trouble
	harm      harm
	reporting streak
	unmade    unmade // used by those who render
}

func newOutlet(e *Endpoint, q Queue, log *slog.Logger, m *meters, tell func(context.Context, HealthChange)) *outlet {
	return &outlet{
		endpoint: e, queue: q, log: log, meters: m,
		wake:      make(chan struct{}, 1),
		asked:     make(chan func(context.Context, *outlet)),
		gone:      make(chan struct{}),
		finished:  make(chan Outcome, e.concurrency),
		settled:   make(chan error, 1),
		helped:    make(chan func(), 3),
		taken:     map[uint64]bool{},
		look:      true,
		gate:      gate{pauseAfter: e.pauseAfter},
		news:      news{endpoint: e.name, queue: q, log: log, tell: tell},
		reading:   trouble{log: log, what: "read the queue"},
		writing:   trouble{log: log, what: "settle deliveries"},
		hurrying:  trouble{log: log, what: "make deliveries due"},
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
	defer close(o.gone)
	defer o.helpers.Wait()
	defer o.reporting.close()
	if !o.restore(ctx) {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for {
		now := wall()
		o.reporting.tell(now)
		o.gate.look(now, rand.Float64())
		o.settle(settles, now)
		if ctx.Err() == nil {
			o.hasten(ctx, now)
			o.dispatch(ctx, attempts, now)
			o.settle(settles, now) // what has expired
		} else if len(o.taken) == 0 && !o.saving && !o.dirty() {
			return
		}
		o.news.send(attempts, o)
		// What has fallen due since now was not dispatched: it must not be
		// taken for past.
		timer.Reset(o.sleep(now) - time.Since(now))
		select {
		case out := <-o.finished:
			o.finish(attempts, out)
			o.gather(attempts)
		case err := <-o.settled:
			o.afterSettle(err)
		case do := <-o.helped:
			do()
		case do := <-o.asked:
			do(ctx, o)
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

// wall is the time as it is stored.
func wall() time.Time { return time.Now().Round(0).UTC() }

// restore takes up the endpoint's stored state, and has what waits stand in
// the order of the configuration. It is false where ctx ended first.
func (o *outlet) restore(ctx context.Context) bool {
	for {
		s, err := o.queue.Endpoint(ctx, o.endpoint.name)
		if err == nil {
			err = o.queue.Arrange(ctx, o.endpoint.name, o.endpoint.order)
		}
		if ctx.Err() != nil {
			return false
		}
		now := time.Now()
		o.reading.note(now, err)
		if err == nil {
			o.stored = s.Health
			o.gate.restore(s.Health)
			if limit := o.endpoint.limit; limit != nil {
				limit.Begin(now, s.Last)
			}
			o.news.begin(s.Health)
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
	for o.look && !o.gate.holds(now) && !now.Before(o.reading.until) {
		room := o.room()
		if o.endpoint.limit != nil {
			room = min(room, 1)
		}
		if room <= 0 || o.free(now).After(now) || !o.start(ctx, attempts, now, room) {
			return
		}
	}
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
	o.look, o.next, o.expiring = false, batch.Next, false
	o.harm.note(batch)
	for _, d := range batch.Due {
		switch {
		case o.endpoint.outdates(&d, now):
			o.expire(now, d)
			o.expiring = true
		case room > 0:
			o.launch(attempts, now, d)
			room--
		}
	}
	// Where more are due than there was room for, the slot that frees next
	// looks again. With a rate, room is less than there are slots.
	o.look = o.expiring || o.endpoint.limit != nil && len(batch.Due) > 0
	return true
}

// find asks the queue for what is due: of an endpoint that is paused for its
// oldest delivery, whenever that is due.
func (o *outlet) find(ctx context.Context, now time.Time, room int) (batch Batch, err error) {
	skip := func(number uint64) bool { return o.taken[number] }
	if o.gate.Pause != "" {
		d, found, err := o.queue.Oldest(ctx, o.endpoint.name, skip)
		if found {
			batch.Due = []Delivery{d}
		}
		return batch, err
	}
	if o.expiring {
		room = max(room, expireAtOnce) // most likely what follows has expired, too
	}
	return o.queue.Pending(ctx, o.endpoint.name, now, room, skip)
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
	now := wall()
	policy := o.endpoint.policy
	policy.Endless = o.gate.Pause != "" // a probe costs no event its last attempt
	out.Verdict = Judge(out.Attempt, policy, out.Delivery.Attempts+1, now, rand.Float64())
	out.Delivery.Body = nil // it may wait for the disk, and is not needed for that
	o.gate.pass(now, &out.Attempt, &out.Verdict, rand.Float64())
	o.meters.count(o.endpoint.name, out)
	o.reporting.note(now, out)
	o.ended = append(o.ended, out)
}

// expire ends a delivery that is too old to be sent.
func (o *outlet) expire(now time.Time, d Delivery) {
	o.taken[d.Number] = true
	why := "older than ttl (" + units.Duration(o.endpoint.ttl).String() + ") when its turn came"
	d.Body = nil
	o.ended = append(o.ended, Outcome{
		Delivery: d, Attempt: Attempt{At: now, Error: ErrorExpired, Reason: why}, Verdict: Verdict{State: Expired, Reason: why},
	})
	o.meters.expired.WithLabelValues(o.endpoint.name).Inc()
	o.reporting.expired++
}

// dirty says whether the gate is to be stored.
func (o *outlet) dirty() bool { return o.unsure || o.gate.Health != o.stored }

// settle hands over what has ended, all at once, and what changed of the gate,
// unless a hand-over is under way or the last one failed a moment ago.
func (o *outlet) settle(ctx context.Context, now time.Time) {
	if o.saving || now.Before(o.writing.until) {
		return
	}
	batch, health, waiters := o.ended, o.gate.Health, o.waiters
	o.waiters = nil
	done := func(err error) error {
		for _, w := range waiters {
			w <- err
		}
		return err
	}
	save := func() error { return o.queue.SetHealth(ctx, o.endpoint.name, health) }
	switch {
	case len(batch) == 0 && !o.dirty():
		_ = done(nil)
		return
	case len(batch) > 0:
		if o.dirty() {
			batch[len(batch)-1].Health = &health
		}
		save = func() error { return o.queue.Settle(ctx, batch) }
	}
	o.saving, o.settling, o.ended = true, batch, nil
	o.stored, o.unsure = health, false
	o.helpers.Go(func() { o.settled <- done(save()) })
}

// afterSettle drops what is durable, or keeps it for the next hand-over: an
// outcome that is known is never asked of the receiver again.
func (o *outlet) afterSettle(err error) {
	o.writing.note(wall(), err)
	o.saving = false
	if err != nil {
		o.ended = append(o.settling, o.ended...)
		o.unsure = true
	} else {
		for _, out := range o.settling {
			delete(o.taken, out.Delivery.Number)
		}
		o.news.note(o.stored)
	}
	o.settling, o.look = nil, true
}

// hasten makes due what waits for a time, if it is to be.
func (o *outlet) hasten(ctx context.Context, now time.Time) {
	if !o.gate.Hasten || o.hastening || now.Before(o.hurrying.until) {
		return
	}
	o.hastening = true
	o.helpers.Go(func() {
		err := o.queue.Hasten(ctx, o.endpoint.name)
		o.helped <- func() {
			o.hastening, o.look = false, true
			if ctx.Err() == nil {
				o.hurrying.note(wall(), err)
			}
			if err == nil {
				o.gate.Hasten = false
			}
		}
	})
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
	if o.look && o.room() > 0 {
		until(o.free(now))
	}
	until(o.gate.Hold)
	until(o.gate.next())
	until(o.reading.until)
	until(o.writing.until)
	until(o.hurrying.until)
	return wait
}
