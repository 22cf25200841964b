package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/test/loopback"
)

// asked is a poll as it arrived at the API.
type asked struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte
	over   <-chan struct{} // closed when it has its answer, or whoever asked went away
}

// api is a polled API that answers only when the test says what: a poll
// waits until play hands it its answer. As a source's next poll starts only
// when the one before was taken in, a poll that has arrived also says that
// everything the answers before it changed is committed.
type api struct {
	URL     string
	last    asked // the poll that arrived last; valid after settled
	arrived chan asked
	answers chan http.HandlerFunc
	waiting bool // a poll has arrived and has no answer yet
	killed  bool // who polled was killed at some time

	under atomic.Int64 // polls under way
}

func newAPI(tb testing.TB) *api {
	tb.Helper()
	a := &api{arrived: make(chan asked), answers: make(chan http.HandlerFunc)}
	end := make(chan struct{})
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		a.under.Add(1)
		defer a.under.Add(-1)
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return // the poller was killed
		}
		select {
		case a.arrived <- asked{r.Method, r.URL.RequestURI(), r.Header.Clone(), text, r.Context().Done()}:
		case <-r.Context().Done():
			return
		case <-end:
			return
		}
		select {
		case answer := <-a.answers:
			answer(w, r)
		case <-r.Context().Done():
		case <-end:
		}
	})

	tb.Cleanup(func() { close(end); server.CloseClientConnections(); server.Close() })
	a.URL = server.URL
	return a
}

// settled waits for the next poll, and leaves it waiting: what was answered
// before is committed then.
func (a *api) settled(tb testing.TB) {
	tb.Helper()
	if a.waiting {
		return
	}
	select {
	case a.last = <-a.arrived:
		a.waiting = true
	case <-time.After(patience):
		tb.Fatal("no poll came")
	}
}

// play answers the next poll.
func (a *api) play(tb testing.TB, answer http.HandlerFunc) {
	tb.Helper()
	for {
		a.settled(tb)
		a.waiting = false
		select {
		case a.answers <- answer:
			return
		case <-a.last.over:
			if !a.killed {
				tb.Fatal("the poll went away before it was answered")
			}
			// It was sent just before the kill, and noticed after it.
		case <-time.After(patience):
			tb.Fatal("the poll is not answered")
		}
	}
}

// gone waits until nothing is left of the polls of a process that was killed,
// or of a source that is no more: none of them is taken for one that follows.
func (a *api) gone(tb testing.TB) {
	tb.Helper()
	eventually(tb, "polls to go with who asked", func(int) bool { return a.under.Load() == 0 }, 0)
	a.waiting, a.killed = false, true
}

// body is an answer of JSON with status 200.
func body(text []byte) http.HandlerFunc { return reply(http.StatusOK, "application/json", text) }

// reply is a whole answer.
func reply(status int, content string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", content)
		w.WriteHeader(status)
		_, _ = w.Write(text) // the poller may be gone
	}
}

// step is one answer of a sequence and what must follow from it.
type step struct {
	name    string // a fixture of the sequence's API
	status  int    // 0: 200
	content string // the content type; "": application/json
	failed  string // the class by which the poll fails; "": it does not
	// Webhooks as line writes them, in any order; none: nothing is told.
	told []string
}

// playSteps plays a sequence of fixtures to the one source of daemon d, and
// after each step compares what was told. It gives the webhooks.
func playSteps(t *testing.T, d *process, a *api, hooks *receiver, of string, steps []step) []delivery {
	t.Helper()
	var all []delivery
	for _, s := range steps {
		status := s.status
		if status == 0 {
			status = http.StatusOK
		}
		failed := 0.0
		if s.failed != "" {
			failed = d.metric(t, "deltahook_polls_total", `result="`+s.failed+`"`)
		}
		content := s.content
		if content == "" {
			content = "application/json"
		}
		a.play(t, reply(status, content, read(t, of, s.name)))
		a.settled(t)
		if s.failed != "" {
			if n := d.metric(t, "deltahook_polls_total", `result="`+s.failed+`"`); n != failed+1 {
				t.Errorf("%s: the poll did not fail by class %s", s.name, s.failed)
			}
		}
		if n := int(d.metric(t, "deltahook_events_total")) - len(all); n != len(s.told) {
			t.Errorf("%s: %d events are committed, want %d", s.name, n, len(s.told))
		}
		var told []string
		for range s.told {
			got := hooks.next(t)
			all = append(all, got)
			told = append(told, line(t, got))
		}
		slices.Sort(told)
		if diff := cmp.Diff(slices.Sorted(slices.Values(s.told)), told); diff != "" {
			t.Fatalf("%s: told (-want +got):\n%s", s.name, diff)
		}
	}
	if attempts := hooks.attempts(); len(attempts) != len(all) {
		t.Errorf("%d webhooks came, want %d", len(attempts), len(all))
	}
	return all
}

// line is a webhook in one line: type, key, revision, old -> new.
func line(tb testing.TB, d delivery) string {
	tb.Helper()
	text := func(v any) string {
		out, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		return string(out)
	}
	return fmt.Sprintf("%s %s %d %s -> %s", d.Type, d.Data.Key, d.Data.Revision, text(d.Data.Old), text(d.Data.New))
}

// lasting is a configuration in which an attempt at hook may take as long as the
// test does.
func lasting(config string) string {
	return strings.Replace(config, "retry:", "timeout: 2m, retry:", 1)
}

// configured is a configuration of sources (YAML under `sources:`) whose
// events go to hooks.
func configured(hooks *receiver, sources string) string {
	return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
endpoints:
  hook: {url: "%s/hook", secrets: [%s], retry: {schedule: [1s, 1s, 1s, 1s]}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
sources:%s`, hooks.URL, whsec, sources)
}
