package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// polled is a source s that is polled each minute, as the poller tells of it.
type polled struct {
	*calendar
	every    time.Duration
	failures int
	since    time.Time
}

func runAlerts(t *testing.T, test func(t *testing.T, p *polled)) {
	t.Helper()
	runCalendar(t, differ.Settings{}, func(t *testing.T, c *calendar) {
		c.stop()
		c.options.Alerts, c.options.FailingAfter, c.options.StaleAfter = []string{"ops", "mail"}, 3, 24*time.Hour
		c.start()
		test(t, &polled{calendar: c, every: time.Minute})
	})
}

func (p *polled) begin() { p.start(); p.differ.Polls("s", p.now()) }

// fail lets n polls fail, each after the interval.
func (p *polled) fail(n int) {
	for range n {
		time.Sleep(p.every)
		if p.failures++; p.failures == 1 {
			p.since = p.now()
		}
		p.differ.Polled(poller.End{
			Source: "s", At: p.now(), Due: p.now().Add(p.every), Since: p.since, Failures: p.failures,
			Failure: poller.Failf(poller.ClassStatus, "503 of https://x.example with hunter2"),
		})
	}
}

func (p *polled) succeed() {
	time.Sleep(p.every)
	p.failures = 0
	p.differ.Polled(poller.End{Source: "s", At: p.now(), Due: p.now().Add(p.every)})
}

// expectAlerts compares what was told since it was asked last: "TYPE RECEIVER…".
func (p *polled) expectAlerts(want ...string) {
	p.t.Helper()
	p.compareAlerts(want, p.alertsTold())
}

// expectAlertsAtOnce does so for alerts of which none comes before another.
func (p *polled) expectAlertsAtOnce(want ...string) {
	p.t.Helper()
	p.compareAlerts(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(p.alertsTold())))
}

func (p *polled) alertsTold() (got []string) {
	for _, e := range p.told() {
		line := e.Type
		for _, b := range e.Bodies {
			line += " " + b.Endpoint
		}
		got = append(got, line)
	}
	return got
}

func (p *polled) compareAlerts(want, got []string) {
	p.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		p.t.Errorf("at %s, told (-want +got):\n%s", p.now().UTC().Format(time.RFC3339), diff)
	}
}

// data is what the event that was told last says.
func (p *polled) data() string {
	all := p.store.told()
	return string(all[len(all)-1].Data)
}

func TestSourceFailing(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.stop()
		p.options.Hide = func(s string) string { return strings.ReplaceAll(s, "hunter2", "<secret>") }
		p.begin()
		p.succeed()
		p.fail(2)
		p.expectAlerts()
		p.fail(1)
		p.expectAlerts("source.failing ops mail")
		want := `{"source":"s","since":"2000-01-01T00:02:00Z","failures":3,"class":"status","error":"503 of https://x.example with <secret>","advice":"wait: it is the API that fails, and it is asked again"}`
		if got := p.data(); got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		p.fail(20)
		p.restart()
		p.fail(5)
		p.kill()
		p.begin()
		p.fail(5)
		p.expectAlerts()
		p.succeed()
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
		if got, want := p.data(), `{"source":"s","since":"2000-01-01T00:02:00Z","failures":33,"was":["source.failing"]}`; got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		p.restart()
		p.succeed()
		p.expectAlerts()
	})
}

// TestRecoveredWhileNothingRan: what was told to be wrong is told to be over.
func TestRecoveredWhileNothingRan(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.fail(3)
		p.expectAlerts("source.failing ops mail")
		p.kill()
		p.begin()
		time.Sleep(time.Hour) // no poll has ended: nothing is known
		p.expectAlerts()
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
		if got, want := p.data(), `{"source":"s","since":"2000-01-01T00:01:00Z","was":["source.failing"]}`; got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
	})
}

