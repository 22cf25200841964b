package emitter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/units"
)

// letters is an Archive of n dead letters, and knows nothing else.
type letters struct {
	emitter.Archive
	n int

	mu    sync.Mutex
	steps []emitter.Replay
	put   []time.Time // one for each that was put back
	fails error
}

func (l *letters) Replay(_ context.Context, r emitter.Replay) (done emitter.Replayed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Event == "unknown" || r.Delivery == 404 {
		return done, fmt.Errorf("event %s: %w", r.Event, emitter.ErrUnknown)
	}
	if r.Dry {
		return emitter.Replayed{Replayed: l.n}, nil
	}
	l.steps = append(l.steps, r)
	at, _ := strconv.Atoi(r.Cursor)
	for ; at < l.n && len(done.Deliveries) < r.Most; at++ {
		done.Deliveries = append(done.Deliveries, uint64(at))
		l.put = append(l.put, time.Now())
	}
	done.Replayed, done.At = len(done.Deliveries), []string{"hook"}
	if at < l.n {
		done.Next = strconv.Itoa(at)
	}
	return done, l.fails
}

// replaying runs Replays of an archive in a bubble.
func replaying(t *testing.T, l *letters, test func(*testing.T, *emitter.Replays)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var woken atomic.Int64
		m := emitter.NewReplays(l, []string{"hook", "chat"}, func(names ...string) { woken.Add(int64(len(names))) }, nil)
		if _, err := m.Start(t.Context(), emitter.ReplayOrder{All: true}); err == nil {
			t.Error("a replay began before Run")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		synctest.Wait()
		test(t, m)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if woken.Load() != int64(len(l.steps)) && l.fails == nil {
			t.Errorf("the emitter was woken %d times for %d steps", woken.Load(), len(l.steps))
		}
	})
}

func begin(t *testing.T, m *emitter.Replays, o emitter.ReplayOrder) emitter.ReplayJob {
	t.Helper()
	job, err := m.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestReplayKeepsItsRate(t *testing.T) {
	for rate, steps := range map[units.Rate]int{{}: 40, {N: 10, Per: time.Second}: 200, {N: 6, Per: time.Minute}: 200, {N: 10_000, Per: time.Second}: 2} {
		l := &letters{n: 200}
		replaying(t, l, func(t *testing.T, m *emitter.Replays) {
			began := time.Now()
			job := begin(t, m, emitter.ReplayOrder{Endpoint: "hook", Rate: rate})
			job, err := m.Job(t.Context(), job.ID)
			if err != nil || job.State != emitter.ReplayDone || job.Replayed.Replayed != 200 || len(l.put) != 200 {
				t.Errorf("%s: %+v, %v", rate, job, err)
			}
			want := job.Order.Rate
			for i, at := range l.put {
				// Those of one commit come together: a grid's worth of them.
				if most := want.In(at.Sub(began)) + max(want.In(100*time.Millisecond), 1) + 1e-6; float64(i+1) > most {
					t.Fatalf("%s: %d were put back after %s", rate, i+1, at.Sub(began))
				}
			}
			took, ideal := time.Since(began), time.Duration(float64(200)/want.In(time.Second)*float64(time.Second))
			if took > ideal+time.Second {
				t.Errorf("%s: it took %s", rate, took)
			}
		})
		if len(l.steps) != steps {
			t.Errorf("%s: %d steps, want %d", rate, len(l.steps), steps)
		}
	}
}

func TestReplayOrder(t *testing.T) {
	l := &letters{n: 1}
	replaying(t, l, func(t *testing.T, m *emitter.Replays) {
		now := time.Now()
		job := begin(t, m, emitter.ReplayOrder{Source: "s", Type: "t", Key: "k", Watch: "w", Since: now.Add(-time.Hour), Until: now})
		if _, err := m.Job(t.Context(), job.ID); err != nil {
			t.Fatal(err)
		}
		step := l.steps[0]
		want := emitter.Filter{Source: "s", Type: "t", Key: "k", Watch: "w", Since: now.Add(-time.Hour), Until: now, State: emitter.Dead}
		if step.Filter != want || !step.Settled.Equal(now) || !slices.Equal(step.Endpoints, []string{"hook", "chat"}) || step.Most != 5 {
			t.Errorf("a step is %+v", step)
		}
		job = begin(t, m, emitter.ReplayOrder{Event: "e", Endpoint: "chat"})
		if _, err := m.Job(t.Context(), job.ID); err != nil {
			t.Fatal(err)
		}
		if step := l.steps[1]; step.Filter != (emitter.Filter{Event: "e", Endpoint: "chat"}) || !step.Settled.IsZero() {
			t.Errorf("a step of one event is %+v", step)
		}
		// What the job shows can be ordered again.
		var again emitter.ReplayOrder
		text, err := json.Marshal(m.Jobs()[0].Order)
		if err == nil {
			err = json.Unmarshal(text, &again)
		}
		if err != nil || again.Check() != nil || again.Event != "e" || again.State != emitter.AnyState {
			t.Errorf("%s is %+v, %v", text, again, err)
		}

		for _, c := range []struct {
			order emitter.ReplayOrder
			want  string
		}{
			{emitter.ReplayOrder{}, "say what"},
			{emitter.ReplayOrder{Rate: units.Rate{N: 1, Per: time.Second}}, "say what"},
			{emitter.ReplayOrder{Event: "e", Delivery: 1}, "name one"},
			{emitter.ReplayOrder{Delivery: 1, Deliveries: []uint64{2}}, "name one"},
			{emitter.ReplayOrder{Deliveries: []uint64{1, 2}, Source: "s"}, "no filter"},
			{emitter.ReplayOrder{Deliveries: []uint64{1, 2}, Endpoint: "hook"}, "no filter"},
			{emitter.ReplayOrder{Deliveries: []uint64{1, 0}}, "not the number"},
			{emitter.ReplayOrder{Deliveries: make([]uint64, emitter.MaxNamed+1)}, "at most 500"},
			{emitter.ReplayOrder{Event: "e", Source: "s"}, "no filter"},
			{emitter.ReplayOrder{Delivery: 1, Endpoint: "hook"}, "no filter"},
			{emitter.ReplayOrder{Endpoint: "nobody"}, "no endpoint"},
			{emitter.ReplayOrder{All: true, State: emitter.Waiting}, "expected dead"},
			{emitter.ReplayOrder{Since: now, Until: now}, "not before"},
			{emitter.ReplayOrder{All: true, Rate: units.Rate{N: 2_000_000_000, Per: time.Second}}, "too high"},
		} {
			_, err := m.Start(t.Context(), c.order)
			if _, faulty := errors.AsType[*emitter.OrderError](err); !faulty || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.order, err, c.want)
			}
		}
		if _, err := m.Start(t.Context(), emitter.ReplayOrder{Event: "unknown"}); !errors.Is(err, emitter.ErrUnknown) {
			t.Errorf("an unknown event: %v", err)
		}
	})
}

