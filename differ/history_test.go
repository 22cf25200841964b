package differ_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

const day = 24 * time.Hour

func history(fields ...any) (m ordered.Map[units.Duration]) {
	for i := 0; i < len(fields); i += 2 {
		m = append(m, ordered.Entry[units.Duration]{Key: fields[i].(string), Value: units.Duration(fields[i+1].(time.Duration))})
	}
	return m
}

// historian plays answers to a source with a history, and sees the windows of
// each event as who renders it does.
type historian struct {
	*bench
	asked   []string                            // "field span"
	windows map[string]map[string]differ.Window // of the last answer's events, by key, by what was asked
}

// Render looks through the windows of an event.
func (h *historian) Render(e *differ.Event, _ string) ([]byte, error) {
	h.windows[e.Key] = map[string]differ.Window{}
	for _, ask := range h.asked {
		field, span, _ := strings.Cut(ask, " ")
		w, err := e.Window(field, span)
		if err != nil {
			return nil, err
		}
		h.windows[e.Key][ask] = w
	}
	return []byte("{}"), nil
}

func newHistorian(t testing.TB, s differ.Settings, r differ.ResponseSettings, asked ...string) *historian {
	t.Helper()
	b := &bench{t: t, store: &recorder{Store: mem.New()}, received: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	h := &historian{bench: b, asked: asked}
	h.configure(s, r)
	return h
}

// configure starts a new differ, as a restart does, on what the old one has
// flushed.
func (h *historian) configure(s differ.Settings, r differ.ResponseSettings) {
	h.t.Helper()
	source, err := differ.NewSource("s", s, r, []string{"shop"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.source = source
	h.restart()
}

func (h *historian) restart() {
	h.t.Helper()
	if h.differ != nil {
		h.flush()
	}
	h.differ = differ.New([]*differ.Source{h.source}, h.store, h, h.options)
	if _, err := h.differ.Load(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// flush writes what waits, as an orderly end does.
func (h *historian) flush() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.differ.Run(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// at plays an answer that came at a time, and gives the windows of what it
// changed.
func (h *historian) at(received time.Time, body string) map[string]map[string]differ.Window {
	h.t.Helper()
	h.windows = map[string]map[string]differ.Window{}
	a := &poller.Answer{Source: "s", Status: 200, Pages: [][]byte{[]byte(body)}, Received: received}
	if err := h.differ.Take(h.t.Context(), a); err != nil {
		h.t.Fatalf("taking %.80s: %v", body, err)
	}
	h.received = received
	return h.windows
}

// samples are the notes of samples that the store has, by key and field.
func (h *historian) samples() map[string][]differ.Note {
	h.t.Helper()
	h.flush()
	out := map[string][]differ.Note{}
	for state, err := range h.store.Load(h.t.Context()) {
		if err != nil {
			h.t.Fatal(err)
		}
		for _, n := range state.Notes {
			if rest, ok := strings.CutPrefix(n.Name, "sample/"); ok {
				field := rest[:strings.LastIndexByte(rest, '/')]
				out[n.Key+" "+field] = append(out[n.Key+" "+field], n)
			}
		}
	}
	return out
}

func window(first, last, least, greatest, avg float64, count int) differ.Window {
	return differ.Window{First: first, Last: last, Min: least, Max: greatest, Avg: avg, Count: count}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestWindowHasTheSamplesOfEveryAnswer(t *testing.T) {
	h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed, "p 24h", "p 2m", "p 1m1s")
	start := h.received
	body := func(p string, n int) string { return fmt.Sprintf(`{"items":[{"id":1,"p":%s,"n":%d}]}`, p, n) }
	h.at(start, body("100", 0))                      // the baseline is a sample
	h.at(start.Add(time.Minute), body("100", 0))     // as is an answer that changes nothing
	h.at(start.Add(2*time.Minute), body("100.0", 0)) // however it is spelled
	h.at(start.Add(3*time.Minute), body(`" 94.5 "`, 1))
	equal(t, "with an answer's own sample", h.at(start.Add(4*time.Minute), body("96.5", 2))["1"], map[string]differ.Window{
		"p 24h":  window(100, 96.5, 94.5, 100, 98.2, 5),
		"p 2m":   window(94.5, 96.5, 94.5, 96.5, 95.5, 2), // (2m ago, now]
		"p 1m1s": window(94.5, 96.5, 94.5, 96.5, 95.5, 2),
	})
	// No number is no sample.
	for _, none := range []string{`null`, `"x"`, `"Inf"`, `"0x10"`, `1e999`, `[1]`, `true`} {
		at := h.received.Add(time.Second)
		equal(t, none, h.at(at, body(none, at.Second()))["1"]["p 2m"].Count, 2)
	}
	// A day later there is nothing left.
	late := h.at(h.received.Add(day), body("null", 100))["1"]
	equal(t, "nothing", late["p 24h"], differ.Window{})
	equal(t, "a sample again", h.at(h.received.Add(time.Second), body("7", 101))["1"]["p 24h"], window(7, 7, 7, 7, 7, 1))
}

func TestWindowsAreOfOneItemAndField(t *testing.T) {
	s := differ.Settings{Changes: differ.ChangeSettings{History: history("q.bid", day, "ask", time.Hour)}}
	h := newHistorian(t, s, listed, "q.bid 1d", "ask 1h")
	h.at(h.received, `{"items":[{"id":"a","q":{"bid":1},"ask":2},{"id":"b","q":{"bid":3},"ask":4}]}`)
	got := h.at(h.received.Add(time.Minute), `{"items":[{"id":"b","q":{"bid":5}},{"id":"a","q":{"bid":7},"ask":8}]}`)
	equal(t, "windows", got, map[string]map[string]differ.Window{
		"a": {"q.bid 1d": window(1, 7, 1, 7, 4, 2), "ask 1h": window(2, 8, 2, 8, 5, 2)},
		"b": {"q.bid 1d": window(3, 5, 3, 5, 4, 2), "ask 1h": window(4, 4, 4, 4, 4, 1)},
	})
}

// TestSamplesOfQuietAnswers has answers that change nothing: the same bytes,
// status 304, items in another order. They are samples, and no commits.
func TestSamplesOfQuietAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed, "p 1d")
		const body, turned = `{"items":[{"id":1,"p":5},{"id":2,"p":6}]}`, `{"items":[{"id":2,"p":6},{"id":1,"p":5}]}`
		h.at(h.received, body)
		commits := len(h.store.commits)
		stop := h.run(t)
		unmodified := func() {
			t.Helper()
			h.received = h.received.Add(time.Minute)
			if err := h.differ.Take(t.Context(), &poller.Answer{Source: "s", Unmodified: true, Received: h.received}); err != nil {
				t.Fatal(err)
			}
		}
		h.at(h.received.Add(time.Minute), body)
		h.at(h.received.Add(time.Minute), turned)
		unmodified()
		if h.store.kept.Load() != 0 {
			t.Error("a sample waited for the disk")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if h.store.kept.Load() == 0 {
			t.Error("samples are not on disk after six seconds")
		}
		stop()
		h.restart()
		unmodified() // the first that this process hears: what is stored still holds
		unmodified()
		if len(h.store.commits) != commits {
			t.Error("a sample was committed")
		}
		got := h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":7},{"id":2,"p":6},{"id":3,"p":1}]}`)
		equal(t, "windows", got, map[string]map[string]differ.Window{
			"1": {"p 1d": window(5, 7, 5, 7, 37.0/7, 7)},
			"3": {"p 1d": window(1, 1, 1, 1, 1, 1)},
		})
		// The one that is new has a sample of the same answer again.
		got = h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":7},{"id":2,"p":6},{"id":3,"p":1}]}`)
		equal(t, "windows of nothing", len(got), 0)
		got = h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":7},{"id":2,"p":6},{"id":3,"p":4}]}`)
		equal(t, "of the new one", got["3"]["p 1d"], window(1, 4, 1, 4, 2, 3))
	})
}

// TestNoSampleOfWhatIsNotListed holds that only an answer that lists an item,
// and knows it, is a sample of it.
func TestNoSampleOfWhatIsNotListed(t *testing.T) {
	r := listed
	r.ItemOK = "item.ok != false"
	const both, one, doubt = `{"items":[{"id":1,"p":1},{"id":2,"p":1}]}`, `{"items":[{"id":1,"p":1}]}`, `{"items":[{"id":1,"p":1},{"id":2,"p":1,"ok":false}]}`
	for name, c := range map[string]struct {
		settings differ.Settings
		response differ.ResponseSettings
		answers  []string
		want     int // of item 2, with its own
	}{
		"absent":        {response: r, answers: []string{both, one, both}, want: 3},
		"unknown":       {response: r, answers: []string{both, doubt, doubt, doubt, both}, want: 3},
		"kept":          {response: kept(r), answers: []string{both, one, one, one, both}, want: 3},
		"unknown, kept": {response: kept(r), answers: []string{both, doubt, doubt, one, both, both}, want: 4},
		"not confirmed": {settings: differ.Settings{Changes: differ.ChangeSettings{Confirm: 2}}, response: r,
			answers: []string{one, both, one, both, both, both}, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			c.settings.Changes.History = history("p", day)
			h := newHistorian(t, c.settings, c.response, "p 1d")
			for _, body := range c.answers {
				h.at(h.received.Add(time.Minute), body)
			}
			changed := strings.Replace(both, `"id":2,"p":1`, `"id":2,"p":9`, 1)
			got := h.at(h.received.Add(time.Minute), changed)
			if c.settings.Changes.Confirm > 1 {
				c.want++
				got = h.at(h.received.Add(time.Minute), changed)
			}
			equal(t, "samples", got["2"]["p 1d"].Count, c.want)
		})
	}
}

func kept(r differ.ResponseSettings) differ.ResponseSettings {
	r.Absent = "kept"
	return r
}

func TestSamplesGoWithTheItem(t *testing.T) {
	const both, one = `{"items":[{"id":1,"p":1},{"id":2,"p":1}]}`, `{"items":[{"id":1,"p":2}]}`
	says := listed
	says.DeletedWhen = "item.gone == true"
	forgets := kept(listed)
	forgets.ForgetAfter = units.Duration(time.Hour)
	for name, c := range map[string]struct {
		response differ.ResponseSettings
		play     func(h *historian)
	}{
		"not listed": {listed, func(h *historian) { h.at(h.received.Add(time.Minute), one) }},
		"says so": {says, func(h *historian) {
			h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":2},{"id":2,"p":1,"gone":true}]}`)
		}},
		"forgotten": {forgets, func(h *historian) { h.at(h.received.Add(3*time.Hour), one) }},
		"not in baseline": {listed, func(h *historian) {
			other := listed
			other.Ignore = []string{"x"}
			h.configure(atOnce(differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}), other)
			h.at(h.received.Add(time.Minute), one)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistorian(t, atOnce(differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}), c.response, "p 1d")
			h.at(h.received, both)
			if n := len(h.samples()); n != 2 {
				t.Fatalf("samples of %d items, want 2", n)
			}
			c.play(h)
			equal(t, "what has samples", slices.Collect(maps.Keys(h.samples())), []string{"1 p"})
			got := h.at(h.received.Add(time.Minute), strings.Replace(both, "1}]", "3}]", 1))
			equal(t, "one that came back", got["2"]["p 1d"], window(3, 3, 3, 3, 3, 1))
		})
	}
}

// TestDeletionSeesTheWindow has the samples there for the rule that tells it.
func TestDeletionSeesTheWindow(t *testing.T) {
	rules := ordered.Map[differ.RuleSettings]{{Key: "fell", Value: differ.RuleSettings{On: []string{"deleted"}, When: `pct(window("p", "1d").max, old.p) < -50`}}}
	h := newHistorian(t, atOnce(differ.Settings{Events: rules, Changes: differ.ChangeSettings{History: history("p", day)}}), listed, "p 1d")
	h.at(h.received, `{"items":[{"id":1,"p":9},{"id":2,"p":4}]}`)
	h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":4},{"id":2,"p":4}]}`)
	equal(t, "windows", h.at(h.received.Add(time.Minute), `{"items":[]}`), map[string]map[string]differ.Window{"1": {"p 1d": window(9, 4, 4, 9, 6.5, 2)}})
}
