package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkScale asks a daemon for each of its pages and lists: the program as
// it is released, with 10,000 sources which it polls 500 times a second, over a
// store in which a million events and deliveries are. Of each address it says
// how long an answer took, in turns with the others, so that all meet the same
// machine:
//
//	p99-ms  the slowest of all addresses at its 99th percentile
//	cpu-ms  likewise, the processor time that the daemon took for one answer;
//	        that of the polls meanwhile is taken off
//
// It fails where a page or a list has a p99 above 200 ms, which is to hold on a
// machine that does nothing else.
//
// DELTAHOOK_BENCH_DIR is the folder in which the store is made, and kept for the
// next time; DELTAHOOK_BENCH_ASK how often each address is asked (300). The table
// of all addresses needs -v.
func BenchmarkScale(b *testing.B) {
	dir := os.Getenv("DELTAHOOK_BENCH_DIR")
	if dir == "" {
		b.Skip("takes minutes and 2 GB: DELTAHOOK_BENCH_DIR says where")
	}
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer hooks.Close()
	api := httptest.NewServer(manyAPI())
	defer api.Close()
	if err := os.WriteFile(filepath.Join(dir, "deltahook.yaml"), []byte(manyConfig(api.URL, hooks.URL)), 0o600); err != nil {
		b.Fatal(err)
	}
	manyStore(b, dir)
	d := runDaemon(b, dir)
	addresses := d.addresses(b)
	rounds, err := strconv.Atoi(os.Getenv("DELTAHOOK_BENCH_ASK"))
	if err != nil {
		rounds = 300
	}
	for b.Loop() {
		d.measure(b, addresses, rounds)
	}
	b.ReportMetric(0, "ns/op")
}

// running is a daemon at work.
type running struct {
	process *os.Process
	url     string
	ended   func() error // waits for it
}

// runDaemon runs the program in a folder until the benchmark ends, and waits
// until all sources were polled once.
func runDaemon(b *testing.B, dir string) *running {
	b.Helper()
	d, took := startDaemon(b, buildDaemon(b), dir)
	b.Cleanup(func() { d.end(syscall.SIGTERM) })
	b.Logf("the daemon runs after %s", took.Round(10*time.Millisecond))
	time.Sleep(25 * time.Second) // all are polled, and what waits for them is told
	return d
}

// buildDaemon builds the program as it is released.
func buildDaemon(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "deltahook")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "github.com/deltahook/deltahook/cmd/deltahook").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}

// startDaemon runs the program in a folder, and says how long it took until
// the daemon said that it runs.
func startDaemon(b *testing.B, program, dir string) (d *running, took time.Duration) {
	b.Helper()
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer said.Close()
	began := time.Now()
	cmd := exec.CommandContext(context.Background(), program, "run")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	d = &running{process: cmd.Process, ended: cmd.Wait}
	for listen := regexp.MustCompile(`listen=(\S+)`); ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(said.Name())
		if err != nil || time.Since(began) > 3*time.Minute {
			d.end(syscall.SIGKILL)
			b.Fatalf("%v\n%s", err, text)
		}
		if found := listen.FindSubmatch(text); found != nil {
			d.url = "http://" + string(found[1])
			return d, time.Since(began)
		}
	}
}

// end has the daemon end by a signal, and waits until it did.
func (d *running) end(how os.Signal) {
	_ = d.process.Signal(how)
	_ = d.ended()
}

// ask gives an answer, and how long it took.
func (d *running) ask(b *testing.B, path string) (body []byte, took time.Duration) {
	b.Helper()
	began := time.Now()
	resp, err := http.Get(d.url + path)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	took = time.Since(began)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v\n%s", path, resp.Status, err, body[:min(len(body), 500)])
	}
	return body, took
}

// addresses are those of all pages and lists, with filters that match much,
// little, and nothing.
func (d *running) addresses(b *testing.B) []string {
	b.Helper()
	var list struct {
		Deliveries []struct {
			Number uint64 `json:"number"`
			Event  struct {
				ID string `json:"id"`
			} `json:"event"`
		} `json:"deliveries"`
		Next string `json:"next"`
	}
	body, _ := d.ask(b, "/api/v1/deliveries?limit=1&state=dead")
	if err := json.Unmarshal(body, &list); err != nil || len(list.Deliveries) != 1 {
		b.Fatalf("%v\n%s", err, body)
	}
	var sources struct {
		Next string `json:"next"`
	}
	body, _ = d.ask(b, "/api/v1/sources?limit=500")
	if err := json.Unmarshal(body, &sources); err != nil || sources.Next == "" {
		b.Fatalf("%v\n%.500s", err, body)
	}
	one, event, now := list.Deliveries[0].Number, list.Deliveries[0].Event.ID, time.Now().UTC()
	all := []string{
		"/healthz", "/readyz", "/metrics", "/signin", "/config",
		"/", "/?page=100", "/?q=s0999", "/?q=none-is-called-so", "/?state=failing",
		"/sources/s05000", "/sources/s00003", "/sources/long", "/sources/long?q=-04999", "/sources/long?q=there+is+none",
		"/sources/s05000/items?key=s05000-00003", "/sources/s00003/items?key=s00003-00003",
		"/endpoints", "/endpoints/e05", "/endpoints/quiet", "/endpoints/quiet?state=dead", "/endpoints/broken", "/endpoints/broken?state=waiting", "/endpoints/e05?state=expired",
		"/events/" + event, "/dead?cursor=" + list.Next,
		"/api/v1/status", "/api/v1/config", "/api/v1/openapi.json", "/api/v1/holds", "/api/v1/replays",
		"/api/v1/sources", "/api/v1/sources?limit=500", "/api/v1/sources?state=failing", "/api/v1/sources?cursor=" + sources.Next, "/api/v1/sources/s05000",
		"/api/v1/sources/long/items?limit=500", "/api/v1/sources/long/items?q=there+is+none", "/api/v1/sources/long/items?prefix=long-04", "/api/v1/sources/long/items/long-00007",
		"/api/v1/sources/s05000/items/s05000-00003/revisions",
		"/api/v1/endpoints", "/api/v1/endpoints/e05", "/api/v1/events/" + event,
		fmt.Sprintf("/api/v1/deliveries/%d", one), fmt.Sprintf("/api/v1/deliveries/%d/attempts", one), "/api/v1/deliveries?event=" + event,
	}
	since, hour := now.Add(-time.Minute).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)
	for _, filter := range []string{
		"limit=50", "limit=500", "source=s05000", "source=s00003", "source=s00003&key=s00003-00003", "key=s00003-00003", "key=none", "type=none",
		"endpoint=e05", "endpoint=quiet", "endpoint=none", "state=dead", "state=waiting", "state=expired", "state=replayed", "state=dead&endpoint=quiet", "state=dead&source=s00003",
		"state=dead&key=none", "state=waiting&endpoint=quiet", "since=" + url.QueryEscape(since), "until=" + url.QueryEscape(hour), "source=none&since=" + url.QueryEscape(since),
	} {
		all = append(all, "/api/v1/events?"+filter, "/api/v1/deliveries?"+filter)
		if !strings.Contains(filter, "limit") {
			all = append(all, "/events?"+filter)
		}
		if rest, dead := strings.CutPrefix(filter, "state=dead"); dead {
			all = append(all, "/dead?"+strings.TrimPrefix(rest, "&"))
		}
	}
	return all
}

