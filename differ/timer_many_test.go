package differ_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/poller"
)

const manyTimers = 100_000

// meetings is an answer of so many items, whose times are spread over a day
// from start on.
func meetings(n int, start time.Time) string {
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		at := start.Add(time.Duration(rand.IntN(24*60)) * time.Minute)
		fmt.Fprintf(&b, `{"id":"meeting-%06d","start":%q}`, i, at.Format(time.RFC3339))
	}
	b.WriteString("]}")
	return b.String()
}

// A hundred thousand timers each tell once in their day, though the process is
// restarted at noon.
func TestManyTimers(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		if err := c.differ.Take(t.Context(), c.answer(meetings(manyTimers, c.now()))); err != nil {
			t.Fatal(err)
		}
		c.until("12:00:00")
		c.restart()
		time.Sleep(13 * time.Hour)
		synctest.Wait()
		seen := map[string]bool{}
		for _, e := range c.told() {
			if seen[e.Key] {
				t.Fatalf("%s is told twice", e.Key)
			}
			seen[e.Key] = true
		}
		if len(seen) != manyTimers {
			t.Errorf("%d timers told, want %d", len(seen), manyTimers)
		}
	})
}

// BenchmarkLoadTimers is a start with 100,000 items, without and with a timer
// each, and what each costs in memory.
func BenchmarkLoadTimers(b *testing.B) {
	for name, s := range map[string]differ.Settings{"none": atOnce(differ.Settings{}), "100000": reminders(differ.RuleSettings{})} {
		b.Run(name, func(b *testing.B) {
			store := mem.New()
			load := func() *differ.Differ {
				source, err := differ.NewSource("s", s, listed, []string{"shop"})
				if err != nil {
					b.Fatal(err)
				}
				d := differ.New([]*differ.Source{source}, store, renderer{}, differ.Options{})
				if _, err := d.Load(b.Context()); err != nil {
					b.Fatal(err)
				}
				return d
			}
			now := time.Now()
			a := &poller.Answer{Source: "s", Status: 200, Pages: [][]byte{[]byte(meetings(manyTimers, now.Add(time.Hour)))}, Received: now}
			if err := load().Take(b.Context(), a); err != nil {
				b.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			d := load()
			runtime.GC()
			runtime.ReadMemStats(&after)
			held := float64(after.HeapAlloc-before.HeapAlloc) / manyTimers
			runtime.KeepAlive(d)
			for b.Loop() {
				load()
			}
			b.ReportMetric(held, "B/item")
		})
	}
}
