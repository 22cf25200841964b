package differ_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

// list writes an answer of n items of some 140 bytes, of which the first ones
// have another status for each n. noise is a field beside the items.
func list(n, changed, noise int) string { return listWith(n, changed, noise, 0) }

// listWith is list with a field in each item that is noise too.
func listWith(n, changed, noise, within int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"request":%d,"items":[`, noise)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		status := "in transit"
		if i < changed {
			status = fmt.Sprintf("moved %d", noise)
		}
		fmt.Fprintf(&b, `{"id":"item-%d","status":%q,"price":112.1300,"at":{"city":"Berlin","time":"2026-11-23T10:00:00Z"},"weight":28.8,"seen":%d}`, i, status, within)
	}
	b.WriteString(`]}`)
	return b.String()
}

// walk reads the ids of a list and nothing else: the least that can be done
// with gjson.
func walk(body []byte) {
	gjson.GetBytes(body, "items").ForEach(func(_, v gjson.Result) bool { return v.Get("id").Exists() })
}

// BenchmarkDiff compares lists with a snapshot: none, 1 % and all of the items
// changed, spelled as they were; and none changed where each is spelled anew.
// ratio is the time against a plain gjson walk over the same bodies, in turns.
func BenchmarkDiff(b *testing.B) {
	noisy := listed
	noisy.Ignore = []string{"seen"}
	full := noisy
	full.Numbers, full.Unordered, full.NullIsAbsent = numbers("price", 0.5), []string{"tags"}, true
	picked := listed
	picked.Pick = ordered.Map[string]{{Key: "status", Value: "status"}, {Key: "city", Value: "at.city"}}
	for _, size := range []int{100, 10_000, 100_000} {
		for _, c := range []struct {
			name     string
			settings differ.ResponseSettings
			changed  int
			within   int
		}{
			{"changed=0", listed, 0, 0},
			{"changed=1%", listed, size / 100, 0},
			{"changed=100%", listed, size, 0},
			{"respelled/ignore", noisy, 0, 1},
			{"respelled/numbers", full, 0, 1},
			{"respelled/pick", picked, 0, 1},
		} {
			b.Run(fmt.Sprintf("items=%d/%s", size, c.name), func(b *testing.B) {
				bench := newBench(b, differ.Settings{Changes: differ.ChangeSettings{MaxEvents: 1_000_000}}, c.settings)
				bodies := [2][]byte{[]byte(listWith(size, c.changed, 0, 0)), []byte(listWith(size, c.changed, 1, c.within))}
				for i := range 3 { // the baseline, and each body once, so that all spellings are known
					bench.take(string(bodies[i%2]))
				}
				b.SetBytes(int64(len(bodies[0])))
				b.ReportAllocs()
				var walked time.Duration
				answer := bench.answer("")
				for i := 1; b.Loop(); i++ {
					answer.Pages = [][]byte{bodies[i%2]}
					if err := bench.differ.Take(b.Context(), answer); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					bench.store.commits = nil
					start := time.Now()
					walk(bodies[i%2])
					walked += time.Since(start)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(walked), "ratio")
			})
		}
	}
}

// Items that did not change cost no allocation each, be they spelled as they
// were or anew.
func TestUnchangedItemsCostNoAllocation(t *testing.T) {
	const items = 1000
	noisy := listed
	noisy.Ignore, noisy.Unordered = []string{"seen"}, []string{"tags"}
	for name, within := range map[string]int{"the same": 0, "spelled anew": 1} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, differ.Settings{}, noisy)
			b.take(list(items, 0, 0))
			bodies := [][]byte{[]byte(listWith(items, 0, 1, within)), []byte(listWith(items, 0, 2, 0))}
			answer := b.answer("")
			i := 0
			allocs := testing.AllocsPerRun(10, func() {
				answer.Pages = bodies[i%2 : i%2+1]
				if err := b.differ.Take(t.Context(), answer); err != nil {
					t.Fatal(err)
				}
				i++
			})
			if allocs > items/10 {
				t.Errorf("%.0f allocations for %d items", allocs, items)
			}
			if len(b.store.commits) != 1 {
				t.Error("something changed")
			}
		})
	}
}

// BenchmarkRulesThatRemember is Take of items that all stand inside of a rule,
// with what they cost in memory.
func BenchmarkRulesThatRemember(b *testing.B) {
	for name, when := range map[string]string{"none": "", "enter": "new.weight > 5", "enter-now": `new.weight > 5 and now().Year() > 2000`} {
		for _, changed := range []int{0, 100} {
			b.Run(fmt.Sprintf("rule=%s/items=10000/changed=%d", name, changed), func(b *testing.B) {
				s := ruled(rule("any", differ.RuleSettings{When: "true"}))
				if when != "" {
					s = ruled(rule("any", entering(when)))
				}
				before := heap()
				bench := newBench(b, s, listed)
				bodies := [2]string{list(10_000, changed, 0), list(10_000, changed, 1)}
				bench.take(bodies[0])
				bench.store.commits = nil
				bench.restart()
				after := heap()
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i++
					if err := bench.differ.Take(b.Context(), bench.answer(bodies[i%2])); err != nil {
						b.Fatal(err)
					}
					bench.store.commits = nil
				}
				b.ReportMetric(float64(after-before)/10_000, "B/item") // the store's too
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
