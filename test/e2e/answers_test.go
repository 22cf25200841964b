package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/test/loopback"
)

// answering is how a receiver answers a request.
type answering func(w http.ResponseWriter, r *http.Request)

func answers(status int, header ...string) answering {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.Repeat("9 KiB.", 9<<10/6))
	}
}

// until answers Retry-After with a date three seconds from now, of which a
// date's whole seconds leave two at least.
func until(format string) answering {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(3*time.Second).UTC().Format(format))
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

// follow is a row of "What follows an attempt" (events.md): how a receiver
// answers at first and from then on, and what becomes of two events that are
// told to it, one attempt at a time.
type follow struct {
	settings string
	answer   []answering // the last one from then on

	requests           int
	gap                time.Duration // from the first request to the second, at least
	delivered, waiting int
	dead               int
	pause              emitter.Pause
	check              func(t *testing.T, e emitter.EndpointStatus, last emitter.DeliveryRecord, tried emitter.AttemptRecord)
}

// Every answer that a receiver can give, and what follows it.
func TestWhatFollowsAnAttempt(t *testing.T) {
	t.Parallel()
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	ok, never := answers(200), "retry: {schedule: [1h]}"
	rows := map[string]follow{
		"abort":           {answer: []answering{answers(500, "webhook-delivery", "abort-message")}, requests: 2, dead: 2},
		"disable":         {answer: []answering{answers(500, "webhook-delivery", "disable")}, requests: 1, waiting: 2, pause: emitter.PauseDisabled},
		"disable-2xx":     {answer: []answering{answers(202, "webhook-delivery", "disable")}, requests: 1, delivered: 1, waiting: 1, pause: emitter.PauseDisabled},
		"gone":            {answer: []answering{answers(410)}, requests: 1, waiting: 2, pause: emitter.PauseGone},
		"used-up":         {settings: "retry: {schedule: [50ms, 50ms]}", answer: []answering{answers(500)}, requests: 6, dead: 2, check: keptAnswer},
		"no-retry":        {settings: "retry: {schedule: []}", answer: []answering{answers(500)}, requests: 2, dead: 2},
		"permanent-500":   {settings: "retry: {schedule: [50ms], permanent: [500]}", answer: []answering{answers(500)}, requests: 2, dead: 2},
		"no-more-404":     {settings: "retry: {schedule: [50ms], permanent: [500]}", answer: []answering{answers(404), ok}, requests: 3, delivered: 2},
		"permanent-later": {answer: []answering{answers(404, "Retry-After", "1"), ok}, requests: 3, gap: time.Second, delivered: 2},
		"seconds":         {answer: []answering{answers(429, "Retry-After", "2"), ok}, requests: 3, gap: 2 * time.Second, delivered: 2},
		"decimal":         {answer: []answering{answers(503, "Retry-After", "1.5"), ok}, requests: 3, gap: 1500 * time.Millisecond, delivered: 2},
		"date-imf":        {answer: []answering{until(http.TimeFormat), ok}, requests: 3, gap: 1900 * time.Millisecond, delivered: 2},
		"date-850":        {answer: []answering{until("Monday, 02-Jan-06 15:04:05 GMT"), ok}, requests: 3, gap: 1900 * time.Millisecond, delivered: 2},
		"date-asctime":    {answer: []answering{until(time.ANSIC), ok}, requests: 3, gap: 1900 * time.Millisecond, delivered: 2},
		"any-failure":     {answer: []answering{answers(500, "Retry-After", "2"), ok}, requests: 3, gap: 2 * time.Second, delivered: 2},
		"capped": {answer: []answering{answers(429, "Retry-After", "8640000")}, requests: 1, waiting: 2, check: func(t *testing.T, e emitter.EndpointStatus, _ emitter.DeliveryRecord, _ emitter.AttemptRecord) {
			t.Helper()
			if wait := time.Until(e.Hold); wait > 24*time.Hour || wait < 23*time.Hour {
				t.Errorf("capped: it waits %s", wait)
			}
		}},
		"cut": {answer: []answering{cut, ok}, requests: 3, delivered: 2},
		"hangs": {settings: "timeout: 300ms, " + never, answer: []answering{hang}, requests: 2, waiting: 2, check: func(t *testing.T, _ emitter.EndpointStatus, _ emitter.DeliveryRecord, tried emitter.AttemptRecord) {
			t.Helper()
			if tried.Error != emitter.ErrorTimeout || tried.Status != 0 || tried.Took < .3 || tried.Took > 15 {
				t.Errorf("hangs: stored as %+v", tried)
			}
		}},
		"jitter": {settings: "retry: {schedule: [1000s], jitter: 20%}", answer: []answering{answers(502)}, requests: 2, waiting: 2, check: func(t *testing.T, _ emitter.EndpointStatus, last emitter.DeliveryRecord, tried emitter.AttemptRecord) {
			t.Helper()
			if wait := last.Due.Sub(tried.At); wait < 795*time.Second || wait > 1205*time.Second {
				t.Errorf("jitter: the next attempt is after %s", wait)
			}
		}},
	}
	for _, status := range []int{200, 201, 202, 204, 226} {
		rows[fmt.Sprint("yes-", status)] = follow{answer: []answering{answers(status)}, requests: 2, delivered: 2}
	}
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504} {
		rows[fmt.Sprint("again-", status)] = follow{settings: "retry: {schedule: [1s]}", answer: []answering{answers(status), ok}, requests: 3, delivered: 2}
	}
	for _, status := range []int{400, 401, 403, 404, 413, 415, 422} {
		rows[fmt.Sprint("dead-", status)] = follow{answer: []answering{answers(status)}, requests: 2, dead: 2}
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		rows[fmt.Sprint("moved-", status)] = follow{answer: []answering{answers(status, "Location", "/elsewhere")}, requests: 2, waiting: 2, check: movedAway}
	}
	playFollows(t, rows)
}

