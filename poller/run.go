package poller

import (
	"container/heap"
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/internal/trace"
)

const (
	// tick is the grid on which due polls are started: a wake-up costs more
	// than a poll, and one for every 20 ms instead of for every poll saves two
	// thirds of the processor time at 500 polls a second.
	tick = 20 * time.Millisecond

	// longestSleep is after what time the wall clock is looked at though
	// nothing is due: it may have been set.
	longestSleep = time.Minute

	defaultConcurrency = 256
	defaultDrain       = 10 * time.Second
)

// Options are the poller's. The zero value is all defaults.
type Options struct {
	// Polls that run at once; those that are due beyond it wait in line,
	// first come, first served. 0: 256.
	Concurrency int
	// How long polls that run may go on when Run's context has ended. 0: 10s.
	Drain time.Duration
	// Where failure streaks are told. nil: nowhere.
	Logger *slog.Logger
	// Where metrics are registered; at most one Poller each. nil: nowhere.
	Metrics prometheus.Registerer
	// What is used of limits, by their names, as Ledger has it stored; and
	// where it is stored from now on. nil: it is known to this process only.
	Usage  map[string]budget.Usage
	Ledger Ledger
	// Where watch keys that come and go at run time are stored. nil: they
	// are known to this process only.
	Watches Watches
	// Who is told how sources fare. nil: nobody.
	Witness Witness
	// Who is told of each poll, and of its requests, as spans. nil: nobody.
	Tracer *trace.Tracer
}

// Poller polls sources on their schedules. Make it with New.
type Poller struct {
	roll        atomic.Pointer[roll] // the sources that there are
	watches     Watches
	witness     Witness
	tracer      *trace.Tracer
	sink        Sink
	log         *slog.Logger
	metrics     *metrics
	ledger      Ledger
	concurrency int
	drain       time.Duration

	handed chan *job     // to idle workers; never more than there are
	wake   chan struct{} // capacity 1: something is due sooner than was thought
	owing  chan struct{} // capacity 1: a limit has something to be stored
	beat   chan struct{} // taken by the dispatcher, once each time round

	// watching is held by who changes watch keys, or the roll.
	watching sync.Mutex

	books context.Context // of what runs beside the polls; nil: Run was not called
	book  sync.WaitGroup  // for it

	mu      sync.Mutex
	running bool                    // the jobs are planned
	limits  map[string]*gate        // of the limits that sources name
	used    map[string]budget.Usage // of other limits, as far as it is known
	unsaved map[string]bool         // of these, what is to be stored yet
	queue   queue                   // waiting for their time
	ready   []*gate                 // where polls are due and may start, waiting for a worker
	later   agenda                  // where they are due and may start at a time
	busy    int                     // workers that have a job
	workers int                     // workers there are
	asleep  time.Time               // when the dispatcher wakes by itself
	ended   bool                    // no more polls
}

