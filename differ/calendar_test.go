package differ_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// calendar is one source called "s" whose differ runs, in a synctest bubble. It
// starts at midnight of the first of January 2000, UTC.
type calendar struct {
	t        testing.TB
	store    *ledger
	differ   *differ.Differ
	settings differ.Settings
	response differ.ResponseSettings
	options  differ.Options
	seen     int
	jumped   atomic.Int64 // the clock on the wall is ahead by so many nanoseconds
	watch    string       // the key that answers are of
	end      func()
}

// reminders is one rule, soon, and nothing else.
func reminders(rule differ.RuleSettings) differ.Settings {
	if rule.At == "" {
		rule.At = "new.start"
	}
	return atOnce(differ.Settings{Events: ordered.Map[differ.RuleSettings]{{Key: "soon", Value: rule}}})
}

func minutes(n int) units.Duration { return units.Duration(time.Duration(n) * time.Minute) }

func newCalendar(t testing.TB, s differ.Settings) *calendar {
	t.Helper()
	return &calendar{t: t, store: &ledger{Store: mem.New()}, settings: s, response: listed, end: func() {}}
}

// runCalendar runs a test in a bubble, with a differ that runs.
func runCalendar(t *testing.T, s differ.Settings, test func(t *testing.T, c *calendar)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCalendar(t, s)
		c.start()
		test(t, c)
		c.stop()
	})
}

// start loads the differ and runs it.
func (c *calendar) start() {
	c.t.Helper()
	source, err := differ.NewSource("s", c.settings, c.response, []string{"shop"})
	if err != nil {
		c.t.Fatal(err)
	}
	if c.options.Registerer == nil {
		c.options.Registerer = prometheus.NewRegistry()
	}
	c.differ = differ.New([]*differ.Source{source}, c.store, renderer{}, c.options)
	differ.SetNow(c.differ, c.now)
	if _, err := c.differ.Load(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := c.differ.Run(ctx); err != nil {
			c.t.Error(err)
		}
	})
	c.end = func() { cancel(); run.Wait() }
}

// stop ends the differ in order.
func (c *calendar) stop() { c.end(); c.end, c.options.Registerer = func() {}, nil }

// kill ends it as kill -9 does: what was not written is lost.
func (c *calendar) kill() {
	set := func(killed bool) {
		c.store.mu.Lock()
		defer c.store.mu.Unlock()
		c.store.killed = killed
	}
	set(true)
	c.stop()
	set(false)
}

func (c *calendar) restart() { c.t.Helper(); c.stop(); c.start() }

func (c *calendar) now() time.Time { return time.Now().Add(time.Duration(c.jumped.Load())) }

// until lets time pass: to a time of the day that is today or to a whole one.
func (c *calendar) until(at string) {
	c.t.Helper()
	then, err := time.Parse(time.RFC3339, at)
	if err != nil {
		clock, err := time.Parse(time.TimeOnly, at)
		if err != nil {
			c.t.Fatal(err)
		}
		now := c.now().UTC()
		then = time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC)
	}
	if then.Before(c.now()) {
		c.t.Fatalf("%s is past: it is %s", at, c.now().UTC())
	}
	time.Sleep(then.Sub(c.now()))
	synctest.Wait()
}

func (c *calendar) answer(body string) *poller.Answer {
	a := &poller.Answer{Source: "s", Status: 200, Pages: [][]byte{[]byte(body)}, Received: c.now()}
	if c.watch != "" {
		a.Keys = []string{c.watch}
	}
	return a
}

// take plays an answer of items, each "ID START MORE": START and MORE are
// JSON, or absent.
func (c *calendar) take(items ...string) {
	c.t.Helper()
	var list []string
	for _, item := range items {
		part := append(strings.SplitN(item, " ", 3), "", "")
		text := fmt.Sprintf(`{"id":%q`, part[0])
		for i, name := range []string{"start", "more"} {
			if part[i+1] != "" {
				text += fmt.Sprintf(`,%q:%s`, name, part[i+1])
			}
		}
		list = append(list, text+"}")
	}
	if err := c.differ.Take(c.t.Context(), c.answer(`{"items":[`+strings.Join(list, ",")+`]}`)); err != nil {
		c.t.Fatal(err)
	}
}

// told gives the events since it was asked last.
func (c *calendar) told() []differ.Event {
	synctest.Wait()
	all := c.store.told()[c.seen:]
	c.seen += len(all)
	return all
}

// expect compares what was told since it was asked last with "TYPE KEY@REVISION
// TIME".
func (c *calendar) expect(want ...string) {
	c.t.Helper()
	got := []string{}
	for _, e := range c.told() {
		got = append(got, fmt.Sprintf("%s %s@%d %s", e.Type, e.Key, e.Revision, e.Time.Format("15:04:05")))
	}
	slices.SortStableFunc(got, func(a, b string) int {
		return cmp.Compare(a[strings.LastIndex(a, " "):], b[strings.LastIndex(b, " "):])
	})
	if diff := gocmp.Diff(append([]string{}, want...), got); diff != "" {
		c.t.Errorf("at %s, told (-want +got):\n%s", c.now().UTC().Format(time.RFC3339), diff)
	}
}

// metric is the sum of a metric's values, those with a label's value where one
// is given.
func (c *calendar) metric(name, label string) (sum float64) {
	c.t.Helper()
	registry := c.options.Registerer.(*prometheus.Registry)
	families, err := registry.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			matches := f.GetName() == name && label == ""
			for _, l := range m.Label {
				matches = matches || f.GetName() == name && l.GetValue() == label
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// ledger is a store that remembers what was told, and fails on demand.
type ledger struct {
	differ.Store
	mu            sync.Mutex
	events        []differ.Event
	before, after error // returned by Commit, which has then done nothing, or all
	killed        bool  // nothing is written any more
	tries         int   // commits, failed ones too
}

func (l *ledger) Commit(ctx context.Context, c *differ.Commit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries++; l.before != nil {
		return l.before
	}
	if l.killed {
		return errors.New("killed")
	}
	if err := l.Store.Commit(ctx, c); err != nil {
		return err
	}
	l.events = append(l.events, c.Events...)
	return l.after
}

func (l *ledger) Keep(ctx context.Context, kept map[string]differ.Kept) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed {
		return errors.New("killed")
	}
	return l.Store.Keep(ctx, kept)
}

func (l *ledger) Forget(ctx context.Context, units ...string) error {
	return l.Store.(differ.Forgetter).Forget(ctx, units...)
}

func (l *ledger) told() []differ.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// fail has commits fail, before they are done or after.
func (l *ledger) fail(before, after error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before, l.after = before, after
}

// capture is what was logged.
type capture struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *capture) logger() *slog.Logger { return slog.New(slog.NewTextHandler(c, nil)) }