// movedAway wants a redirect to be tried again late, with a hint.
func movedAway(t *testing.T, e emitter.EndpointStatus, last emitter.DeliveryRecord, tried emitter.AttemptRecord) {
	t.Helper()
	if wait := last.Due.Sub(tried.At); wait < 10*time.Minute || !strings.Contains(tried.Reason, "update the endpoint's url") {
		t.Errorf("%s: tried again after %s, %s", e.Endpoint, wait, tried.Reason)
	}
}

// keptAnswer wants what is stored of an attempt.
func keptAnswer(t *testing.T, e emitter.EndpointStatus, last emitter.DeliveryRecord, tried emitter.AttemptRecord) {
	t.Helper()
	if tried.Attempt != 3 || tried.Status != 500 || tried.Error != "" || tried.Took <= 0 || time.Since(tried.At) > 10*time.Minute ||
		len(tried.Response) != 8<<10 || !strings.Contains(tried.Reason, "attempt 3 was the last") {
		t.Errorf("%s: stored as %d %s %q, %d bytes", e.Endpoint, tried.Status, tried.Error, tried.Reason, len(tried.Response))
	}
	if last.State != emitter.Dead || last.Attempts != 3 || last.Settled.IsZero() {
		t.Errorf("%s: %+v", e.Endpoint, last)
	}
}

