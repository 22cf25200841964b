package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// tally is an API that notes when each of its paths is polled.
type tally struct {
	URL   string
	every time.Duration
	open  atomic.Int64 // connections

	mu    sync.Mutex
	polls map[string][]time.Time
	now   map[string]int // polls of a path that are answered just now
	twice []string       // paths that were polled while they were polled
}

func newTally(tb testing.TB, every time.Duration) *tally {
	tb.Helper()
	c := &tally{every: every, polls: map[string][]time.Time{}, now: map[string]int{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.polls[r.URL.Path] = append(c.polls[r.URL.Path], time.Now())
		if c.now[r.URL.Path]++; c.now[r.URL.Path] > 1 {
			c.twice = append(c.twice, r.URL.Path)
		}
		c.mu.Unlock()
		time.Sleep(20 * time.Millisecond) // so that reloads meet polls in flight
		c.mu.Lock()
		c.now[r.URL.Path]--
		c.mu.Unlock()
		body([]byte(`{"v":1}`))(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			c.open.Add(1)
		case http.StateClosed:
			c.open.Add(-1)
		}
	}
	server.Start()
	tb.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// missing are those of some paths that were not polled twice since a time.
func (c *tally) missing(since time.Time, paths []string) (missing []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range paths {
		polls := c.polls[path]
		if n := len(polls); n < 2 || !polls[n-2].After(since) {
			missing = append(missing, path)
		}
	}
	return missing
}

// check holds that each of some paths was polled once in each interval, and
// never twice at once. So many polls began late, or took long, on a machine that
// did not keep up: as many may have been left out for that.
func (c *tally) check(t *testing.T, paths []string, slow float64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	// What is changed is asked anew while the server may not know yet that the
	// poll before was cut off.
	if twice := slices.DeleteFunc(c.twice, func(path string) bool { return !slices.Contains(paths, path) }); len(twice) > 0 {
		t.Errorf("polled twice at once: %v", twice)
	}
	var bad []string
	for _, path := range paths {
		if len(c.polls[path]) < 3 {
			bad = append(bad, fmt.Sprintf("%s: %d polls", path, len(c.polls[path])))
			continue
		}
		polls := c.polls[path][1:] // the first is at the start, the others stand on a grid
		// What is late does not move the grid on which the next ones stand; on a
		// machine that is busy each is late, so the grid is that of the least late.
		grid := polls[0]
		for i, at := range polls {
			if begun := at.Add(-time.Duration(i) * c.every); begun.Before(grid) {
				grid = begun
			}
		}
		for i, at := range polls {
			// One that was lost puts off all that follow by a whole interval, and
			// one too many all before it.
			if off := at.Sub(grid) - time.Duration(i)*c.every; off > c.every*3/4 {
				var gaps []string
				for j := range polls[1:] {
					gaps = append(gaps, polls[j+1].Sub(polls[j]).Round(time.Millisecond).String())
				}
				bad = append(bad, fmt.Sprintf("%s: poll %d is %s off; from one to the next %v", path, i+1, off, gaps))
				break
			}
		}
	}
	if float64(len(bad)) > slow {
		t.Errorf("%d of %d sources lost a poll, or had one too many, and %v were late, or slow:\n%s",
			len(bad), len(paths), slow, strings.Join(bad[:min(len(bad), 5)], "\n"))
	}
}

// descriptors is how many files a process has open.
func descriptors(tb testing.TB, p *process) int {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		tb.Skipf("open files are not known here: %v", err)
	}
	return len(entries)
}

// A thousand sources and a reload a second for a minute, each of which brings,
// takes and changes some: no poll of the others is doubled or lost, and nothing
// leaks. By default, and with -short, it is less: DELTAHOOK_TEST_STORM=60 is the
// whole of it.
func TestReloadStorm(t *testing.T) {
	sources, reloadsMade, every := 300, 20, 2*time.Second
	if n, err := strconv.Atoi(os.Getenv("DELTAHOOK_TEST_STORM")); err == nil {
		sources, reloadsMade, every = 1_000, n, 5*time.Second
	} else {
		t.Parallel()
	}
	api := newTally(t, every)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	var paths []string
	source := func(b *strings.Builder, name string) {
		fmt.Fprintf(b, "\n  %s: {schedule: \"@every %s\", request: {url: \"%s/%s\"}}", name, every, api.URL, name)
	}
	config := func(round int) string {
		var b strings.Builder
		for i := range sources {
			source(&b, fmt.Sprintf("s%d", i))
		}
		for i := range 10 { // others come and go
			source(&b, fmt.Sprintf("r%d-%d", round%7, i))
		}
		for i := range 10 { // and these are changed each time
			fmt.Fprintf(&b, "\n  c%d: {schedule: \"@every %s\", request: {url: \"%s/changed%d\", headers: {X-Round: \"%d\"}}}", i, every, api.URL, i, round)
		}
		fmt.Fprintf(&b, "\nlimits: {some: {rate: %d/s}}", 100+round)
		text := unwatched(hooks, b.String())
		return strings.Replace(text, "endpoints:", fmt.Sprintf("endpoints:\n  other: {url: \"%s/other%d\", secrets: [%s]}", hooks.URL, round, whsec), 1)
	}
	for i := range sources {
		paths = append(paths, fmt.Sprintf("/s%d", i))
	}
	write(t, dir, "deltahook.yaml", config(0))
	d := start(t, plainBinary(t), dir, "run")
	d.Addr(t)
	time.Sleep(every + every/2) // each was polled
	// Polls that met each other leave connections, each with two goroutines.
	conns := int(api.open.Load())
	files, routines := descriptors(t, d), d.metric(t, "go_goroutines")
	begun := time.Now()
	for round := 1; round <= reloadsMade; round++ {
		write(t, dir, "deltahook.yaml", config(round))
		d.signal(t, syscall.SIGHUP)
		d.says(t, d.stderr, fmt.Sprintf(`(?s)(msg=reloaded.*){%d}`, round))
		if next := begun.Add(time.Duration(round) * time.Second); os.Getenv("DELTAHOOK_TEST_STORM") != "" {
			time.Sleep(time.Until(next))
		}
	}
	took := time.Since(begun)
	// All are polled on, however late; and twice, so that check sees what the last
	// reload lost.
	ended, missing := time.Now(), paths
	for late := ended.Add(patience); len(missing) > 0; time.Sleep(every / 10) {
		if missing = api.missing(ended, paths); len(missing) > 0 && time.Now().After(late) {
			t.Fatalf("%d of %d sources are not polled any more: %v", len(missing), len(paths), missing[:min(len(missing), 10)])
		}
	}
	const brief = `le="0.5"`
	beyond := func(histogram string) float64 { // in this order: it polls on meanwhile
		within := d.metric(t, histogram+"_bucket", brief)
		return d.metric(t, histogram+"_count") - within
	}
	late, long := beyond("deltahook_poll_lateness_seconds"), beyond("deltahook_poll_duration_seconds")
	api.check(t, paths, late+long)
	if n := d.metric(t, "deltahook_sources"); n != float64(sources+20) {
		t.Errorf("%v sources are polled, want %d", n, sources+20)
	}
	// What is there for the moment goes, and what leaked stays: one of each reload
	// is twice what may be left.
	leaked := func() (after int, more float64, opened int, leaks bool) {
		after, more, opened = descriptors(t, d), d.metric(t, "go_goroutines"), max(0, int(api.open.Load())-conns)
		return after, more, opened, after > files+opened+reloadsMade/2 || more > routines+float64(2*opened+reloadsMade/2)
	}
	after, more, opened, leaks := leaked()
	for late := time.Now().Add(patience); leaks && time.Now().Before(late); after, more, opened, leaks = leaked() {
		time.Sleep(every / 10)
	}
	t.Logf("%d sources, %d reloads in %s; files %d -> %d, goroutines %v -> %v, %d more connections",
		sources, reloadsMade, took.Round(time.Millisecond), files, after, routines, more, opened)
	if leaks {
		t.Error("it leaks open files or goroutines")
	}
	d.stop(t)
}
