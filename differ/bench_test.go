package differ_test

import (
	"bytes"
	"fmt"
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
