package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of replays.
const (
	maxReplays  = 4   // that run at once
	keptReplays = 20  // that ended and are still known
	replayBurst = 100 // deliveries that are put back in one commit, at most

	// replayGrid is how often some are put back, where the rate has more than
	// one for it.
	replayGrid = 100 * time.Millisecond
)

// ReplayRate is how fast deliveries are put back where nothing is said.
func ReplayRate() units.Rate { return units.Rate{N: 50, Per: time.Second} }

// AnyState means deliveries in every state but [Waiting] to a replay.
const AnyState State = "any"

// ErrTooManyReplays says that no further replay can be begun for now.
var ErrTooManyReplays = errors.New("too many replays run")

// ReplayOrder is what is to be told again: one event, one delivery, or all that
// the other fields say. The times are those of the events' commits.
type ReplayOrder struct {
	Event    string     `json:"event,omitempty"`    // its id: to all its endpoints, or to Endpoint
	Delivery uint64     `json:"delivery,omitempty"` // a delivery's number
	Endpoint string     `json:"endpoint,omitempty"`
	Source   string     `json:"source,omitempty"`
	Watch    string     `json:"watch,omitempty"`
	Type     string     `json:"type,omitempty"`
	Key      string     `json:"key,omitempty"`
	Since    time.Time  `json:"since,omitzero"`
	Until    time.Time  `json:"until,omitzero"`
	All      bool       `json:"all,omitempty"`     // needed where nothing of the above is set
	State    State      `json:"state,omitempty"`   // default: dead; of one event or delivery: any
	Settled  time.Time  `json:"settled,omitzero"`  // only what was settled before; default: now
	Rate     units.Rate `json:"rate,omitzero"`     // default: 50/s
	Dry      bool       `json:"dry_run,omitempty"` // count only
}

// one says whether it names what is to be told again one by one.
func (o *ReplayOrder) one() bool { return o.Event != "" || o.Delivery != 0 }

// Check says what is wrong with an order, whatever there is to tell again.
func (o *ReplayOrder) Check() error {
	bulk := o.Source != "" || o.Watch != "" || o.Type != "" || o.Key != "" || !o.Since.IsZero() || !o.Until.IsZero() || o.All
	switch {
	case o.Event != "" && o.Delivery != 0:
		return errors.New("an event and a delivery: name one of them")
	case o.one() && bulk, o.Delivery != 0 && o.Endpoint != "":
		return errors.New("a single event or delivery takes no filter; an event takes an endpoint")
	case !o.one() && !bulk && o.Endpoint == "":
		return errors.New("say what is to be told again: an event, a delivery, a filter, or all")
	case !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until):
		return errors.New("since is not before until")
	case !slices.Contains([]State{"", Dead, Delivered, Expired, StateSuperseded, AnyState}, o.State):
		return fmt.Errorf("state %q: expected dead, delivered, expired, superseded or any", o.State)
	case o.Rate.N < 0 || o.Rate.Per < 0 || o.Rate.N > 0 && o.Rate.Per/time.Duration(o.Rate.N) <= 0:
		return fmt.Errorf("rate %s is too high", o.Rate)
	}
	return nil
}

// complete is the order with what was left open.
func (o ReplayOrder) complete(now time.Time) ReplayOrder {
	if o.State == "" && o.one() {
		o.State = AnyState
	}
	o.State = cmp.Or(o.State, Dead)
	if o.Settled.IsZero() {
		o.Settled = now
	}
	if o.Rate.IsZero() {
		o.Rate = ReplayRate()
	}
	return o
}

