package browser

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// whsec is what the tests sign with.
const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// api is what is polled, and the receivers besides: each path answers what was
// set last.
type api struct {
	URL string

	mu      sync.Mutex
	answers map[string]answer
	got     []got
	more    chan struct{} // closed at the next request
}

type answer struct {
	status int
	body   string
}

// got is a request as it arrived.
type got struct{ path, id, body string }

func newAPI(tb testing.TB) *api {
	tb.Helper()
	a := &api{answers: map[string]answer{}, more: make(chan struct{})}
	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// ServeHTTP answers a poll or a webhook. As a proxy it is asked for whole
// addresses; their paths alone count.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Method == http.MethodPost {
		a.got = append(a.got, got{r.URL.Path, r.Header.Get("webhook-id"), string(body)})
		close(a.more)
		a.more = make(chan struct{})
	}
	now, ok := a.answers[r.URL.Path]
	if !ok {
		now = answer{http.StatusOK, "{}"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(now.status)
	_, _ = io.WriteString(w, now.body) // the sender was killed
}

// set has a path answer with a body and status 200.
func (a *api) set(path, body string) { a.fail(path, http.StatusOK, body) }

// fail has a path answer with a status and a body.
func (a *api) fail(path string, status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = answer{status, body}
}

// hooks waits until n webhooks have come to a path, and gives them.
func (a *api) hooks(tb testing.TB, path string, n int) []got {
	tb.Helper()
	late := time.After(patience)
	for {
		a.mu.Lock()
		more, all := a.more, []got(nil)
		for _, g := range a.got {
			if g.path == path {
				all = append(all, g)
			}
		}
		a.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-more:
		case <-late:
			tb.Fatalf("%d webhooks came to %s, want %d", len(all), path, n)
		}
	}
}

// daemon is a running deltahook.
type daemon struct {
	base   string // http://HOST:PORT
	log    *output
	config string // its file
}

// start runs a configuration until the end of the test. {api} in it is the
// address of a, {proxy} the same by another name, for that is a secret, and
// {whsec} a signing secret.
func start(tb testing.TB, a *api, config string) *daemon {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	config = strings.NewReplacer("{api}", a.URL, "{whsec}", whsec, "{proxy}", strings.Replace(a.URL, "127.0.0.1", "localhost", 1)).Replace(config)
	d := &daemon{log: &output{more: make(chan struct{})}, config: filepath.Join(dir, "deltahook.yaml")}
	if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "run")
	cmd.Dir, cmd.Stderr = dir, d.log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed
		close(done)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-done
		if tb.Failed() {
			tb.Logf("deltahook run:\n%s", d.log)
		}
	})
	d.base = "http://" + d.log.says(tb, done, `msg="deltahook runs".* listen=(127\.0\.0\.1:\d+)`)
	return d
}

// output is what a process wrote, and wakes who waits for more of it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next write
}

// Write keeps p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

// String is all that was written up to now.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// says waits until something that matches was written, and gives its group.
func (o *output) says(tb testing.TB, done <-chan struct{}, pattern string) string {
	tb.Helper()
	re, late := regexp.MustCompile(pattern), time.After(patience)
	for {
		o.mu.Lock()
		text, more := o.text.String(), o.more
		o.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		select {
		case <-more:
		case <-done:
			tb.Fatalf("it ended: %s", text)
		case <-late:
			tb.Fatalf("it does not say %q: %s", pattern, text)
		}
	}
}

// list is an answer of items from 1 to n, each with a state.
func list(n int, state string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":"DH-%d","state":%q}`, 1001+i, state)
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}