// TestAlertsOfAStoreThatFails: they are told when it works, once, whether the
// commit that failed was done or not.
func TestAlertsOfAStoreThatFails(t *testing.T) {
	runAlerts(t, func(_ *testing.T, p *polled) {
		p.store.fail(errors.New("full"), nil)
		p.fail(3)
		p.expectAlerts()
		p.fail(3)
		p.store.fail(nil, nil)
		time.Sleep(10 * time.Minute)
		p.expectAlerts("source.failing ops mail")
		p.store.fail(nil, errors.New("who knows"))
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
		p.store.fail(nil, nil)
		time.Sleep(10 * time.Minute)
		p.succeed()
		p.expectAlerts()
	})
}

func TestFlappingIsDamped(t *testing.T) {
	runAlerts(t, func(_ *testing.T, p *polled) {
		p.fail(3)
		p.succeed()
		p.expectAlerts("source.failing ops mail", "source.recovered ops mail")
		for range 2 { // until 12 minutes
			p.fail(3)
			p.succeed()
		}
		p.expectAlerts()
		p.every = time.Second
		p.fail(3)
		p.expectAlerts()
		p.restart()
		time.Sleep(58 * time.Second) // 10 minutes after the first at 0:03
		p.fail(1)
		p.expectAlerts("source.failing ops mail")
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
		// What begins again too soon and lasts is told by the clock alone.
		p.fail(3)
		p.expectAlerts()
		time.Sleep(10 * time.Minute)
		p.expectAlerts("source.failing ops mail")
	})
}

func TestStale(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.stop()
		p.options.FailingAfter = 0
		p.begin()
		p.every = time.Hour
		p.succeed()
		p.fail(24)
		p.expectAlerts()
		p.restart() // the polls that failed are counted on
		p.fail(1)
		p.expectAlerts("source.stale ops mail")
		want := `{"source":"s","since":"2000-01-01T02:00:00Z","stale_after":"1d","failures":25,"class":"status",` +
			`"error":"503 of https://x.example with hunter2","advice":"wait: it is the API that fails, and it is asked again"}`
		if got := p.data(); got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		p.fail(100)
		p.restart()
		p.fail(2)
		p.expectAlerts()
		p.succeed()
		p.expectAlerts("source.recovered ops mail")

		p.every = 7 * 24 * time.Hour // by such a schedule nothing is missed for long
		p.differ.Polled(poller.End{Source: "s", At: p.now(), Due: p.now().Add(p.every)})
		p.succeed()
		p.expectAlerts()
		time.Sleep(8*24*time.Hour - time.Second) // but that poll did not come about
		p.expectAlerts()
		time.Sleep(time.Second)
		p.expectAlerts("source.stale ops mail")
		if got, want := p.data(), `"since":"2000-01-20T09:00:00Z"`; !strings.Contains(got, want) || strings.Contains(got, "failures") {
			t.Errorf("it says %s", got)
		}
		p.every = time.Minute
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
	})
}

// TestStaleEndsTogetherWithFailing: one event ends both.
func TestStaleEndsTogetherWithFailing(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.fail(25 * 60)
		p.expectAlerts("source.failing ops mail", "source.stale ops mail")
		p.succeed()
		p.expectAlerts("source.recovered ops mail")
		if got := p.data(); !strings.Contains(got, `"was":["source.failing","source.stale"]`) {
			t.Errorf("it says %s", got)
		}
	})
}

// TestAlertsComeBeforeTheFirstAnswer: what is told of a source is not taken for
// an answer of it.
func TestAlertsComeBeforeTheFirstAnswer(t *testing.T) {
	runAlerts(t, func(_ *testing.T, p *polled) {
		p.stop()
		p.settings.Changes.Baseline.Emit = true
		p.begin()
		p.fail(3)
		p.expectAlerts("source.failing ops mail")
		p.restart()
		p.take("a", "b")
		p.expect("s.created a@1 00:03:00", "s.created b@1 00:03:00")
	})
}