// step is the first step of an order.
func (o *ReplayOrder) step(endpoints []string) Replay {
	r := Replay{
		Filter:   Filter{Event: o.Event, Type: o.Type, Source: o.Source, Watch: o.Watch, Key: o.Key, Since: o.Since, Until: o.Until, Endpoint: o.Endpoint},
		Delivery: o.Delivery, Settled: o.Settled, Endpoints: endpoints, Dry: o.Dry,
		Most: int(min(max(o.Rate.In(replayGrid), 1), replayBurst)),
	}
	if o.State != AnyState {
		r.State = o.State
	}
	if o.one() {
		r.Settled = time.Time{} // whatever a clock says
	}
	return r
}

// ReplayState is where a replay stands.
type ReplayState string

// The states of a replay.
const (
	ReplayRunning ReplayState = "running"
	ReplayDone    ReplayState = "done"
	ReplayStopped ReplayState = "stopped" // by a person, or by the end of the process
	ReplayFailed  ReplayState = "failed"
)

// ReplayJob is a replay as it is shown.
type ReplayJob struct {
	ID    string      `json:"id"`
	State ReplayState `json:"state"`
	Begun time.Time   `json:"begun"`
	Ended time.Time   `json:"ended,omitzero"`
	Order ReplayOrder `json:"order"` // with what was left open; run again, it goes on
	Replayed
	Error string `json:"error,omitempty"`
}

// Replays puts deliveries back, each replay at its rate, while Run runs. What a
// process put back when it ends is put back, and the rest is not: nothing of a
// replay itself is stored. Its methods may be called concurrently.
type Replays struct {
	archive Archive
	wake    func(...string)
	log     *slog.Logger

	mu        sync.Mutex
	endpoints []string        // not changed, but replaced
	ctx       context.Context //nolint:containedctx // that of Run, which all replays share; nil: it doesn't run
	last      int
	jobs      []*replay // the latest last
	runs      sync.WaitGroup
}

// replay is a job with what ends it, guarded by Replays.mu.
type replay struct {
	job   ReplayJob
	stop  context.CancelFunc
	ended chan struct{}
}

// NewReplays replays what an archive has, to the named endpoints. wake is called
// with those at which something waits anew.
func NewReplays(a Archive, endpoints []string, wake func(...string), log *slog.Logger) *Replays {
	return &Replays{archive: a, endpoints: append([]string{}, endpoints...), wake: wake, log: cmp.Or(log, slog.New(slog.DiscardHandler))}
}

// Update has replays that begin from now on go to the named endpoints. Those
// that run go on as they began.
func (m *Replays) Update(endpoints []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endpoints = append([]string{}, endpoints...)
}

// Run has replays run until ctx ends, and returns nil when all have ended.
func (m *Replays) Run(ctx context.Context) error {
	m.mu.Lock()
	m.ctx = ctx
	m.mu.Unlock()
	<-ctx.Done()
	m.mu.Lock()
	m.ctx = nil
	m.mu.Unlock()
	m.runs.Wait()
	return nil
}

// Start begins a replay. ErrTooManyReplays, an *OrderError, and ErrUnknown of
// one event or delivery say that it didn't.
func (m *Replays) Start(ctx context.Context, order ReplayOrder) (ReplayJob, error) {
	if err := order.Check(); err != nil {
		return ReplayJob{}, &OrderError{err}
	}
	m.mu.Lock()
	endpoints := m.endpoints
	m.mu.Unlock()
	if order.Endpoint != "" && !slices.Contains(endpoints, order.Endpoint) {
		return ReplayJob{}, &OrderError{fmt.Errorf("no endpoint %q is configured", order.Endpoint)}
	}
	if order.one() {
		look := order.complete(time.Now())
		look.Dry = true
		if _, err := m.archive.Replay(ctx, look.step(endpoints)); err != nil {
			return ReplayJob{}, err
		}
	}
	return m.start(order)
}

