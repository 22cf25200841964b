package poller_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/poller"
)

// TestSourceFailingMetric: each source that is polled says whether it fails,
// however seldom it is polled, from the start on; one key that fails among
// others makes no failing source.
func TestSourceFailingMetric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := poller.NewClientOver(roundTripper(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, "bad"), r.URL.Path == "/keys/k" && time.Since(start) > time.Hour:
				return reply(500, "")
			}
			return reply(200, "{}")
		}), poller.ClientOptions{})
		source := func(name, schedule, path string, change func(*poller.Settings)) *poller.Source {
			return made(t, c, name, schedule, func(s *poller.Settings) {
				s.Request.URL = "http://x.example/" + path
				if change != nil {
					change(s)
				}
			})
		}
		watches := func(keys ...string) func(*poller.Settings) {
			return func(s *poller.Settings) { s.Watch.Keys = keys }
		}
		registry := prometheus.NewRegistry()
		says := func(when string, want map[string]float64) {
			t.Helper()
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if f.GetName() == "deltahook_source_failing" {
						got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		failed := poller.Bookmarks{Failures: 1, FailingSince: start, LastError: "status: 500", Next: start.Add(20 * time.Hour)}
		slow := source("slow", "@every 24h", "", nil)
		all := []*poller.Source{
			slow, source("fine", "@every 1h", "", nil),
			source("off", "@every 1h", "bad", func(s *poller.Settings) { s.Disabled = true }),
			source("some", "@every 10m", "keys/{{ key }}", watches("bad", "k", "k2", "k3")),
			source("one", "@every 10m", "keys/{{ key }}", watches("bad")),
		}
		p := poller.New(all, map[string]poller.Bookmarks{"slow": failed, poller.Unit("one", "bad"): failed}, &sink{}, poller.Options{Metrics: registry})
		while(t, p, 24*time.Hour, func() {
			time.Sleep(time.Second / 2)
			says("at the start", map[string]float64{"slow": 1, "fine": 0, "some": 0, "one": 1})
			for range 50 {
				time.Sleep(time.Minute)
				says("while one key of four fails", map[string]float64{"slow": 1, "fine": 0, "some": 0, "one": 1})
			}
			if err := p.Update(t.Context(), []*poller.Source{slow, source("some", "@every 10m", "keys/{{ key }}", watches("bad", "k"))},
				func(context.Context) (map[string]poller.Bookmarks, error) { return nil, nil }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Minute) // both keys are polled
			says("of sources that are left", map[string]float64{"slow": 1, "some": 0})
			time.Sleep(time.Hour)
			says("when all keys fail", map[string]float64{"slow": 1, "some": 1})
			if err := p.PollNow("slow", ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			says("when it works again", map[string]float64{"slow": 0, "some": 1})
		})
	})
}