// TestAlertsToNobody: who is configured later is told of what still is so.
func TestAlertsToNobody(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.stop()
		p.options.Alerts = nil
		log := &capture{}
		p.options.Logger = log.logger()
		p.begin()
		p.fail(25 * 60)
		p.succeed()
		p.fail(4)
		p.differ.EndpointIs(differ.EndpointHealth{Endpoint: "shop", Condition: differ.EndpointFailing})
		p.expectAlerts()
		if n := strings.Count(log.String(), "no poll has succeeded for long"); n != 1 {
			t.Errorf("that it is stale was logged %d times, want once:\n%s", n, log)
		}
		p.stop()
		p.options.Alerts = []string{"ops"}
		p.begin()
		p.fail(1)
		p.expectAlerts("source.failing ops")
		p.stop()
		p.options.Alerts = nil
		p.begin()
		p.succeed()
		p.expectAlerts()
		p.stop()
		p.options.Alerts = []string{"ops"}
		p.begin()
		p.succeed()
		p.expectAlerts()
	})
}

// endpoint tells how one fares.
func (p *polled) endpoint(name string, c differ.EndpointCondition) {
	h := differ.EndpointHealth{Endpoint: name, Condition: c, Since: p.now(), Waiting: 2}
	if c != differ.EndpointOK {
		h.Reason = "the receiver answered 503"
	}
	if c == differ.EndpointPaused {
		h.Cause = "outage"
	}
	p.differ.EndpointIs(h)
	p.expectNothingOf(name)
}

// expectNothingOf wants no event about an endpoint to go there.
func (p *polled) expectNothingOf(name string) {
	p.t.Helper()
	for _, e := range p.store.told() {
		for _, b := range e.Bodies {
			if b.Endpoint == name && strings.Contains(string(e.Data), fmt.Sprintf(`"endpoint":%q`, name)) {
				p.t.Errorf("%s of %s went to it", e.Type, name)
			}
		}
	}
}

func TestEndpointsAreToldOfToOthers(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		p.endpoint("shop", differ.EndpointFailing)
		p.expectAlerts("endpoint.failing ops mail")
		if got, want := p.data(), `{"endpoint":"shop","since":"2000-01-01T00:00:00Z","reason":"the receiver answered 503","waiting":2}`; got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		time.Sleep(time.Hour)
		p.endpoint("shop", differ.EndpointPaused)
		p.expectAlerts("endpoint.paused ops mail")
		p.restart()
		p.endpoint("shop", differ.EndpointPaused) // as it is found at a start
		p.expectAlerts()
		p.restart()
		p.endpoint("shop", differ.EndpointOK)
		p.expectAlerts("endpoint.recovered ops mail")
		if got, want := p.data(), `{"endpoint":"shop","since":"2000-01-01T00:00:00Z","waiting":2,"was":["endpoint.failing","endpoint.paused"]}`; got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		p.endpoint("shop", differ.EndpointOK)
		p.restart()
		p.endpoint("shop", differ.EndpointOK)
		p.expectAlerts()
	})
}

// TestEndpointsThatAllFail: none is told of itself, nor while it fails; it is
// told later of what still is so.
func TestEndpointsThatAllFail(t *testing.T) {
	runAlerts(t, func(_ *testing.T, p *polled) {
		p.endpoint("ops", differ.EndpointFailing)
		p.expectAlerts("endpoint.failing mail")
		p.endpoint("mail", differ.EndpointFailing)
		p.endpoint("shop", differ.EndpointFailing)
		p.expectAlerts()
		time.Sleep(time.Hour)
		for _, name := range []string{"ops", "mail", "shop"} {
			p.endpoint(name, differ.EndpointPaused)
		}
		p.expectAlerts()
		p.endpoint("ops", differ.EndpointOK)
		p.expectAlertsAtOnce("endpoint.paused ops", "endpoint.paused ops", "endpoint.recovered mail")
		p.endpoint("mail", differ.EndpointOK)
		p.expectAlerts("endpoint.recovered ops")
		p.endpoint("shop", differ.EndpointOK)
		p.expectAlerts("endpoint.recovered ops mail")
	})
}