// Several that are named are one replay, at its rate, each of them once.
func TestReplayOfSeveral(t *testing.T) {
	l := &letters{n: 1}
	replaying(t, l, func(t *testing.T, m *emitter.Replays) {
		named := []uint64{9, 404, 7, 9, 8}
		job, began := begin(t, m, emitter.ReplayOrder{Deliveries: named, State: emitter.Dead}), time.Now()
		job, err := m.Job(t.Context(), job.ID)
		if err != nil || job.State != emitter.ReplayDone || job.Replayed.Replayed != 3 || job.Gone != 1 {
			t.Errorf("%+v, %v", job, err)
		}
		if took, want := time.Since(began), 60*time.Millisecond; took != want {
			t.Errorf("three took %s, want %s at 50/s", took, want)
		}
		for i, step := range l.steps {
			if want := []uint64{7, 8, 9}[i]; step.Delivery != want || step.State != emitter.Dead || !step.Settled.IsZero() {
				t.Errorf("step %d is %+v, want one of delivery %d", i, step, want)
			}
		}
		if !slices.Equal(named, []uint64{9, 404, 7, 9, 8}) {
			t.Errorf("the order of who asked was changed: %v", named)
		}
		l.fails = errors.New("the disk is gone")
		job = begin(t, m, emitter.ReplayOrder{Deliveries: []uint64{1, 2}})
		if job, err := m.Job(t.Context(), job.ID); err != nil || job.State != emitter.ReplayFailed || job.Order.State != emitter.AnyState {
			t.Errorf("%+v, %v", job, err)
		}
	})
}

func TestReplayStops(t *testing.T) {
	l := &letters{n: 1_000}
	replaying(t, l, func(t *testing.T, m *emitter.Replays) {
		job := begin(t, m, emitter.ReplayOrder{All: true})
		time.Sleep(time.Second)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if job, err := m.Job(soon, job.ID); err != nil || job.State != emitter.ReplayRunning || job.Replayed.Replayed < 90 || job.Replayed.Replayed > 110 {
			t.Errorf("after two seconds: %+v, %v", job, err)
		}
		job, err := m.Stop(t.Context(), job.ID)
		if err != nil || job.State != emitter.ReplayStopped || job.Ended.IsZero() {
			t.Errorf("stopped: %+v, %v", job, err)
		}
		put := len(l.put)
		time.Sleep(time.Minute)
		if len(l.put) != put {
			t.Errorf("%d more were put back", len(l.put)-put)
		}
		if _, err := m.Stop(t.Context(), "9"); !errors.Is(err, emitter.ErrUnknown) {
			t.Errorf("an unknown one: %v", err)
		}
		// This one ends with the process.
		begin(t, m, emitter.ReplayOrder{All: true})
	})
	l = &letters{n: 1_000, fails: errors.New("the disk is gone")}
	replaying(t, l, func(t *testing.T, m *emitter.Replays) {
		job := begin(t, m, emitter.ReplayOrder{All: true})
		if job, err := m.Job(t.Context(), job.ID); err != nil || job.State != emitter.ReplayFailed || job.Error != "the disk is gone" {
			t.Errorf("failed: %+v, %v", job, err)
		}
	})
}

func TestReplaysAreBounded(t *testing.T) {
	l := &letters{n: 1_000}
	replaying(t, l, func(t *testing.T, m *emitter.Replays) {
		for range 4 {
			begin(t, m, emitter.ReplayOrder{All: true})
		}
		if _, err := m.Start(t.Context(), emitter.ReplayOrder{All: true}); !errors.Is(err, emitter.ErrTooManyReplays) {
			t.Errorf("a fifth: %v", err)
		}
		for _, job := range m.Jobs()[1:] {
			if _, err := m.Stop(t.Context(), job.ID); err != nil {
				t.Error(err)
			}
		}
		for range 30 {
			job := begin(t, m, emitter.ReplayOrder{All: true, Dry: true})
			if job, err := m.Job(t.Context(), job.ID); err != nil || job.Replayed.Replayed != 1_000 {
				t.Errorf("dry: %+v, %v", job, err)
			}
		}
		jobs := m.Jobs()
		if len(jobs) != 21 || jobs[0].ID != "34" || jobs[20].State != emitter.ReplayRunning {
			t.Errorf("%d are known, from %s to %+v", len(jobs), jobs[0].ID, jobs[len(jobs)-1])
		}
	})
}
