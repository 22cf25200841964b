package emitter_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/units"
)

// memory is a Queue that keeps the contract in a slice.
type memory struct {
	mu       sync.Mutex
	commits  uint64
	waiting  []emitter.Delivery // in the order of commits
	settled  []emitter.Outcome
	batches  []int // sizes of what Settle was given
	looks    int   // calls of Pending and Oldest
	state    map[string]emitter.EndpointState
	orders   map[string]emitter.Order
	hastened int
	last     map[string]time.Time
	damaged  map[string]bool // by item
	slow     time.Duration   // what Settle takes
	failing  error           // what Settle answers
	reading  time.Duration   // what Pending takes
	blind    error           // what Pending and Endpoint answer
	attempts int             // outcomes that were offered to Settle
}

func (q *memory) add(endpoint, key string, revision uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.commits++
	id := fmt.Sprintf("evt_%s_%s_%d", endpoint, key, revision)
	q.waiting = append(q.waiting, emitter.Delivery{
		Number: q.commits, Endpoint: endpoint, Event: id, Source: "shipments", Key: key, Revision: revision,
		Body: []byte(`{"id":"` + id + `"}`), Created: time.Now(),
	})
}

func (q *memory) Pending(_ context.Context, endpoint string, now time.Time, n int, skip func(uint64) bool) (emitter.Batch, error) {
	time.Sleep(q.reading)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.looks++
	var b emitter.Batch
	seen := map[string]bool{}
	for _, d := range q.waiting {
		if d.Endpoint != endpoint || seen[d.Key] {
			continue
		}
		seen[d.Key] = true
		if skip(d.Number) {
			continue
		}
		if q.damaged[d.Key] {
			b.Damaged, b.Damage = b.Damaged+1, errBit
			continue
		}
		if d.Due.After(now) {
			if b.Next.IsZero() || d.Due.Before(b.Next) {
				b.Next = d.Due
			}
			continue
		}
		b.Due = append(b.Due, d)
	}
	slices.SortStableFunc(b.Due, func(x, y emitter.Delivery) int { return x.Due.Compare(y.Due) })
	b.Due = b.Due[:min(n, len(b.Due))]
	return b, q.blind
}

func (q *memory) Settle(ctx context.Context, outcomes []emitter.Outcome) error {
	select {
	case <-time.After(q.slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.attempts += len(outcomes)
	if q.failing != nil {
		return q.failing
	}
	q.batches = append(q.batches, len(outcomes))
	for _, o := range outcomes {
		q.settle(o)
	}
	return nil
}

func (q *memory) settle(o emitter.Outcome) {
	if o.Health != nil {
		q.store(o.Delivery.Endpoint, *o.Health)
	}
	i := slices.IndexFunc(q.waiting, func(d emitter.Delivery) bool { return d.Number == o.Delivery.Number })
	if i < 0 || o.Delivery.Attempts < q.waiting[i].Attempts {
		return
	}
	q.settled = append(q.settled, o)
	if q.last == nil {
		q.last = map[string]time.Time{}
	}
	q.last[o.Delivery.Endpoint] = o.Attempt.At
	v := o.Verdict
	if v.State == emitter.Waiting {
		q.waiting[i].Due, q.waiting[i].Attempts = v.Due, q.waiting[i].Attempts+1
		return
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
}

func (q *memory) store(endpoint string, h emitter.Health) {
	if q.state == nil {
		q.state = map[string]emitter.EndpointState{}
	}
	q.state[endpoint] = emitter.EndpointState{Health: h}
}

func (q *memory) SetHealth(_ context.Context, endpoint string, h emitter.Health) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing == nil {
		q.store(endpoint, h)
	}
	return q.failing
}

func (q *memory) Oldest(_ context.Context, endpoint string, skip func(uint64) bool) (emitter.Delivery, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.looks++
	seen := map[string]bool{}
	for _, d := range q.waiting {
		if d.Endpoint == endpoint && !seen[d.Key] && !skip(d.Number) {
			return d, true, q.blind
		}
		seen[d.Key] = seen[d.Key] || d.Endpoint == endpoint
	}
	return emitter.Delivery{}, false, q.blind
}

func (q *memory) Arrange(_ context.Context, endpoint string, order emitter.Order) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.orders == nil {
		q.orders = map[string]emitter.Order{}
	}
	q.orders[endpoint] = order
	return q.blind
}

func (q *memory) Hasten(_ context.Context, endpoint string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		return q.failing
	}
	q.hastened++
	for i := range q.waiting {
		if d := &q.waiting[i]; d.Endpoint == endpoint && d.Due.After(time.Now()) {
			d.Due = time.Now()
		}
	}
	return nil
}

