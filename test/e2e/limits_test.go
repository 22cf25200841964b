package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// account is an API that notes when which path was asked, and answers at once.
type account struct {
	URL string

	mu    sync.Mutex
	at    []time.Time
	of    map[string]int
	reply func(n int, w http.ResponseWriter) bool // false: it did not answer; nil: never does
}

func newAccount(tb testing.TB) *account {
	tb.Helper()
	a := &account{of: map[string]int{}}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at = append(a.at, time.Now())
		a.of[r.URL.Path]++
		if a.reply == nil || !a.reply(len(a.at), w) {
			body([]byte(`{"v":1}`))(w, r)
		}
	})
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// asked waits until the account was asked n times, and gives when that was.
func (a *account) asked(tb testing.TB, n int) []time.Time {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if at := a.times(); len(at) >= n {
			return at
		}
		if time.Now().After(deadline) {
			tb.Fatalf("it was asked %d times, want %d", len(a.times()), n)
		}
	}
}

func (a *account) times() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]time.Time(nil), a.at...)
}

// sharing configures n sources that are due each second and share a limit.
func sharing(t *testing.T, a *account, n int, limit string) string {
	t.Helper()
	var sources strings.Builder
	for i := range n {
		fmt.Fprintf(&sources, `
  s%d:
    schedule: "@every 1s"
    limit: account
    request: {url: "%s/s%d", timeout: 60s}
`, i, a.URL, i)
	}
	return "limits: {account: " + limit + "}\n" + configured(newReceiver(t, nil), sources.String())
}

// A limit holds for all its sources together, as the API sees it, and each of
// them gets its share.
func TestLimitIsShared(t *testing.T) {
	t.Parallel()
	const rate, atOnce, sources = 10, 3, 30
	a, dir := newAccount(t), t.TempDir()
	write(t, dir, "deltahook.yaml", sharing(t, a, sources, "{rate: 10/s, concurrency: 3}"))
	d := start(t, plainBinary(t), dir, "run")
	at := a.asked(t, 90)
	// What was sent before may arrive late: as much as there is at once.
	for i := rate + atOnce; i < len(at); i++ {
		if span := at[i].Sub(at[i-rate-atOnce]); span < time.Second {
			t.Errorf("%d requests within %s", rate+atOnce+1, span)
		}
	}
	if took := at[89].Sub(at[0]); took > 20*time.Second {
		t.Errorf("90 requests took %s", took)
	}
	a.mu.Lock()
	for i := range sources {
		if n := a.of[fmt.Sprintf("/s%d", i)]; n < 2 || n > 4 {
			t.Errorf("source s%d was polled %d times of 90", i, n)
		}
	}
	a.mu.Unlock()
	if n := d.metric(t, "deltahook_limit_waiting", `limit="account"`); n < 10 {
		t.Errorf("%v wait", n)
	}
	if n := d.metric(t, "deltahook_limit_used_total", `limit="account"`); n < 90 {
		t.Errorf("%v are counted", n)
	}
	d.stop(t)
}

// What is used of a quota outlives kill -9: it is never exceeded, and hardly
// any of it is lost.
func TestQuotaOutlivesAKill(t *testing.T) {
	t.Parallel()
	if left := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)); left < 2*time.Minute {
		time.Sleep(left) // a day that ends in the middle has two quotas
	}
	const quota, kills = 40, 4
	a, dir := newAccount(t), t.TempDir()
	write(t, dir, "deltahook.yaml", sharing(t, a, 8, "{quota: 40/day}"))
	for i := range kills {
		before := len(a.times())
		d := start(t, plainBinary(t), dir, "run")
		a.asked(t, (i+1)*8)
		d.until(t, "what it took of the quota was asked", func() bool {
			return d.metric(t, "deltahook_limit_used_total", `limit="account"`) == float64(len(a.times())-before)
		})
		d.kill()
	}
	d := start(t, plainBinary(t), dir, "run")
	d.says(t, d.stderr, `msg="the quota of a limit is spent: its sources rest" limit=account quota=40/day until=\S+T00:00:00Z`)
	for d.metric(t, "deltahook_limit_waiting", `limit="account"`) < 8 {
		time.Sleep(20 * time.Millisecond)
	}
	if n := len(a.times()); n > quota || n < quota-2*kills {
		t.Errorf("%d requests were made of a quota of %d, with %d kills", n, quota, kills)
	}
	if n := d.metric(t, "deltahook_limit_quota_left", `limit="account"`); n != 0 {
		t.Errorf("%v are left", n)
	}
	d.stop(t)
}

// What the API asks of one source holds for all that share the limit.
func TestRetryAfterHoldsForTheLimit(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	a.reply = func(n int, w http.ResponseWriter) bool {
		if n == 10 {
			w.Header().Set("Retry-After", "4")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return n == 10
	}
	write(t, dir, "deltahook.yaml", sharing(t, a, 5, "{concurrency: 1}"))
	d := start(t, plainBinary(t), dir, "run")
	at := a.asked(t, 15)
	if gap := at[10].Sub(at[9]); gap < 3900*time.Millisecond {
		t.Errorf("it was asked again after %s", gap)
	}
	d.stop(t)
}