func (m *Replays) start(order ReplayOrder) (ReplayJob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	running := 0
	for _, r := range m.jobs {
		if r.job.State == ReplayRunning {
			running++
		}
	}
	switch {
	case m.ctx == nil:
		return ReplayJob{}, errors.New("starting, or ending: no replay can be begun")
	case running >= maxReplays:
		return ReplayJob{}, fmt.Errorf("%w: at most %d at once", ErrTooManyReplays, maxReplays)
	}
	m.forget(running)
	now := time.Now().UTC()
	m.last++
	ctx, stop := context.WithCancel(m.ctx)
	r := &replay{stop: stop, ended: make(chan struct{}), job: ReplayJob{
		ID: strconv.Itoa(m.last), State: ReplayRunning, Begun: now, Order: order.complete(now),
	}}
	m.jobs = append(m.jobs, r)
	step, rate := r.job.Order.step(m.endpoints), r.job.Order.Rate
	m.runs.Go(func() {
		defer stop()
		m.end(ctx, r, m.run(ctx, r, step, rate))
	})
	return r.job, nil
}

// OrderError says what is wrong with a ReplayOrder.
type OrderError struct{ Fault error }

// Error is the fault.
func (e *OrderError) Error() string { return e.Fault.Error() }

// Unwrap is the fault.
func (e *OrderError) Unwrap() error { return e.Fault }

// forget drops the oldest replays that ended, where there are many.
func (m *Replays) forget(running int) {
	for len(m.jobs)-running >= keptReplays {
		i := slices.IndexFunc(m.jobs, func(r *replay) bool { return r.job.State != ReplayRunning })
		m.jobs = slices.Delete(m.jobs, i, i+1)
	}
}

// run makes the steps of a replay, each when the rate has room for what the one
// before put back.
func (m *Replays) run(ctx context.Context, r *replay, step Replay, rate units.Rate) error {
	next := time.Now()
	for {
		done, err := m.archive.Replay(ctx, step)
		if err != nil {
			return err
		}
		m.mu.Lock()
		r.job.Add(done)
		m.mu.Unlock()
		if len(done.At) > 0 {
			m.wake(done.At...)
		}
		if done.Next == "" {
			return nil
		}
		step.Cursor = done.Next
		next = later(next, time.Now().Add(-replayGrid)).Add(rate.Per * time.Duration(len(done.Deliveries)) / time.Duration(rate.N))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// end enters how a replay ended.
func (m *Replays) end(ctx context.Context, r *replay, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.job.Ended = time.Now().UTC()
	switch {
	case err == nil:
		r.job.State = ReplayDone
	case ctx.Err() != nil:
		r.job.State = ReplayStopped
	default:
		r.job.State, r.job.Error = ReplayFailed, err.Error()
	}
	if !r.job.Order.Dry {
		m.log.Info("a replay ended", "replay", r.job.ID, "state", string(r.job.State), "replayed", r.job.Replayed.Replayed, "waiting", r.job.Waiting)
	}
	close(r.ended)
}

// Job gives a replay, at the latest when it has ended or ctx ends, whatever
// comes first. ErrUnknown: there is none of the id, or not any more.
func (m *Replays) Job(ctx context.Context, id string) (ReplayJob, error) {
	r, err := m.find(id)
	if err != nil {
		return ReplayJob{}, err
	}
	select {
	case <-r.ended:
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.job, nil
}

// Jobs gives all replays that are known, the latest first.
func (m *Replays) Jobs() []ReplayJob {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := make([]ReplayJob, 0, len(m.jobs))
	for _, r := range slices.Backward(m.jobs) {
		jobs = append(jobs, r.job)
	}
	return jobs
}

// Stop ends a replay, and gives it when it has ended. What was put back is put
// back.
func (m *Replays) Stop(ctx context.Context, id string) (ReplayJob, error) {
	r, err := m.find(id)
	if err != nil {
		return ReplayJob{}, err
	}
	r.stop()
	return m.Job(ctx, id)
}

func (m *Replays) find(id string) (*replay, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.jobs {
		if r.job.ID == id {
			return r, nil
		}
	}
	return nil, fmt.Errorf("replay %s: %w", id, ErrUnknown)
}