// playFollows tells two events to each row's receiver, then a further one of
// each item, which comes through wherever the endpoint takes any.
func playFollows(t *testing.T, rows map[string]follow) {
	t.Helper()
	var mu sync.Mutex
	got := map[string][]time.Time{}
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		name := strings.Trim(r.URL.Path, "/")
		mu.Lock()
		n := len(got[name])
		got[name] = append(got[name], time.Now())
		mu.Unlock()
		if row, there := rows[name]; there {
			row.answer[min(n, len(row.answer)-1)](w, r)
			return
		}
		t.Errorf("something came to %s", r.URL)
	})
	t.Cleanup(server.Close)
	requests := func(name string) []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return append([]time.Time(nil), got[name]...)
	}
	var endpoints strings.Builder
	for name, row := range rows {
		settings := row.settings
		if !strings.Contains(settings, "retry:") {
			settings = strings.TrimPrefix(settings+", retry: {schedule: [50ms]}", ", ")
		}
		fmt.Fprintf(&endpoints, "  %s: {url: \"%s/%s\", signature: none, concurrency: 1, %s}\n", name, server.URL, name, settings)
	}
	url, set, _ := values(t, worth(2, 1))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
egress: {endpoints: {allow: [127.0.0.0/8]}}
sources:%sendpoints:
%s`, listSource(url), endpoints.String()))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(2, 2))
	for name, row := range rows {
		var deliveries []emitter.DeliveryRecord
		states := map[emitter.State]int{}
		d.until(t, name+" has what it gets", func() bool {
			deliveries = deliveriesOf(t, d, name)
			clear(states)
			tried := 0
			for _, one := range deliveries {
				states[one.State]++
				tried += one.Attempts
			}
			return len(deliveries) == 2 && tried >= row.requests && states[emitter.Waiting] == row.waiting
		})
		if states[emitter.Delivered] != row.delivered || states[emitter.Dead] != row.dead {
			t.Errorf("%s: %v, want %d delivered and %d dead", name, states, row.delivered, row.dead)
		}
	}
	status := map[string]emitter.EndpointStatus{}
	for _, e := range listed[[]emitter.EndpointStatus](t, dir, "endpoints") {
		status[e.Endpoint] = e
	}
	for name, row := range rows {
		all := requests(name)
		if len(all) != row.requests {
			t.Errorf("%s was asked %d times, want %d", name, len(all), row.requests)
		}
		if len(all) > 1 && all[1].Sub(all[0]) < row.gap {
			t.Errorf("%s was asked again after %s, want %s at least", name, all[1].Sub(all[0]), row.gap)
		}
		if got := status[name].Pause; got != row.pause {
			t.Errorf("%s: paused by %q, want %q", name, got, row.pause)
		}
		if row.check != nil {
			last := deliveriesOf(t, d, name)[1] // the first that was told
			row.check(t, status[name], last, lastAttempt(t, dir, last.Number))
		}
	}

	// A dead letter holds up nothing: the next revision comes, and shows the gap.
	set(worth(2, 3))
	for name, row := range rows {
		if row.dead > 0 || row.delivered == 2 {
			d.until(t, "the next events come to "+name, func() bool { return len(requests(name)) >= row.requests+2 })
		}
	}
	d.stop(t)
}

// deliveriesOf are an endpoint's deliveries, the newest first.
func deliveriesOf(t *testing.T, d *process, endpoint string) []emitter.DeliveryRecord {
	t.Helper()
	return gotten[emitter.DeliveryPage](t, d, "/api/v1/deliveries?endpoint="+endpoint).Deliveries
}

// lastAttempt is a delivery's last attempt, as a person is shown it.
func lastAttempt(t *testing.T, dir string, number uint64) emitter.AttemptRecord {
	t.Helper()
	shown := listed[struct{ Tried []emitter.AttemptRecord }](t, dir, "deliveries", "show", fmt.Sprint(number))
	if len(shown.Tried) == 0 {
		return emitter.AttemptRecord{}
	}
	return shown.Tried[0]
}

// gotten is what the admin address gives.
func gotten[T any](t *testing.T, d *process, path string) (v T) {
	t.Helper()
	status, body := d.get(t, path)
	if err := json.Unmarshal([]byte(body), &v); status != http.StatusOK || err != nil {
		t.Fatalf("%s: %d, %v: %s", path, status, err, body)
	}
	return v
}
