// Package recipes_test plays each recipe through the built daemon, against a
// simulator that answers as its API does. What is known of the APIs is on the
// pages in docs/recipes.
package recipes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/deltahook/deltahook/test/loopback"
)

const (
	patience = 30 * time.Second
	whsec    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

var program string // the built binary

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deltahook-recipes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "deltahook")
	out, err := exec.Command("go", "build", "-o", program, "github.com/deltahook/deltahook/cmd/deltahook").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	// The plays wait for polls most of the time, so more of them than there
	// are processors; -parallel wins.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // what is left lies in the system's temporary folder
		os.Exit(code)
	}))
}

// api is a simulated API. It answers tokens at once. The first request of a
// poll waits until the test says what the poll gets; further pages come from
// the same answer. As a poll starts when the one before was taken in, a poll
// that waits also says that what came before is committed.
type api struct {
	URL string

	tokens  func(http.ResponseWriter, *http.Request) bool // whether it was for a token
	further func(*http.Request) bool                      // whether it is for a further page
	refuse  func(*http.Request) string                    // what the API would not take

	arrived chan struct{}
	answers chan http.HandlerFunc
	waiting bool
}

func newAPI(t *testing.T, p play) *api {
	t.Helper()
	a := &api{tokens: p.tokens, further: p.further, refuse: p.refuse, arrived: make(chan struct{}), answers: make(chan http.HandlerFunc)}
	end := make(chan struct{})
	var mu sync.Mutex
	var current http.HandlerFunc
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the poller was killed
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if a.tokens != nil && a.tokens(w, r) {
			return
		}
		if a.refuse != nil {
			if why := a.refuse(r); why != "" {
				t.Errorf("%s %s: %s", r.Method, r.URL, why)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		mu.Lock()
		answer := current
		mu.Unlock()
		if a.further == nil || !a.further(r) {
			select {
			case a.arrived <- struct{}{}:
			case <-r.Context().Done():
				return
			case <-end:
				return
			}
			select {
			case answer = <-a.answers:
			case <-r.Context().Done():
				return
			case <-end:
				return
			}
			mu.Lock()
			current = answer
			mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	})
	t.Cleanup(func() { close(end); server.CloseClientConnections(); server.Close() })
	a.URL = server.URL
	return a
}

// settled waits for the next poll and leaves it waiting.
func (a *api) settled(t *testing.T) {
	t.Helper()
	if a.waiting {
		return
	}
	select {
	case <-a.arrived:
		a.waiting = true
	case <-time.After(patience):
		t.Fatal("no poll came")
	}
}

func (a *api) play(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	a.settled(t)
	select {
	case a.answers <- answer:
		a.waiting = false
	case <-time.After(patience):
		t.Fatal("the poll went away before it was answered")
	}
}

// rests fails if there is a poll.
func (a *api) rests(t *testing.T) {
	t.Helper()
	select {
	case <-a.arrived:
		a.waiting = true
		t.Error("a key that has come to its end is polled")
	case <-time.After(2500 * time.Millisecond): // two intervals and a half
	}
}

// newReceiver gives the URL of a receiver and its webhooks, each as one line:
// type, key, and of an update the fields that differ, of lists what the diff
// says.
func newReceiver(t *testing.T) (string, <-chan string) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(whsec)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1000)
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var hook struct {
			Type string `json:"type"`
			Data struct {
				Key  string         `json:"key"`
				Old  map[string]any `json:"old"`
				New  map[string]any `json:"new"`
				Diff []struct {
					Op   string `json:"op"`
					Path string `json:"path"`
				} `json:"diff"`
			} `json:"data"`
		}
		if err := errors.Join(verifier.Verify(body, r.Header), json.Unmarshal(body, &hook)); err != nil {
			t.Errorf("webhook: %v: %s", err, body)
		}
		line := hook.Type + " " + hook.Data.Key
		for _, name := range slices.Sorted(maps.Keys(hook.Data.New)) {
			was, is := hook.Data.Old[name], hook.Data.New[name]
			if hook.Data.Old == nil || reflect.DeepEqual(was, is) {
				continue
			}
			if _, list := is.([]any); !list {
				line += fmt.Sprintf(" %s:%v->%v", name, was, is)
				continue
			}
			line += " " + name + ":"
			for _, op := range hook.Data.Diff {
				if at, within := strings.CutPrefix(op.Path, "/"+name+"/"); within {
					line += fmt.Sprintf("(%s %s)", op.Op, at)
				}
			}
		}
		got <- near.ReplaceAllStringFunc(line, func(at string) string {
			if then, err := time.Parse("2006-01-02T15:04:05", at[:19]); err == nil && time.Since(then).Abs() < 24*time.Hour {
				return "soon"
			}
			return at
		})
	})
	t.Cleanup(server.Close)
	return server.URL, got
}

// near is a time in a webhook's line, in UTC; one that is not a day away is
// "soon" there.
var near = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?`)

var schedule = regexp.MustCompile(`(?m)^( +)schedule: .*$`)

// process is a daemon that runs a recipe.
type process struct{ socket, source string }

// put adds a watch key as a shop would, though over the socket beside the
// store.
func (p process) put(t *testing.T, key string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", p.socket)
		},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost/api/v1/sources/"+p.source+"/watches/"+key, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT of the key %s answered %s", key, resp.Status)
	}
}

// daemon starts the recipe as `deltahook init` writes it; only when and how
// fast it polls is changed, and where the receiver may be.
func daemon(t *testing.T, recipe string, env []string) process {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}, env...)
		return cmd
	}
	if out, err := run("init", recipe, "-o", "config.yaml").CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	check := run("check", "--config", "config.yaml")
	for _, name := range []string{"WEBHOOK", "SLACK", "DISCORD", "TEAMS", "ZAPIER"} {
		check.Env = append(check.Env, name+"_URL=https://receiver.example/hook") // the later one counts
	}
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("check: %v\n%s", err, out)
	} else if strings.Contains(string(out), "(warning)") {
		t.Errorf("check warns:\n%s", out)
	}
	path := filepath.Join(dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = schedule.ReplaceAll(text, []byte(`${1}schedule: "@every 1s"`))
	text = regexp.MustCompile(`(?m)^ +jitter: .*\n`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`rate: \d+/\w+`).ReplaceAll(text, []byte("rate: 1000/s"))
	text = append(text, "\nserver: {listen: \"\"}\negress: {endpoints: {allow: [127.0.0.0/8]}}\n"...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := run("run", "--config", "config.yaml")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
		if t.Failed() {
			t.Logf("the daemon said:\n%s", &log)
		}
		for _, v := range env {
			if _, secret, _ := strings.Cut(v, "="); strings.HasPrefix(secret, "hidden-") && strings.Contains(log.String(), secret) {
				t.Errorf("a secret is in the log: %s", v)
			}
		}
	})
	source := regexp.MustCompile(`(?m)^sources:\n  ([a-z-]+):`).FindSubmatch(text)
	if source == nil {
		t.Fatal("the recipe has no source")
	}
	return process{filepath.Join(dir, "deltahook.db.sock"), string(source[1])}
}

// fixture is a recorded answer, which lies beside the checkout and is not
// copied into it.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	for _, dir := range []string{"../../../shared/fixtures", os.Getenv("DELTAHOOK_FIXTURES")} {
		if text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err == nil && dir != "" {
			return text
		}
	}
	t.Skipf("the recorded answer %s is not here", name)
	return nil
}
