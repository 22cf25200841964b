package differ_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
)

// modelSample is a sample as a plain list holds it, in the order of arrival.
type modelSample struct {
	at int64 // Unix milliseconds
	v  float64
}

// byTime orders samples of a model.
func byTime(a, b modelSample) int { return cmp.Compare(a.at, b.at) }

// model is all samples of an item, with no more cleverness than the documents
// have: buckets of 61 seconds for a day, of which those of up to two samples
// are exact, and pages of 32 buckets, which go when they are a day away.
type model []modelSample

const (
	modelWidth = 61_000
	modelPage  = 32 * modelWidth
	modelKeep  = 24 * 60 * 60 * 1000
)

func below(a, b int64) int64 { // a/b, rounded down
	return (a - ((a%b)+b)%b) / b
}

func (m model) add(at int64, v float64) model {
	m = slices.DeleteFunc(m, func(s modelSample) bool {
		begin := below(s.at, modelPage) * modelPage
		return begin+modelPage <= at-modelKeep || begin > at+modelKeep
	})
	return append(m, modelSample{at, v})
}

// window is that of span up to now; own is the answer's, nil where it has none.
func (m model) window(now, span int64, own *float64) (w differ.Window) {
	buckets := map[int64][]modelSample{}
	for _, s := range m {
		i := below(s.at, modelWidth)
		buckets[i] = append(buckets[i], s)
	}
	var in []modelSample
	for _, s := range m {
		inside := s.at > now-span && s.at <= now
		if b := buckets[below(s.at, modelWidth)]; len(b) > 2 {
			first, last := slices.MinFunc(b, byTime).at, slices.MaxFunc(b, byTime).at
			inside = last > now-span && first <= now
		}
		if inside {
			in = append(in, s)
		}
	}
	slices.SortStableFunc(in, byTime)
	if own != nil {
		in = append(in, modelSample{now, *own})
		if n := len(in); n > 1 && in[n-2].at > now { // of a bucket that is partly in the future
			slices.SortStableFunc(in, byTime)
		}
	}
	if len(in) == 0 {
		return w
	}
	least, greatest, sum := in[0].v, in[0].v, 0.0
	for _, s := range in {
		least, greatest, sum = min(least, s.v), max(greatest, s.v), sum+s.v
	}
	return window(in[0].v, in[len(in)-1].v, least, greatest, sum/float64(len(in)), len(in))
}

// TestWindowsAreThoseOfAPlainList plays samples at random times, some from a
// clock that runs backwards or is far off, with restarts, and holds each window
// against a plain list of the samples.
func TestWindowsAreThoseOfAPlainList(t *testing.T) {
	spans := []time.Duration{time.Second, time.Minute, 61 * time.Second, 10 * time.Minute, 6 * time.Hour, day}
	var asked []string
	for _, s := range spans {
		asked = append(asked, fmt.Sprintf("p %ds", int(s.Seconds())))
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistorian(t, differ.Settings{Changes: differ.ChangeSettings{History: history("p", day)}}, listed, asked...)
		now := h.received
		var list model
		value := 0.0
		for step := range rapid.IntRange(2, 60).Draw(rt, "steps") {
			now = now.Add(rapid.OneOf(
				rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 61 * time.Second, time.Hour, 23*time.Hour + 45*time.Minute, 40 * time.Hour, -time.Second, -40 * time.Second, -3 * time.Hour, 365 * day, -365 * day}),
				rapid.Map(rapid.IntRange(0, 130_000), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }),
			).Draw(rt, "later"))
			kind := rapid.SampledFrom([]string{"new", "new", "same", "none", "restart"}).Draw(rt, "kind")
			price, own := "null", (*float64)(nil)
			switch kind {
			case "restart":
				h.restart()
				fallthrough
			case "new":
				value = float64(rapid.IntRange(-5, 5).Draw(rt, "value"))
			}
			if kind != "none" {
				price, own = fmt.Sprint(value), &value
			}
			n := step
			if kind == "same" && step > 0 {
				n = step - 1 // it may be no change at all
			}
			got, changed := h.at(now, fmt.Sprintf(`{"items":[{"id":1,"p":%s,"n":%d}]}`, price, n))["1"]
			at := now.UnixMilli()
			for i, span := range spans {
				if want := list.window(at, span.Milliseconds(), own); changed && got[asked[i]] != want {
					rt.Fatalf("step %d at %s: window of %s is %+v, want %+v", step, now, span, got[asked[i]], want)
				}
			}
			if own != nil {
				list = list.add(at, *own)
			}
		}
	})
}
