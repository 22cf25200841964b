package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// BenchmarkHistoryCost says what a day of prices, one a minute, costs for
// each item: in memory, on disk, and of a write of the samples of all.
func BenchmarkHistoryCost(b *testing.B) {
	const items, minutes = 300, 1500
	path := filepath.Join(b.TempDir(), "history.db")
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	s := differ.Settings{Changes: differ.ChangeSettings{History: ordered.Map[units.Duration]{{Key: "price", Value: units.Duration(24 * time.Hour)}}}}
	source, err := differ.NewSource("bench", s, differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	taking := differ.New([]*differ.Source{source}, store, nil, differ.Options{})
	var flushed time.Duration
	for i := range minutes {
		a := &poller.Answer{Source: "bench", Received: time.Unix(int64(i)*60, 0), Status: 200, Pages: [][]byte{prices(items, i)}}
		if err := taking.Take(b.Context(), a); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		flush(b, taking)
		flushed += time.Since(began)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := heap()
		held := differ.New([]*differ.Source{source}, store, nil, differ.Options{})
		if _, err := held.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/items, "B/item")
		runtime.KeepAlive(held)
	}
	b.ReportMetric(float64(info.Size())/items, "disk-B/item")
	b.ReportMetric(float64(flushed.Microseconds())/minutes, "µs/flush")
}

// prices is a list whose items stay as they are while the body does not.
func prices(items, minute int) []byte {
	var body bytes.Buffer
	fmt.Fprintf(&body, `{"minute":%d,"items":[`, minute)
	for i := range items {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"item-%06d","price":%d.25}`, i, 100+i)
	}
	body.WriteString(`]}`)
	return body.Bytes()
}

// flush has a differ write what waits.
func flush(b *testing.B, d *differ.Differ) {
	b.Helper()
	ended, end := context.WithCancel(context.Background())
	end()
	if err := d.Run(ended); err != nil {
		b.Fatal(err)
	}
}