func (q *memory) Drop(ctx context.Context, endpoint string, drop emitter.Drop) (n int, err error) {
	select {
	case <-time.After(q.slow):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		return 0, q.failing
	}
	for _, d := range slices.Clone(q.waiting) {
		if d.Endpoint != endpoint || drop.Skip != nil && drop.Skip(d.Number) || !drop.Before.IsZero() && !d.Created.Before(drop.Before) {
			continue
		}
		if n++; !drop.Dry {
			end, why := drop.End(time.Now())
			q.settle(emitter.Outcome{Delivery: d, Attempt: why, Verdict: emitter.Verdict{State: end, Reason: drop.Reason}})
		}
	}
	return n, nil
}

func (q *memory) Endpoint(_ context.Context, name string) (emitter.EndpointState, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.state[name]
	s.Last = q.last[name]
	for _, d := range q.waiting {
		if d.Endpoint == name {
			s.Waiting++
		}
	}
	for _, o := range q.settled {
		if o.Delivery.Endpoint == name && o.Verdict.State == emitter.Dead {
			s.Dead++
		}
	}
	return s, q.blind
}

func (q *memory) Backlog(context.Context) (map[string]int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := map[string]int{}
	for _, d := range q.waiting {
		waiting[d.Endpoint]++
	}
	return waiting, q.blind
}

func (q *memory) set(change func(*memory)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(q)
}

// outcomes are what was settled, and how many deliveries still wait.
func (q *memory) outcomes() ([]emitter.Outcome, int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.settled), len(q.waiting)
}

// wire is a transport in memory: each endpoint's host is answered by its
// function, and what is sent is kept.
type wire struct {
	mu     sync.Mutex
	answer map[string]func(*http.Request) (*http.Response, error)
	sent   []sent
	flying map[string]int
	peak   map[string]int // most requests at once, by host
}

type sent struct {
	at                    time.Time
	host, id, stamp, body string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent{time.Now(), r.URL.Host, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), string(body)})
	w.flying[r.URL.Host]++
	w.peak[r.URL.Host] = max(w.peak[r.URL.Host], w.flying[r.URL.Host])
	answer := w.answer[r.URL.Host]
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying[r.URL.Host]--
		w.mu.Unlock()
	}()
	return answer(r)
}

func (w *wire) requests() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// most is the most requests at once to a host since it was asked last.
func (w *wire) most(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.peak[host]
	w.peak[host] = 0
	return n
}

func (w *wire) set(host string, answer func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[host] = answer
}

func newWire() *wire {
	return &wire{answer: map[string]func(*http.Request) (*http.Response, error){}, flying: map[string]int{}, peak: map[string]int{}}
}

// status answers so, after a while.
func status(code int, after time.Duration, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(after):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(""))}, nil
	}
}

// okBody is what Slack answers.
func okBody() io.ReadCloser { return io.NopCloser(strings.NewReader("ok")) }

// bench is an emitter at work on a queue and a wire, in a synctest bubble.
type bench struct {
	queue   *memory
	wire    *wire
	emitter *emitter.Emitter
	stop    func() // ends Run and waits for it
}

// endpoints are settings by name; the URL is https://NAME.
type endpoints map[string]emitter.Settings

func (es endpoints) build(t testing.TB, w *wire) []*emitter.Endpoint {
	t.Helper()
	var all []*emitter.Endpoint
	for name, s := range es {
		s.URL = "https://" + cmp.Or(s.URL, name)
		e, err := emitter.NewEndpoint(name, s, emitter.EndpointOptions{Transport: w})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// start runs an emitter on what the bench has.
func (b *bench) start(t testing.TB, es endpoints, o emitter.Options) {
	t.Helper()
	b.run(t, es.build(t, b.wire), o)
}

func (b *bench) run(t testing.TB, all []*emitter.Endpoint, o emitter.Options) {
	t.Helper()
	b.emitter = emitter.New(all, b.queue, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.emitter.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func newBench() *bench { return &bench{queue: &memory{}, wire: newWire()} }

var (
	errDisk = errors.New("the disk is full")
	errBit  = errors.New("a bit fell over")
)

// pick is the endpoint of a name.
func pick(all []*emitter.Endpoint, name string) *emitter.Endpoint {
	return all[slices.IndexFunc(all, func(e *emitter.Endpoint) bool { return e.Name() == name })]
}

// everySecond is a schedule of n attempts.
func everySecond(n int) []units.Duration {
	return slices.Repeat([]units.Duration{units.Duration(time.Second)}, n)
}
