package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// TestEndlessPages: a link that always leads on costs a failed poll, and the
// memory of ten answers, not of ten thousand.
func TestEndlessPages(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	polls, pages := 0, 0
	pad := strings.Repeat("x", 1<<20-100)
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		pages++
		if r.URL.Path == "/" {
			polls++
		}
		n := pages
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"items":[{"id":%d}],"next":"/%d","pad":"%s"}`, n, n, pad)
	})
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  endless:
    schedule: "@every 1s"
    request: {url: "%s/", max_body: 1MiB, paginate: {next: next, max_pages: 10000}}
    response: {items: items, id: id}
    changes: {baseline: emit}
`, server.URL)))
	d := start(t, plainBinary(t), dir, "run")
	d.says(t, d.stderr, `err="too_large: page 11: all pages together have over 10 times request.max_body`)
	mu.Lock()
	if pages < 11 || pages > 11*polls {
		t.Errorf("%d pages were asked for in %d polls, want 11 a poll", pages, polls)
	}
	mu.Unlock()
	if n := d.metric(t, "deltahook_events_total"); n != 0 {
		t.Errorf("%v events of a poll that failed", n)
	}
	if peak := peakMemory(t, d); peak > 100<<20 {
		t.Errorf("it took %d MiB of memory, want at most 100", peak>>20)
	}
	d.stop(t)
}

// peakMemory is the most memory that a process had, in bytes.
func peakMemory(t *testing.T, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("only Linux tells: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("the system does not tell the peak")
	}
	kilobytes, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak: %d MiB", kilobytes>>10)
	return kilobytes << 10
}