// TestTheEndIsToldToWhoIsDown: who was told how it began is told how it ended,
// also where it is down by then; it waits in its queue.
func TestTheEndIsToldToWhoIsDown(t *testing.T) {
	for _, down := range []differ.EndpointCondition{differ.EndpointFailing, differ.EndpointPaused} {
		runAlerts(t, func(_ *testing.T, p *polled) {
			p.endpoint("ops", differ.EndpointFailing)
			p.expectAlerts("endpoint.failing mail")
			p.endpoint("mail", down)
			p.expectAlerts() // ops is down too
			p.endpoint("ops", differ.EndpointOK)
			p.expectAlertsAtOnce("endpoint."+string(down)+" ops", "endpoint.recovered mail")
			p.endpoint("mail", differ.EndpointOK)
			p.expectAlerts("endpoint.recovered ops")
			p.restart()
			p.endpoint("ops", differ.EndpointOK)
			p.endpoint("mail", differ.EndpointOK)
			p.expectAlerts()
		})
	}
}

func TestAuthExpired(t *testing.T) {
	runAlerts(t, func(t *testing.T, p *polled) {
		shared := differ.Access{Auth: "shop", Sources: []string{"s", "t"}, Endpoints: []string{"mail"}, Setting: "auth.shop.oauth2.refresh_token", Expired: true}
		own := differ.Access{Sources: []string{"s"}, Setting: "sources.s.request.auth.oauth2.refresh_token", Expired: true}
		p.differ.AccessIs(shared)
		p.expectAlerts("auth.expired ops") // mail needs it
		want := `{"auth":"shop","sources":["s","t"],"endpoints":["mail"],"setting":"auth.shop.oauth2.refresh_token",` +
			`"advice":"allow access again, put the new refresh token into the setting, and reload"}`
		if got := p.data(); got != want {
			t.Errorf("it says %s\nwant    %s", got, want)
		}
		p.differ.AccessIs(own)
		p.expectAlerts("auth.expired ops mail")
		if all := p.store.told(); all[0].Source != "auth/shop" || all[1].Source != "sources/s/auth" {
			t.Errorf("they are of %s and %s", all[0].Source, all[1].Source)
		}
		p.kill()
		p.begin()
		p.differ.AccessIs(shared)
		p.differ.AccessIs(own)
		p.expectAlerts()
		shared.Expired = false
		p.restart()
		p.differ.AccessIs(shared)
		time.Sleep(time.Hour)
		shared.Expired = true
		p.restart()
		p.differ.AccessIs(shared)
		p.differ.AccessIs(own)
		p.expectAlerts("auth.expired ops")
	})
}

// TestAlertsAtRandom plays polls and ends of the process at random: failing and
// recovered alternate, failing is told at most once in ten minutes, and in the
// end what was told last is true.
func TestAlertsAtRandom(t *testing.T) {
	for seed := range uint64(40) {
		runAlerts(t, func(t *testing.T, p *polled) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			for range 200 {
				switch n := rnd.IntN(20); {
				case n < 9:
					p.fail(1)
				case n < 14:
					p.succeed()
				case n == 14:
					p.kill()
					p.begin()
				case n == 15:
					p.restart()
				case n == 16:
					p.store.fail(errors.New("full"), nil)
				case n == 17:
					p.store.fail(nil, errors.New("who knows"))
				default:
					p.store.fail(nil, nil)
				}
			}
			p.store.fail(nil, nil)
			if rnd.IntN(2) == 0 {
				p.fail(15)
			}
			p.succeed()
			time.Sleep(2 * time.Minute) // what the store refused is tried again
			p.succeed()
			want, last := differ.TypeSourceFailing, time.Time{}
			for i, e := range p.told() {
				var data struct{ Source string }
				if err := json.Unmarshal(e.Data, &data); err != nil || data.Source != "s" {
					t.Fatalf("told %s: %v", e.Data, err)
				}
				if e.Type != want {
					t.Fatalf("seed %d: event %d is %s, want %s", seed, i, e.Type, want)
				}
				if want = differ.TypeSourceFailing; e.Type == want {
					if !last.IsZero() && e.Time.Sub(last) < 10*time.Minute {
						t.Errorf("seed %d: told at %s and %s", seed, last, e.Time)
					}
					want, last = differ.TypeSourceRecovered, e.Time
				}
			}
			if want != differ.TypeSourceFailing {
				t.Errorf("seed %d: it works, and that was not told", seed)
			}
		})
	}
}
