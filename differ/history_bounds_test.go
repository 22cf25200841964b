package differ_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
)

// TestEditsOfTheConfiguration holds what becomes of samples where the settings
// change.
func TestEditsOfTheConfiguration(t *testing.T) {
	picked := func(field, path string) differ.ResponseSettings {
		r := listed
		r.Pick = ordered.Map[string]{{Key: field, Value: path}, {Key: "n", Value: "n"}}
		return r
	}
	body := func(n int) string { return fmt.Sprintf(`{"items":[{"id":1,"p":%d,"q":7,"n":%d}]}`, n, n) }
	for name, c := range map[string]struct {
		history  ordered.Map[units.Duration]
		rules    ordered.Map[differ.RuleSettings]
		response differ.ResponseSettings
		asked    string
		want     differ.Window
	}{
		"nothing":            {history("p", day), nil, picked("p", "p"), "p 1d", window(0, 9, 0, 9, 3, 5)},
		"a rule":             {history("p", day), ordered.Map[differ.RuleSettings]{{Key: "x"}}, picked("p", "p"), "p 1d", window(0, 9, 0, 9, 3, 5)},
		"longer":             {history("p", 10*day), nil, picked("p", "p"), "p 10d", window(0, 9, 0, 9, 3, 5)},
		"shorter":            {history("p", time.Hour), nil, picked("p", "p"), "p 1h", window(0, 9, 0, 9, 3, 5)},
		"shorter than known": {history("p", 30*time.Minute), nil, picked("p", "p"), "p 30m", window(1, 9, 1, 9, 15.0/4, 4)},
		"another field":      {history("q", day), nil, listed, "q 1d", window(7, 7, 7, 7, 7, 2)},
		"another path":       {history("p", day), nil, picked("p", "q"), "p 1d", window(7, 7, 7, 7, 7, 2)},
		"another pick": {history("p", day), nil, func() differ.ResponseSettings {
			r := picked("p", "p")
			r.Pick = append(r.Pick, ordered.Entry[string]{Key: "q", Value: "q"})
			return r
		}(), "p 1d", window(0, 9, 0, 9, 18.0/6, 6)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, picked("p", "p"))
			for n := range 4 {
				h.at(h.received.Add(11*time.Minute), body(n))
			}
			h.asked = []string{c.asked}
			h.configure(differ.Settings{Changes: differ.ChangeSettings{History: c.history}, Events: c.rules}, c.response)
			if strings.HasPrefix(name, "another") {
				h.at(h.received.Add(time.Second), body(3)) // a baseline
			}
			got := h.at(h.received.Add(time.Minute), body(9))
			equal(t, "window", got["1"][c.asked], c.want)
			field, _, _ := strings.Cut(c.asked, " ")
			equal(t, "what has samples", slices.Collect(maps.Keys(h.samples())), []string{"1 " + field})
		})
	}
	t.Run("no history", func(t *testing.T) {
		h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed)
		h.at(h.received, body(1))
		h.configure(differ.Settings{}, listed)
		h.at(h.received.Add(time.Minute), body(1))
		equal(t, "samples", len(h.samples()), 0)
	})
}

// TestHistoryIsBounded polls every ten seconds for three days, with a clock
// that is a year ahead, or behind, for a while.
func TestHistoryIsBounded(t *testing.T) {
	h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed, "p 1d")
	bound := func(what string) {
		t.Helper()
		pages := h.samples()["1 p"]
		size := 0
		for _, n := range pages {
			size += len(n.Data)
		}
		if len(pages) > 46 || size > 46*32*50 {
			t.Errorf("%s: %d notes of %d bytes", what, len(pages), size)
		}
		t.Logf("%s: %d notes of %d bytes", what, len(pages), size)
	}
	start := h.received
	for i := range int(3 * day / (10 * time.Second)) {
		h.at(start.Add(time.Duration(i)*10*time.Second), fmt.Sprintf(`{"items":[{"id":1,"p":%d}]}`, i/6))
	}
	bound("every ten seconds")
	got := h.at(h.received.Add(10*time.Second), `{"items":[{"id":1,"p":1000000}]}`)["1"]["p 1d"]
	// Of a bucket of 61 seconds that is half out, all samples count.
	if got.Count < 8640 || got.Count > 8640+6 {
		t.Errorf("a day of ten seconds has %d samples", got.Count)
	}
	for _, off := range []time.Duration{365 * day, -365 * day} {
		right := h.received
		for i := range 2000 {
			h.at(right.Add(off+time.Duration(i)*time.Minute), fmt.Sprintf(`{"items":[{"id":1,"p":%d}]}`, i))
		}
		bound("a wrong clock")
		got := h.at(right.Add(time.Minute), `{"items":[{"id":1,"p":3}]}`)["1"]["p 1d"]
		equal(t, "after a wrong clock", got, window(3, 3, 3, 3, 3, 1))
		got = h.at(h.received.Add(time.Minute), `{"items":[{"id":1,"p":4}]}`)["1"]["p 1d"]
		equal(t, "then", got, window(3, 4, 3, 4, 3.5, 2))
		bound("then")
		h.at(h.received.Add(3*day), `{"items":[]}`)
	}
}

// BenchmarkTakeWithHistory takes lists of 1,000 items whose prices are sampled
// each minute, with a day of samples behind them, and without a history.
func BenchmarkTakeWithHistory(b *testing.B) {
	const items = 1000
	bodies := [2]string{list(items, 0, 0), list(items, 0, 1)} // they differ outside the items
	for _, kept := range []ordered.Map[units.Duration]{nil, history("price", day)} {
		b.Run(fmt.Sprintf("fields=%d", len(kept)), func(b *testing.B) {
			h := newHistorian(b, differ.Settings{Changes: differ.ChangeSettings{History: kept}}, listed)
			h.at(h.received, bodies[0])
			for i := range len(kept) * 1440 {
				h.at(h.received.Add(time.Minute), bodies[i%2])
				h.flush()
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				h.at(h.received.Add(time.Minute), bodies[i%2])
				b.StopTimer()
				h.flush()
				b.StartTimer()
			}
			size, notes := 0, 0
			for _, pages := range h.samples() {
				for _, n := range pages {
					size, notes = size+len(n.Data), notes+1
				}
			}
			if notes > 0 {
				b.ReportMetric(float64(size)/(items*1440), "stored-B/sample")
				b.ReportMetric(float64(size)/float64(notes), "B/note")
			}
		})
	}
}

// BenchmarkWindow evaluates a rule over a day of minutes.
func BenchmarkWindow(b *testing.B) {
	h := newHistorian(b, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed)
	for i := range 1441 {
		h.at(h.received.Add(time.Minute), fmt.Sprintf(`{"items":[{"id":1,"p":%d}]}`, i))
	}
	h.asked = []string{"p 1d"}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		h.at(h.received.Add(time.Minute), fmt.Sprintf(`{"items":[{"id":1,"p":%d}]}`, i%7))
		h.store.commits = nil
	}
}
