package emitter

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// lookAfter is when an outlet looks into the queue by itself, for a lost hint
// and for a clock that was set.
const lookAfter = time.Minute

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

	before <-chan struct{} // closed when the outlet has ended whose place this one takes; nil: there was none
	begun  bool            // guarded by Emitter.mu, as quit: run was called, or will be
	quit   func()          // ends run

	wake     chan struct{}
	asked    chan func(context.Context, *outlet) // what a person wants
	gone     chan struct{}                       // closed when run has ended
	ahead    chan Delivery                       // what is started ahead; capacity: as many as there can be
	finished chan landed                         // capacity: as many as are started, so that no attempt waits here
	settled  chan error                          // capacity 1
	helped   chan func()                         // what a helper brings home, called by run; capacity: as many as there can be
	helpers  sync.WaitGroup

	taken    map[uint64]bool
	flying   int              // attempts that were started, some of them ahead
	workers  int              // who make them
	ended    []Outcome        // not handed to Settle yet
	settling []Outcome        // handed to Settle
	spare    []Outcome        // what was handed to Settle before, to be used again
	patience <-chan time.Time // when ended is settled at the latest; nil: at once
	recalled time.Time        // when what was started ahead was last taken back for a hint
	again    <-chan time.Time // when it will be, for later hints; nil: there was none
	saving   bool             // Settle or SetHealth is under way

	look      bool      // the queue may have something
	more      bool      // the queue had as many as it was asked for
	next      time.Time // when something waiting is due; zero: nothing is known to wait
	last      time.Time // when the last attempt was started, of those that did not follow one that arrived
	expiring  bool      // the last look found what is older than ttl
	dropping  bool      // for a person or for their age: nothing new is sent meanwhile
	hastening bool
	gate      gate
	stored    Health       // what is durable of the gate, or being stored
	unsure    bool         // what is durable is not known
	waiters   []chan error // told when the gate is durable
	news      news
	reading   trouble
	writing   trouble
	hurrying  trouble
	aging     trouble
	harm      harm
	reporting streak
	unmade    unmade // used by those who render
}

func newOutlet(e *Endpoint, q Queue, log *slog.Logger, m *meters, tell func(context.Context, HealthChange)) *outlet {
	return &outlet{
		endpoint: e, queue: q, log: log, meters: m, quit: func() {},
		wake:      make(chan struct{}, 1),
		asked:     make(chan func(context.Context, *outlet)),
		gone:      make(chan struct{}),
		ahead:     make(chan Delivery, aheadOfSending*e.concurrency),
		finished:  make(chan landed, (1+aheadOfSending)*e.concurrency),
		settled:   make(chan error, 1),
		helped:    make(chan func(), 3),
		taken:     map[uint64]bool{},
		look:      true,
		gate:      gate{pauseAfter: e.pauseAfter},
		news:      news{endpoint: e.name, queue: q, log: log, tell: tell},
		reading:   trouble{log: log, what: "read the queue"},
		writing:   trouble{log: log, what: "settle deliveries"},
		hurrying:  trouble{log: log, what: "make deliveries due"},
		aging:     trouble{log: log, what: "expire deliveries"},
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
		now := time.Now()
		o.reporting.tell(now)
		o.gate.look(now, rand.Float64())
		o.settle(settles, now)
		if ctx.Err() == nil {
			o.hasten(ctx, now)
			o.dispatch(ctx, attempts, now)
			o.settle(settles, now) // what has expired
		} else if o.recall(); len(o.taken) == 0 && !o.saving && !o.dirty() {
			return
		}
		o.news.send(attempts, o)
		// What has fallen due since now was not dispatched: it must not be
		// taken for past.
		timer.Reset(o.sleep(now) - time.Since(now))
		select {
		case tried := <-o.finished:
			o.finish(attempts, tried)
			o.gather(attempts)
		case err := <-o.settled:
			o.afterSettle(err)
		case <-o.patience:
			o.patience = nil
		case do := <-o.helped:
			do()
		case do := <-o.asked:
			o.recall()
			do(ctx, o)
		case <-o.wake:
			o.look = true
			o.recallLater()
		case <-o.again:
			o.look = true
			o.recallNow()
		case <-timer.C:
			o.look = true
			o.recall()
		case <-stopping:
			stopping = nil
		case <-settles.Done():
			return
		}
	}
}

// wall is a time as it is stored.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

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
			o.reporting.restore(now, &s.Health)
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
	until(o.aging.until)
	return wait
}