// asked is what was found of one address.
type asked struct {
	path  string
	took  []time.Duration
	cpu   time.Duration
	bytes int
}

// measure asks each address so often.
func (d *running) measure(b *testing.B, paths []string, rounds int) {
	b.Helper()
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	idle := d.idle(b)
	all := make([]asked, len(paths))
	for range rounds {
		for i, path := range paths {
			began, spent := time.Now(), d.spent(b)
			body, took := d.ask(b, path)
			all[i].cpu += d.spent(b) - spent - time.Duration(idle*float64(time.Since(began)))
			all[i].path, all[i].bytes, all[i].took = path, len(body), append(all[i].took, took)
		}
	}
	var slowest, dearest time.Duration
	text := &strings.Builder{}
	for i := range all {
		slices.Sort(all[i].took)
		all[i].cpu = max(all[i].cpu/time.Duration(rounds), 0)
		slowest, dearest = max(slowest, percentile(all[i].took, 99)), max(dearest, all[i].cpu)
	}
	slices.SortFunc(all, func(x, y asked) int { return int(percentile(y.took, 99) - percentile(x.took, 99)) })
	for _, a := range all {
		fmt.Fprintf(text, "%8.1f %8.1f %8.1f %8.2f %9d  %s\n", ms(percentile(a.took, 50)), ms(percentile(a.took, 99)), ms(a.took[len(a.took)-1]), ms(a.cpu), a.bytes, a.path)
	}
	b.Logf("load %s; the daemon takes %.0f %% of a processor for polls, and %d MiB\n%8s %8s %8s %8s %9s  %d addresses, each %d times\n%s",
		strings.Fields(string(load))[0], 100*idle, d.memory(b), "p50 ms", "p99 ms", "most ms", "cpu ms", "bytes", len(paths), rounds, text)
	for _, path := range slow(all) {
		b.Errorf("%s took more than %v at p99", path, mostTime)
	}
	b.ReportMetric(ms(slowest), "p99-ms")
	b.ReportMetric(ms(dearest), "cpu-ms")
}

// mostTime is how long a page or a list may take at its 99th percentile.
const mostTime = 200 * time.Millisecond

// slow are the pages and lists that took longer. Times are in their order.
func slow(all []asked) (paths []string) {
	for _, a := range all {
		if percentile(a.took, 99) > mostTime && a.path != "/metrics" {
			paths = append(paths, a.path)
		}
	}
	return paths
}

func TestSlowPages(t *testing.T) {
	took := func(path string, times ...time.Duration) asked {
		all := append(slices.Repeat([]time.Duration{time.Millisecond}, 300-len(times)), times...)
		return asked{path: path, took: all}
	}
	once, often := []time.Duration{time.Second}, slices.Repeat([]time.Duration{mostTime + 1}, 5)
	got := slow([]asked{took("/"), took("/dead", once...), took("/events", often...), took("/metrics", often...), took("/config", slices.Repeat([]time.Duration{mostTime}, 5)...)})
	if !slices.Equal(got, []string{"/events"}) {
		t.Errorf("slow are %v, want /events", got)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// idle is which part of a processor the daemon takes while nobody asks.
func (d *running) idle(b *testing.B) float64 {
	b.Helper()
	began, spent := time.Now(), d.spent(b)
	time.Sleep(10 * time.Second)
	return float64(d.spent(b)-spent) / float64(time.Since(began))
}

// spent is the processor time that the daemon has taken so far.
func (d *running) spent(b *testing.B) (sum time.Duration) {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.process.Pid))
	if err != nil || len(tasks) == 0 {
		b.Skip("there is no /proc here")
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n)
	}
	return sum
}

// memory is what the daemon has in memory that is not of a file, in MiB.
func (d *running) memory(b *testing.B) int {
	b.Helper()
	return d.status(b, "RssAnon")
}

// status is a size that the kernel gives of the daemon, in MiB.
func (d *running) status(b *testing.B, name string) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(name + `:\s+(\d+)`).FindSubmatch(text)
	if found == nil {
		return 0
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		b.Fatal(err)
	}
	return kib >> 10
}
