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

// ErrTooManyReplays says that no further replay can be begun for now.
var ErrTooManyReplays = errors.New("too many replays run")

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
	Gone  int    `json:"gone,omitempty"` // of several that were named, those that are not there any more
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
		return ReplayJob{}, &OrderError{fmt.Errorf("no endpoint is called %q", order.Endpoint)}
	}
	order.Deliveries = slices.Clone(order.Deliveries)
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
	steps, rate := r.job.Order.steps(m.endpoints), r.job.Order.Rate
	m.runs.Go(func() {
		defer stop()
		m.end(ctx, r, m.run(ctx, r, steps, rate))
	})
	return r.job, nil
}

// forget drops the oldest replays that ended, where there are many.
func (m *Replays) forget(running int) {
	for len(m.jobs)-running >= keptReplays {
		i := slices.IndexFunc(m.jobs, func(r *replay) bool { return r.job.State != ReplayRunning })
		m.jobs = slices.Delete(m.jobs, i, i+1)
	}
}

// run makes the steps of a replay, each when the rate has room for what the one
// before put back.
func (m *Replays) run(ctx context.Context, r *replay, steps []Replay, rate units.Rate) error {
	next, several := time.Now(), len(steps) > 1
	for len(steps) > 0 {
		done, err := m.archive.Replay(ctx, steps[0])
		gone := several && errors.Is(err, ErrUnknown)
		if err != nil && !gone {
			return err
		}
		m.mu.Lock()
		r.job.Add(done)
		if gone {
			r.job.Gone++
		}
		m.mu.Unlock()
		if len(done.At) > 0 {
			m.wake(done.At...)
		}
		if steps[0].Cursor = done.Next; done.Next == "" {
			steps = steps[1:]
		}
		next = later(next, time.Now().Add(-replayGrid)).Add(rate.Per * time.Duration(len(done.Deliveries)) / time.Duration(rate.N))
		if len(steps) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
	}
	return nil
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
