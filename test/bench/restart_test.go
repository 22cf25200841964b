package bench_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/poller"
)

// Of the backlog: each item changes in each round, and each endpoint is told.
const (
	backlogItems     = 25_000
	backlogRounds    = 10
	backlogEndpoints = 4 // so a million deliveries
	backlogRate      = 10
	backlogFlying    = 8
)

// BenchmarkRestartMillion starts the program as it is released over a store in
// which a million deliveries of one source wait at four endpoints: the first
// has a rate of 10/s, the others none and 8 in flight. Their receiver takes
// 5 ms. Of each start it says:
//
//	ready-ms   until the daemon said that it runs and /readyz said 200
//	MiB        what it then had in memory that is not of a file
//	MiB-later  the same after 5 s of sending
//	MiB-file   what of the files it had mapped then: the system's cache, which
//	           is taken back where it is needed
//	first-s    how many came to the first endpoint in the fullest second of 5
//	in-flight  the most at once of each other endpoint in these
//
// More than the rate or than may be in flight, and a start that takes longer
// than 3 s, fail. cold: the file is not in the system's cache. DELTAHOOK_BENCH_DIR is the folder in which the store is made,
// and kept for the next time.
func BenchmarkRestartMillion(b *testing.B) {
	dir := os.Getenv("DELTAHOOK_BENCH_DIR")
	if dir == "" {
		b.Skip("takes a minute and 2 GB: DELTAHOOK_BENCH_DIR says where")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	c := &counting{}
	hooks := httptest.NewServer(c)
	defer hooks.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(manyList("s", backlogItems, backlogRounds, 0))
	}))
	defer api.Close()
	work := b.TempDir()
	if err := os.WriteFile(filepath.Join(work, "deltahook.yaml"), []byte(backlogConfig(api.URL, hooks.URL)), 0o600); err != nil {
		b.Fatal(err)
	}
	stored := filepath.Join(dir, "backlog.db")
	backlogStore(b, work, stored)
	program := buildDaemon(b)
	for _, cache := range []string{"cached", "cold"} {
		b.Run(cache, func(b *testing.B) {
			for b.Loop() {
				copyFile(b, stored, filepath.Join(work, "deltahook.db"))
				if cache == "cold" {
					uncache(b, filepath.Join(work, "deltahook.db"))
				}
				restart(b, program, work, c)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// restart starts the daemon once, and kills it.
func restart(b *testing.B, program, dir string, c *counting) {
	b.Helper()
	c.begin()
	d, took := startDaemon(b, program, dir)
	defer d.end(syscall.SIGKILL)
	_, asked := d.ask(b, "/readyz")
	took += asked
	file, own := d.status(b, "RssFile"), d.memory(b)
	time.Sleep(5 * time.Second)
	rate, most := c.seen()
	grown := d.memory(b)
	b.ReportMetric(ms(took), "ready-ms")
	b.ReportMetric(float64(own), "MiB")
	b.ReportMetric(float64(grown), "MiB-later")
	b.ReportMetric(float64(file), "MiB-file")
	b.ReportMetric(float64(rate), "first-s")
	b.ReportMetric(float64(slices.Max(most)), "in-flight")
	b.Logf("ready after %.0f ms; %d MiB, then %d, and %d of the file; %d came to the first in a second, and %d were in flight", ms(took), own, grown, file, rate, most)
	if took > 3*time.Second {
		b.Errorf("ready after %s, want at most 3 s", took)
	}
	if rate > backlogRate+backlogRate/4 || rate == 0 {
		b.Errorf("%d came to the first endpoint in a second, want %d", rate, backlogRate)
	}
	if slices.Max(most) > backlogFlying || slices.Min(most) == 0 {
		b.Errorf("%d were in flight, want at most %d", most, backlogFlying)
	}
}

// uncache has the system drop a file from its cache.
func uncache(b *testing.B, path string) {
	b.Helper()
	if out, err := exec.CommandContext(b.Context(), "dd", "if="+path, "iflag=nocache", "count=0").CombinedOutput(); err != nil {
		b.Skipf("there is no dd that can: %v\n%s", err, out)
	}
}

// backlogConfig is the configuration of the backlog.
func backlogConfig(api, hooks string) string {
	endpoints := ""
	for i := range backlogEndpoints {
		limit := ""
		if i == 0 {
			limit = fmt.Sprintf(", rate: %d/s", backlogRate)
		}
		endpoints += fmt.Sprintf("  e%d: {url: \"%s/%d\", concurrency: %d%s, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n", i, hooks, i, backlogFlying, limit)
	}
	return fmt.Sprintf(`store: deltahook.db
server: {listen: "127.0.0.1:0"}
reload: {watch: false}
egress: {endpoints: {allow: [127.0.0.0/8]}}
endpoints:
%ssources:
  s:
    schedule: "@every 1h"
    request: {url: "%s/s"}
    response: {items: items, id: id}
    changes: {max_events: 1000000}
    events: {parcel.moved: {to: [e0, e1, e2, e3]}}
`, endpoints, api)
}

// backlogStore makes the store at path, unless it is there, by the configuration
// in dir.
func backlogStore(b *testing.B, dir, path string) {
	b.Helper()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	began := time.Now()
	cfg, err := configs.Load(filepath.Join(dir, "deltahook.yaml"), nil)
	if err != nil {
		b.Fatal(err)
	}
	making := path + ".new"
	_ = os.Remove(making)
	store, err := bolt.Open(making, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d := differOf(b, cfg, store)
	for round := range backlogRounds + 1 {
		a := &poller.Answer{Source: "s", Received: time.Now(), Status: http.StatusOK, Pages: [][]byte{manyList("s", backlogItems, round, 0)}}
		if err := d.Take(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
	status, err := store.Endpoint(b.Context(), "e1")
	if want := backlogItems * backlogRounds; err != nil || status.Waiting != want {
		b.Fatalf("%d wait, want %d: %v", status.Waiting, want, err)
	}
	if err := errors.Join(store.Close(), os.Rename(making, path)); err != nil {
		b.Fatal(err)
	}
	b.Logf("the store was made in %s", time.Since(began).Round(time.Second))
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		b.Fatal(err)
	}
}

// counting is the receiver of the backlog: it counts what comes to each of the
// endpoints, by the path.
type counting struct {
	mu     sync.Mutex
	first  []time.Time // when something came to the first
	flying [backlogEndpoints]int
	most   [backlogEndpoints]int
}

func (c *counting) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	i := int(r.URL.Path[1] - '0')
	c.mu.Lock()
	if c.flying[i]++; i == 0 {
		c.first = append(c.first, time.Now())
	}
	c.most[i] = max(c.most[i], c.flying[i])
	c.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	c.mu.Lock()
	c.flying[i]--
	c.mu.Unlock()
}

// begin forgets what came, when all of it was answered.
func (c *counting) begin() {
	for {
		c.mu.Lock()
		if c.flying == [backlogEndpoints]int{} {
			c.first, c.most = nil, c.flying
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// seen is how many came to the first endpoint in its fullest second, and how
// many were in flight at most of each other one.
func (c *counting) seen() (rate int, most []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := 0
	for i, at := range c.first {
		for at.Sub(c.first[from]) >= time.Second {
			from++
		}
		rate = max(rate, i-from+1)
	}
	return rate, slices.Clone(c.most[1:])
}
