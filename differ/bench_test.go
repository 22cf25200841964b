package differ_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/differ"
)

// list writes an answer of n items of some 140 bytes; from marks the first
// items whose status differs, noise is a field that is ignored.
func list(n, changed, noise int) string {
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
		fmt.Fprintf(&b, `{"id":"item-%d","status":%q,"price":112.1300,"at":{"city":"Berlin","time":"2026-11-23T10:00:00Z"},"weight":28.8}`, i, status)
	}
	b.WriteString(`]}`)
	return b.String()
}

// BenchmarkTake compares lists with a snapshot, with the ratio to reading the
// same ids by gjson alone.
func BenchmarkTake(b *testing.B) {
	for _, size := range []int{14, 100, 1400, 10_000} {
		for _, changed := range []int{0, max(size/100, 1), size} {
			b.Run(fmt.Sprintf("items=%d/changed=%d", size, changed), func(b *testing.B) {
				bench := newBench(b, differ.Settings{}, listed)
				bodies := [2]string{list(size, changed, 0), list(size, changed, 1)}
				bench.take(bodies[0])
				b.SetBytes(int64(len(bodies[0])))
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i++
					if err := bench.differ.Take(b.Context(), bench.answer(bodies[i%2])); err != nil {
						b.Fatal(err)
					}
					bench.store.commits = nil
				}
			})
		}
		b.Run(fmt.Sprintf("items=%d/gjson-walk", size), func(b *testing.B) {
			body := []byte(list(size, 0, 0))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				gjson.GetBytes(body, "items").ForEach(func(_, v gjson.Result) bool { return v.Get("id").Exists() })
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
