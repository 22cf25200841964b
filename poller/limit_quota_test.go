package poller_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/poller"
)

// ledger is a Ledger in memory.
type ledger struct {
	mu   sync.Mutex
	used map[string]budget.Usage
	down bool
}

func (l *ledger) Usage(context.Context) (map[string]budget.Usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.used), nil
}

func (l *ledger) Spend(_ context.Context, used map[string]budget.Usage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errors.New("the disk is full")
	}
	if l.used == nil {
		l.used = map[string]budget.Usage{}
	}
	maps.Copy(l.used, used)
	return nil
}

// TestQuota: a day's quota holds over restarts, in good order or by a crash,
// and the sources rest until midnight; that is told once.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, book, quota := &requests{}, &ledger{}, poller.LimitSettings{Quota: rate(600, 24*time.Hour)}
		log, lines := logger()
		for range 4 {
			used, _ := book.Usage(t.Context())
			p := poller.New(limited(t, q, 2, "@every 1m", quota), nil, &sink{}, poller.Options{Usage: used, Ledger: book, Logger: log})
			run(t, p, time.Hour)
		}
		if used := book.used["account"].Used; used != len(q.at) || used < 470 {
			t.Errorf("after a restart in order %d are stored of %d", used, len(q.at))
		}
		used, _ := book.Usage(t.Context())
		run(t, poller.New(limited(t, q, 2, "@every 1m", quota), nil, &sink{}, poller.Options{Usage: used, Ledger: book, Logger: log}), 19*time.Hour)
		if len(q.at) != 600 {
			t.Errorf("%d were asked for on the first day", len(q.at))
		}
		if n := strings.Count(lines(), "the quota of a limit is spent"); n != 1 {
			t.Errorf("told %d times:\n%s", n, lines())
		}
		used, _ = book.Usage(t.Context())
		run(t, poller.New(limited(t, q, 2, "@every 1m", quota), nil, &sink{}, poller.Options{Usage: used, Ledger: book}), 2*time.Hour)
		if n := len(q.at); n < 715 || n > 725 {
			t.Errorf("%d were asked for, the first hour of the second day among them", n)
		}
	})
}

// TestQuotaWithoutItsLedger: nothing of a quota is used that can't be stored.
func TestQuotaWithoutItsLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, book := &requests{}, &ledger{down: true}
		time.AfterFunc(time.Hour, func() {
			book.mu.Lock()
			defer book.mu.Unlock()
			book.down = false
		})
		log, lines := logger()
		p := poller.New(limited(t, q, 1, "@every 1m", poller.LimitSettings{Quota: rate(1000, 24*time.Hour)}), nil, &sink{}, poller.Options{Ledger: book, Logger: log})
		start := time.Now()
		run(t, p, 2*time.Hour)
		if first := q.start.Sub(start); first < time.Hour || first > time.Hour+6*time.Second {
			t.Errorf("first asked after %s", first)
		}
		if n := strings.Count(lines(), "cannot be saved"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestRestOfALimit: what a server asks of one source holds for all of the
// limit, over a restart too; without a limit for that source alone.
func TestRestOfALimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header []string
	}{
		{"Retry-After", 429, []string{"Retry-After", "600"}},
		{"nothing left", 200, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "Sat, 01 Jan 2000 00:10:00 GMT"}},
	} {
		answer := func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				return reply(c.status, "{}", c.header...)
			}
			return reply(200, "{}")
		}
		t.Run(c.name+" with a limit", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, book := &requests{answer: answer}, &ledger{}
				all := func() []*poller.Source {
					return limited(t, q, 5, "@every 10s", poller.LimitSettings{Concurrency: 1})
				}
				run(t, poller.New(all(), nil, &sink{}, poller.Options{Ledger: book}), 4*time.Minute)
				used, _ := book.Usage(t.Context())
				run(t, poller.New(all(), nil, &sink{}, poller.Options{Usage: used, Ledger: book}), 7*time.Minute)
				if len(q.at) < 2 || q.at[1] < 10*time.Minute-time.Second {
					t.Errorf("asked at %v", q.at[:min(len(q.at), 5)])
				}
				if len(q.of) != 5 {
					t.Errorf("%d sources were polled in the end", len(q.of))
				}
			})
		})
		t.Run(c.name+" without", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &requests{answer: answer}
				s := &sink{}
				run(t, poller.New(sources(t, q.RoundTrip, "", map[string]string{"a": "@every 10s", "b": "@every 10s"}), nil, s, poller.Options{}), 11*time.Minute)
				polls := []int{len(q.of["a"]), len(q.of["b"])}
				slices.Sort(polls)
				if polls[0] < 5 || polls[0] > 9 || polls[1] < 60 {
					t.Errorf("polled %v times in 11 minutes", polls)
				}
			})
		})
	}
}
