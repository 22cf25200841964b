package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a process wrote, and wakes whoever waits for more of it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

// Write keeps p and wakes who waits.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

// String is all that was written up to now.
func (o *output) String() string {
	text, _ := o.now()
	return text
}

func (o *output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.more
}

// process is a started deltahook.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when it has ended and its output is complete
	addr           string        // cache of Addr
}

// start runs a binary with args in the folder dir. It is killed at the end of
// the test if it still runs.
func start(tb testing.TB, binary, dir string, args ...string) *process {
	tb.Helper()
	return startEnv(tb, binary, dir, nil, args...)
}

// startEnv is start with further variables, each NAME=VALUE.
func startEnv(tb testing.TB, binary, dir string, env []string, args ...string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(binary, args...), stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit status is read from the state
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("%s %s\nstdout:\n%s\nstderr:\n%s", filepath.Base(binary), strings.Join(args, " "), tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

// tail is the end of a long text.
func tail(text string) string {
	const most = 8 << 10
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// signal sends a signal.
func (p *process) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}

// exit waits for the end of the process, within limit, and gives its status.
func (p *process) exit(tb testing.TB, limit time.Duration) int {
	tb.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		tb.Fatalf("%s has not ended after %s", p.cmd.Args, limit)
		return -1
	}
}

// stop ends the process by SIGTERM and wants it to end well.
func (p *process) stop(tb testing.TB) {
	tb.Helper()
	p.signal(tb, syscall.SIGTERM)
	if status := p.exit(tb, patience); status != 0 {
		tb.Errorf("after SIGTERM it ended with status %d, want 0", status)
	}
}

// says waits until the process wrote something that matches to o, and gives
// the match and its groups.
func (p *process) says(tb testing.TB, o *output, pattern string) []string {
	tb.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(patience)
	for ended := false; ; {
		text, more := o.now()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		if ended {
			tb.Fatalf("it ended with status %d and did not say %q", p.cmd.ProcessState.ExitCode(), pattern)
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-deadline:
			tb.Fatalf("it does not say %q", pattern)
		}
	}
}

// Addr is the host and port of the daemon's admin address, as it logs it.
func (p *process) Addr(tb testing.TB) string {
	tb.Helper()
	if p.addr == "" {
		p.addr = p.says(tb, p.stderr, `msg="deltahook runs".* listen=(127\.[\d.]+:\d+)`)[1]
	}
	return p.addr
}

// get asks the admin address.
func (p *process) get(tb testing.TB, path string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+p.Addr(tb)+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// metric is the sum of all series of a name whose labels hold every one of
// the texts (`source="a"`); a series that isn't there is 0.
func (p *process) metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	status, body := p.get(tb, "/metrics")
	if status != http.StatusOK {
		tb.Fatalf("/metrics answered %d: %s", status, body)
	}
	var sum float64
series:
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || (rest[0] != '{' && rest[0] != ' ') {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			tb.Fatalf("/metrics: %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// write makes a file of a test.
func write(tb testing.TB, dir, name, text string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
