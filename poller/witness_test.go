package poller_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
)

// hearer writes down what it is told, times as they are since the start.
type hearer struct {
	mu    sync.Mutex
	start time.Time
	heard []string
}

func (w *hearer) Polls(source string, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, fmt.Sprintf("%s is polled at %s", source, due.Sub(w.start).Round(time.Second)))
}

func (w *hearer) Polled(e poller.End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := "answered"
	if e.Took > 0 {
		what += " after " + e.Took.String()
	}
	if e.Failure != nil {
		what = fmt.Sprintf("%s %d since %s", e.Failure.Class, e.Failures, e.Since.Sub(w.start).Round(time.Second))
	}
	if !e.Due.IsZero() {
		what += fmt.Sprintf(", next %s", e.Due.Sub(w.start).Round(time.Second))
	}
	w.heard = append(w.heard, fmt.Sprintf("%s at %s: %s", e.Source, e.At.Sub(w.start).Round(time.Second), what))
}

func TestWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hearer{start: time.Now()}
		api := func(*http.Request) (*http.Response, error) {
			if time.Since(w.start) < 15*time.Second {
				time.Sleep(7 * time.Millisecond)
			}
			if at := time.Since(w.start); at > 25*time.Second && at < 45*time.Second {
				return nil, errors.New("down")
			}
			return ok(nil)
		}
		failing := poller.Bookmarks{Next: w.start.Add(10 * time.Second), Failures: 7, FailingSince: w.start.Add(-time.Hour)}
		run(t, poller.New(sources(t, api, "", map[string]string{"a": "*/10 * * * * *"}), map[string]poller.Bookmarks{"a": failing}, &sink{},
			poller.Options{Witness: w}), 55*time.Second)
		want := []string{
			"a is polled at 10s",
			"a at 10s: answered after 7ms, next 20s", "a at 20s: answered, next 30s",
			"a at 30s: network 1 since 30s, next 40s", "a at 40s: network 2 since 30s, next 50s",
			"a at 50s: answered, next 1m0s",
		}
		if diff := cmp.Diff(want, w.heard); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWitnessOfWatchKeys: a key that alone fails is no failure of the source;
// where all fail, they count together after a minute.
func TestWitnessOfWatchKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hearer{start: time.Now()}
		api := func(r *http.Request) (*http.Response, error) {
			if time.Since(w.start) > 45*time.Minute || strings.HasSuffix(r.URL.Path, "bad") {
				return reply(500, "")
			}
			return ok(nil)
		}
		s, err := poller.NewSource("w", poller.Settings{
			Schedule: "@every 10m", Request: poller.RequestSettings{URL: "http://x.example/{{ key }}"},
			Watch: poller.WatchSettings{Keys: []string{"bad", "k1", "k2", "k3"}},
		}, poller.ResponseSettings{}, poller.NewClientOver(roundTripper(api), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		p := poller.New([]*poller.Source{s}, nil, &sink{}, poller.Options{Witness: w})
		run(t, p, 80*time.Minute)
		alone, together := []string{}, []string{}
		for _, line := range w.heard {
			switch _, what, _ := strings.Cut(line, "status "); {
			case what == "":
			case strings.HasSuffix(what, "since 47m24s"):
				together = append(together, what[:1])
			default:
				alone = append(alone, what[:1])
			}
		}
		if diff := cmp.Diff([]string{"1", "1", "1", "1", "1"}, alone); diff != "" {
			t.Errorf("while the others are answered: %s", diff)
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, together[:4]); diff != "" {
			t.Errorf("when none is: %s", diff)
		}
		if t.Failed() {
			t.Log(strings.Join(w.heard, "\n"))
		}
	})
}
