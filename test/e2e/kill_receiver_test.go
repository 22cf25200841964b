package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deltahook/deltahook/test/loopback"
)

// sighting is one attempt as the receiver saw it.
type sighting struct {
	run      int    // which start of the program sent it
	endpoint string // shop, audit or wiki
	id       string
	body     string
	acked    bool // answered 2xx, in time
}

// moody is a receiver that fails 3 of 10 attempts, each in another way, and
// keeps all of them.
type moody struct {
	URL  string
	came chan struct{} // capacity 1: an attempt was answered

	mu    sync.Mutex
	rng   *rand.Rand
	calm  bool // nothing fails any more
	all   []sighting
	fates map[string]int // attempts by what became of them
	out   int            // so many attempts at wiki fail from now on
}

func newMoody(tb testing.TB, seed uint64) *moody {
	tb.Helper()
	verifier, err := standardwebhooks.NewWebhook(whsec)
	if err != nil {
		tb.Fatal(err)
	}
	m := &moody{came: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, 2)), fates: map[string]int{}}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // killed while it wrote: no attempt
		}
		if err := verifier.Verify(body, r.Header); err != nil {
			tb.Errorf("the official library refuses %s: %v", r.Header.Get("webhook-id"), err)
		}
		run, err := strconv.Atoi(r.Header.Get("X-Run"))
		if err != nil {
			tb.Errorf("a webhook without its run: %v", err)
		}
		m.take(w, r, sighting{
			run: run, endpoint: strings.TrimPrefix(r.URL.Path, "/"), id: r.Header.Get("webhook-id"), body: string(body),
		})
	})
	tb.Cleanup(server.Close)
	m.URL = server.URL
	return m
}

// take enters an attempt when its last byte has come, and then decides.
func (m *moody) take(w http.ResponseWriter, r *http.Request, s sighting) {
	m.mu.Lock()
	n := len(m.all)
	m.all = append(m.all, s)
	fate, delay := m.fate(s.endpoint)
	m.fates[fate]++
	m.mu.Unlock()
	defer func() {
		select {
		case m.came <- struct{}{}:
		default:
		}
	}()

	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return // the sender is dead, or has given up
	}
	switch fate {
	case "500", "slow 500":
		w.WriteHeader(http.StatusInternalServerError)
	case "429":
		w.Header().Set("Retry-After", "0.05")
		w.WriteHeader(http.StatusTooManyRequests)
	case "dropped", "silent":
		panic(http.ErrAbortHandler)
	default:
		m.mu.Lock()
		m.all[n].acked = true
		m.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}
}

// fate is what becomes of an attempt: 30 of 100 fail, 8 of the others are
// slow. At wiki each fiftieth begins an outage, in which it takes long to fail.
func (m *moody) fate(endpoint string) (string, time.Duration) {
	slow := time.Duration(20+m.rng.IntN(280)) * time.Millisecond
	if endpoint == "wiki" && m.out == 0 && m.rng.IntN(50) == 0 {
		m.out = 30
	}
	switch n := m.rng.IntN(1000); {
	case m.calm:
		return "taken", 0
	case endpoint == "wiki" && m.out > 0:
		m.out--
		return "slow 500", 2 * slow
	case n < 110:
		return "500", 0
	case n < 150:
		return "429", 0
	case n < 240:
		return "dropped", 0
	case n < 295:
		return "slow 500", slow
	case n < 300:
		return "silent", time.Minute // longer than the endpoint's timeout, and than most lives
	case n < 380:
		return "slow", slow
	default:
		return "taken", 0
	}
}

func (m *moody) soothe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calm = true
}

// sightings are all attempts up to now, in the order in which they were sent:
// a program was dead before its successor was started.
func (m *moody) sightings() []sighting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return inOrder(m.all)
}

func (m *moody) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.fates)
}
