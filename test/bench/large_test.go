package bench_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/poller"
)

// largeList writes a list of n items of 400 bytes. The statuses of the first
// are of their own for each step.
func largeList(n, changed, step int) []byte {
	fill := strings.Repeat("x", 250)
	b := bytes.NewBuffer(make([]byte, 0, n*402+64))
	fmt.Fprintf(b, `{"request":%d,"items":[`, step)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		status := 0
		if i < changed {
			status = step
		}
		fmt.Fprintf(b, `{"id":"item-%06d","status":"in transit %04d","price":112.1300,"at":{"city":"Berlin","time":"2026-11-23T10:00:00Z"},"note":"%s"}`, i, status, fill)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// BenchmarkLargeList takes in lists of 100,000 items and 40 MB over a store on
// disk, of which none, 1 % and all have changed since the last.
//
//	held-B/item  what stays in memory of an item between two answers
//	peak-B/item  the most that was in use while an answer was taken in, beyond
//	             its body, with what the collector had not yet come to (it runs
//	             at 5 % here)
func BenchmarkLargeList(b *testing.B) {
	const items = 100_000
	for _, changed := range []int{0, items / 100, items} {
		b.Run(fmt.Sprintf("changed=%d%%", 100*changed/items), func(b *testing.B) {
			store, err := bolt.Open(filepath.Join(b.TempDir(), "large.db"), bolt.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			endpoint, err := emitter.NewEndpoint("shop", emitter.Settings{URL: "https://receiver.example/"}, emitter.EndpointOptions{})
			if err != nil {
				b.Fatal(err)
			}
			source, err := differ.NewSource("large", differ.Settings{Changes: differ.ChangeSettings{MaxEvents: items}},
				differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}, []string{"shop"})
			if err != nil {
				b.Fatal(err)
			}
			before := heap()
			d := differ.New([]*differ.Source{source}, store, emitter.New([]*emitter.Endpoint{endpoint}, store, emitter.Options{}), differ.Options{})
			take := func(body []byte) {
				answer := &poller.Answer{Source: "large", Received: time.Now(), Status: 200, Pages: [][]byte{body}}
				if err := d.Take(b.Context(), answer); err != nil {
					b.Fatal(err)
				}
			}
			take(largeList(items, changed, 0))
			take(largeList(items, changed, 1)) // all spellings are known now
			held := heap() - before
			step, peak := 1, uint64(0)
			defer debug.SetGCPercent(debug.SetGCPercent(5))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				step++
				body := largeList(items, changed, step)
				b.SetBytes(int64(len(body)))
				least := heap()
				stop := watchHeap()
				b.StartTimer()
				take(body)
				b.StopTimer()
				peak = max(peak, stop()-least)
				runtime.KeepAlive(body)
				b.StartTimer()
			}
			b.ReportMetric(float64(held)/items, "held-B/item")
			b.ReportMetric(float64(held+peak)/items, "peak-B/item")
			runtime.KeepAlive(d)
		})
	}
}

// watchHeap looks at the heap every millisecond, until what it returns is
// called, which gives the most that was in use.
func watchHeap() (stop func() uint64) {
	var peak atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak.Store(max(peak.Load(), sample[0].Value.Uint64()))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return peak.Load()
	}
}