// New makes a poller of sources, each with the marks that are stored of it
// under its name, and of its watch keys, by unit. Disabled sources are left out. Nothing runs yet.
func New(sources []*Source, marks map[string]Bookmarks, sink Sink, o Options) *Poller {
	p := &Poller{
		sink:        sink,
		log:         o.Logger,
		metrics:     newMetrics(o.Metrics),
		concurrency: o.Concurrency,
		drain:       o.Drain,
		wake:        make(chan struct{}, 1),
		owing:       make(chan struct{}, 1),
		limits:      map[string]*gate{},
		used:        map[string]budget.Usage{},
		unsaved:     map[string]bool{},
		beat:        make(chan struct{}),
		ledger:      o.Ledger,
		watches:     o.Watches,
		witness:     o.Witness,
		tracer:      o.Tracer,
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.concurrency <= 0 {
		p.concurrency = defaultConcurrency
	}
	if p.drain <= 0 {
		p.drain = defaultDrain
	}
	p.handed = make(chan *job, p.concurrency)
	maps.Copy(p.used, o.Usage)
	stored := keysOf(marks)
	var members []*member
	for _, s := range sources {
		members = append(members, p.enlist(s, marks[s.name], stored[s.name]))
	}
	p.roll.Store(newRoll(members))
	p.metrics.sources.Set(float64(p.roll.Load().polled()))
	enterGates(members, nil)
	p.openLimits(members, time.Now())
	if o.Metrics != nil {
		o.Metrics.MustRegister(limitMetrics{p})
	}
	return p
}

// Run polls until ctx ends. Then no poll starts any more; those that run may
// go on for Options.Drain and are cut off after it. It returns nil when the
// last of them has ended. It may be called once.
func (p *Poller) Run(ctx context.Context) error {
	polls, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	books, shut := context.WithCancel(polls)
	p.plan(books, time.Now())

	var workers sync.WaitGroup
	if p.ledger != nil {
		p.book.Go(func() { p.keep(books) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		spawn, sleep := p.dispatch(time.Now())
		for range spawn {
			workers.Go(func() { p.work(polls) })
		}
		timer.Reset(sleep)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-p.beat:
		case <-timer.C:
		}
	}
	p.end()
	late := time.AfterFunc(p.drain, cut)
	defer late.Stop()
	workers.Wait()
	shut()
	p.book.Wait()
	return nil
}

// dispatch brings what is due to its gates, and hands what may start to
// workers, as many as there may be. It gives how many workers to start, and
// for how long nothing is due.
func (p *Poller) dispatch(now time.Time) (spawn int, sleep time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && !p.queue[0].due.After(now) {
		p.admit(heap.Pop(&p.queue).(*job), now)
	}
	for p.busy < p.concurrency {
		j := p.start(now)
		if j == nil {
			break
		}
		p.busy++
		p.handed <- j // never blocks: its capacity is the number of workers
	}
	spawn = max(0, p.busy-p.workers)
	p.workers += spawn
	p.asleep = now.Add(longestSleep)
	if len(p.queue) > 0 {
		p.asleep = sooner(p.asleep, ontoTick(p.queue[0].due))
	}
	if len(p.later) > 0 && p.busy < p.concurrency { // otherwise who ends looks for it
		p.asleep = sooner(p.asleep, ontoTick(p.later[0].at))
	}
	return spawn, p.asleep.Sub(now)
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// ontoTick is the first tick that is not before t.
func ontoTick(t time.Time) time.Time {
	if on := t.Truncate(tick); on.Before(t) {
		return on.Add(tick)
	}
	return t
}

// work polls until the poller ends.
func (p *Poller) work(ctx context.Context) {
	for j := range p.handed {
		for j != nil {
			p.poll(ctx, j)
			j = p.next(j)
		}
	}
}

// next puts a job that was polled back into the queue and gives the worker the
// one that may start, or nil.
func (p *Poller) next(done *job) *job {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	done.polling = false
	if done.marks.Failures == 0 {
		done.rush = false
	}
	if done.soon && done.marks.Failures == 0 {
		if first := done.fan.first(done, now); first.Before(done.due) {
			done.due = first
		}
	}
	switch {
	case done.over:
		p.failingEnds(done)
	case done.halt == nil:
		heap.Push(&p.queue, done)
	}
	done.halt.ends()
	p.leave(done.gate, now)
	var j *job
	if !p.ended {
		j = p.start(now)
	}
	if j == nil {
		p.busy--
	}
	p.rouse(done)
	return j
}

// rouse wakes the dispatcher where it would sleep longer than until a job is
// due, or a gate's time has come.
func (p *Poller) rouse(j *job) {
	soonest := ontoTick(j.due)
	if len(p.later) > 0 {
		soonest = sooner(soonest, ontoTick(p.later[0].at))
	}
	if soonest.Before(p.asleep) {
		p.awaken()
	}
}

// awaken wakes the dispatcher; it never blocks.
func (p *Poller) awaken() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// end sends the workers home, each when its poll has ended.
func (p *Poller) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for len(p.handed) > 0 {
		select {
		case j := <-p.handed: // taken back: no worker has begun it
			j.polling = false
			j.halt.ends()
		default:
		}
	}
	close(p.handed)
}
