package differ_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// reloaded is a differ that is given other sources while it lives.
type reloaded struct {
	t       *testing.T
	store   *shaky
	metrics *prometheus.Registry
	differ  *differ.Differ
	sources map[string]*differ.Source
	seen    int
	at      time.Time
}

// shaky is a store that fails to load on demand.
type shaky struct {
	*mem.Store
	mu      sync.Mutex
	commits []*differ.Commit
	fails   error
}

func (s *shaky) Commit(ctx context.Context, c *differ.Commit) error {
	err := s.Store.Commit(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.commits = append(s.commits, c)
	}
	return err
}

func (s *shaky) Load(ctx context.Context, units ...string) iter.Seq2[differ.State, error] {
	if s.fails != nil {
		return func(yield func(differ.State, error) bool) { yield(differ.State{}, s.fails) }
	}
	return s.Store.Load(ctx, units...)
}

func newReloaded(t *testing.T, names ...string) *reloaded {
	t.Helper()
	r := &reloaded{
		t: t, store: &shaky{Store: mem.New()}, metrics: prometheus.NewRegistry(), sources: map[string]*differ.Source{},
		at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	}
	for _, name := range names {
		r.sources[name] = r.source(name, differ.Settings{}, "shop")
	}
	r.differ = differ.New(r.list(), r.store, renderer{}, differ.Options{Registerer: r.metrics})
	if _, err := r.differ.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// source is one of items {"id": …}, which deletes and tells at once.
func (r *reloaded) source(name string, s differ.Settings, to ...string) *differ.Source {
	r.t.Helper()
	s.Changes.ConfirmDeletes = 1
	src, err := differ.NewSource(name, s, differ.ResponseSettings{Items: "list", ID: differ.Paths{"id"}}, to)
	if err != nil {
		r.t.Fatal(err)
	}
	return src
}

func (r *reloaded) list() (all []*differ.Source) {
	for _, s := range r.sources {
		all = append(all, s)
	}
	return all
}

// update reloads with the sources that there are now.
func (r *reloaded) update(s differ.Setup) map[string]poller.Bookmarks {
	r.t.Helper()
	s.Sources = r.list()
	marks, err := r.differ.Update(r.t.Context(), s)
	if err != nil {
		r.t.Fatal(err)
	}
	return marks
}

// take plays an answer with items ID=V, and gives the events as
// "source type key@revision receivers".
func (r *reloaded) take(source, items string) ([]string, error) {
	r.at = r.at.Add(time.Minute)
	var list []string
	for item := range strings.FieldsSeq(items) {
		id, v, _ := strings.Cut(item, "=")
		list = append(list, fmt.Sprintf(`{"id":%q,"v":%q}`, id, v))
	}
	err := r.differ.Take(r.t.Context(), &poller.Answer{
		Source: source, Status: 200, Received: r.at, Pages: [][]byte{[]byte(`{"list":[` + strings.Join(list, ",") + `]}`)},
		Bookmarks: poller.Bookmarks{Request: "r", ETag: `"` + items + `"`},
	})
	var told []string
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, c := range r.store.commits[r.seen:] {
		for _, e := range c.Events {
			line := fmt.Sprintf("%s %s %s@%d", e.Source, e.Type, e.Key, e.Revision)
			for _, b := range e.Bodies {
				line += " " + b.Endpoint
			}
			told = append(told, line)
		}
	}
	r.seen = len(r.store.commits)
	return told, err
}

func (r *reloaded) expect(source, items string, want ...string) {
	r.t.Helper()
	told, err := r.take(source, items)
	if diff := cmp.Diff(want, told); diff != "" || err != nil {
		r.t.Errorf("%s with %s: %v; told (-want +got):\n%s", source, items, err, diff)
	}
}

// A source that is the same goes on in the middle of what it was at; one of
// other settings goes on from what is stored; one that only tells others tells
// them.
func TestUpdateKeepsWhatIsTheSame(t *testing.T) {
	r := newReloaded(t, "same", "touched", "readdressed")
	twice := differ.Settings{Changes: differ.ChangeSettings{Confirm: 2}}
	for name := range r.sources {
		r.sources[name] = r.source(name, twice, "shop")
	}
	r.update(differ.Setup{})
	for name := range r.sources {
		r.expect(name, "a=1")
		r.expect(name, "a=2") // to be confirmed
	}
	r.sources["touched"], r.sources["readdressed"] = r.source("touched", twice, "shop"), r.source("readdressed", twice, "shop", "more")
	swapped := 0
	marks := r.update(differ.Setup{Readdressed: map[string]bool{"readdressed": true}, Swap: func() { swapped++ }})
	if len(marks) != 1 || marks["touched"].ETag != "" || swapped != 1 {
		t.Errorf("bookmarks %+v, swapped %d times; want those of what was touched, to be asked anew", marks, swapped)
	}
	r.expect("same", "a=2", "same same.updated a@1 shop")
	r.expect("readdressed", "a=2", "readdressed readdressed.updated a@1 shop more")
	r.expect("touched", "a=2")
	r.expect("touched", "a=2", "touched touched.updated a@1 shop")
}

// A source that is gone takes no answer and leaves no series, and what is
// remembered of it is there when it is back: also what was only to be flushed.
func TestUpdateRemovesAndBrings(t *testing.T) {
	r := newReloaded(t, "s", "other")
	r.expect("s", "a=1 b=1")
	r.expect("s", "a=2 b=1", "s s.updated a@1 shop")
	r.differ.Keep("s", poller.Bookmarks{Failures: 7})
	s := r.sources["s"]
	delete(r.sources, "s")
	if marks := r.update(differ.Setup{}); len(marks) > 0 {
		t.Errorf("bookmarks %+v", marks)
	}
	if _, err := r.take("s", "a=3 b=1"); err == nil {
		t.Error("an answer of a source that is gone is taken in")
	}
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "source" && l.GetValue() == "s" {
					t.Errorf("%s has %v", f.GetName(), m)
				}
			}
		}
	}
	r.sources["s"] = s
	if marks := r.update(differ.Setup{}); marks["s"].Failures != 7 {
		t.Errorf("bookmarks %+v, want those that were kept last", marks)
	}
	r.expect("s", "a=2 b=3", "s s.updated b@1 shop")
	r.expect("s", "a=4 b=3", "s s.updated a@2 shop")
}

// Where something fails everything is as it was: also what had got another
// name.
func TestUpdateFailsWhole(t *testing.T) {
	r := newReloaded(t, "a", "b")
	r.expect("a", "x=1")
	r.expect("b", "x=1")
	sources := r.sources
	r.sources = map[string]*differ.Source{"c": r.source("c", differ.Settings{}, "shop"), "b": r.source("b", differ.Settings{}, "shop")}
	r.store.fails = errors.New("the disk is gone")
	_, err := r.differ.Update(t.Context(), differ.Setup{
		Sources: r.list(), Renamed: map[string]string{"c": "a"}, Swap: func() { t.Error("swapped") },
	})
	if !errors.Is(err, r.store.fails) {
		t.Fatalf("an update over a store that fails: %v", err)
	}
	r.store.fails, r.sources = nil, sources
	r.expect("a", "x=2", "a a.updated x@1 shop")
	r.expect("b", "x=2", "b b.updated x@1 shop")
	if _, err := r.take("c", "x=1"); err == nil {
		t.Error("an answer of a source that did not come is taken in")
	}
	r.update(differ.Setup{})
	r.expect("a", "x=3", "a a.updated x@2 shop")
}

// A source that comes knows at once which watch keys the items of one that was
// there name; those of others go on.
func TestUpdateFeeds(t *testing.T) {
	r := newReloaded(t, "orders")
	if err := r.differ.LoadFeeds(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	r.expect("orders", "1=a 2=b")
	parcels := func(from string) *differ.Source {
		return r.source("parcels", differ.Settings{Watch: differ.WatchSettings{Keyed: true, From: differ.FeedSettings{Source: from, Path: "v"}}}, "shop")
	}
	named := func(want string) {
		t.Helper()
		if keys, settled := r.differ.Named("parcels"); strings.Join(keys, " ") != want || !settled {
			t.Errorf("named %q, settled %v; want %q", keys, settled, want)
		}
	}
	r.sources["parcels"] = parcels("orders")
	r.update(differ.Setup{})
	named("a b")
	r.sources["orders"] = r.source("orders", differ.Settings{}, "shop", "more") // read anew
	r.update(differ.Setup{})
	named("a b")
	r.expect("orders", "1=a 2=c", "orders orders.updated 2@1 shop more")
	named("a c")
	delete(r.sources, "orders")
	r.sources["sales"], r.sources["parcels"] = r.source("sales", differ.Settings{}, "shop"), parcels("sales")
	r.update(differ.Setup{Renamed: map[string]string{"sales": "orders"}})
	named("a c")
	r.expect("sales", "1=x 2=c", "sales sales.updated 1@1 shop")
	named("c x")
	delete(r.sources, "parcels")
	r.update(differ.Setup{})
	if keys, settled := r.differ.Named("parcels"); len(keys) > 0 || settled {
		t.Errorf("of a source that is gone: %q, settled %v", keys, settled)
	}
}

// A time of a source that is gone tells nothing; nor do alerts of it. It tells
// again when it is back.
func TestUpdateOfTimers(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		c.stop()
		c.options.Alerts, c.options.StaleAfter = []string{"ops"}, time.Hour
		c.start()
		due := c.now().Add(10 * time.Minute)
		c.take("m " + fmt.Sprintf("%q", due.Format(time.RFC3339)))
		source, err := differ.NewSource("s", c.settings, c.response, []string{"shop"})
		if err != nil {
			t.Fatal(err)
		}
		c.differ.Polls("s", c.now().Add(time.Minute))
		setup := differ.Setup{Alerts: []string{"ops"}, StaleAfter: time.Hour}
		if _, err := c.differ.Update(t.Context(), setup); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		if told := c.told(); len(told) > 0 {
			t.Errorf("of a source that is gone: %+v", told)
		}
		setup.Sources = []*differ.Source{source}
		if _, err := c.differ.Update(t.Context(), setup); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if told := c.told(); len(told) != 1 || told[0].Type != "soon" {
			t.Errorf("when it is back: %+v", told)
		}
		time.Sleep(2 * time.Hour)
		if told := c.told(); len(told) > 0 {
			t.Errorf("nobody said that it is polled: %+v", told)
		}
		// Other settings of alerts count at once for what runs.
		c.differ.Polls("s", c.now())
		setup.StaleAfter = 10 * time.Minute
		if _, err := c.differ.Update(t.Context(), setup); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		if told := c.told(); len(told) != 1 || told[0].Type != differ.TypeSourceStale {
			t.Errorf("after another stale_after: %+v", told)
		}
	})
}

// A source that expects changes goes on expecting them from the last one on.
func TestUpdateOfQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hourly := differ.Settings{Changes: differ.ChangeSettings{ExpectWithin: units.Duration(time.Hour)}}
		r := newReloaded(t)
		r.sources["s"] = r.source("s", hourly, "shop")
		now := r.at
		differ.SetNow(r.differ, func() time.Time { return now })
		r.update(differ.Setup{Alerts: []string{"ops"}})
		r.expect("s", "a=1")
		r.sources["s"] = r.source("s", differ.Settings{}, "shop")
		r.update(differ.Setup{Alerts: []string{"ops"}})
		r.sources["s"] = r.source("s", hourly, "shop")
		r.update(differ.Setup{Alerts: []string{"ops"}})
		r.expect("s", "a=1")
		now = r.at.Add(61 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = r.differ.Run(ctx)
		r.expect("s", "a=1", "s source.quiet @0 ops")
	})
}

// However often sources come, go and become others while answers are taken in,
// each change is told once and no other.
func TestUpdateAtRandom(t *testing.T) {
	const sources, answers, reloads = 6, 50, 50
	r := newReloaded(t)
	var rw sync.RWMutex // as the poller: nothing of what is touched is under way
	running := map[string]*sync.Mutex{}
	name := func(i int) string { return fmt.Sprintf("s%d", i) }
	for i := range sources {
		r.sources[name(i)], running[name(i)] = r.source(name(i), differ.Settings{}, "shop"), &sync.Mutex{}
	}
	r.update(differ.Setup{})
	var done atomic.Bool
	life, end := context.WithCancel(t.Context())
	var all, background sync.WaitGroup
	background.Go(func() { _ = r.differ.Run(life) })
	at := r.at
	told := make([]int, sources) // changes that were taken in
	for i := range sources {
		all.Go(func() {
			for v := 0; v < answers || !done.Load(); v++ {
				running[name(i)].Lock()
				err := r.differ.Take(t.Context(), &poller.Answer{
					Source: name(i), Status: 200, Received: at.Add(time.Duration(v) * time.Second),
					Pages: [][]byte{fmt.Appendf(nil, `{"list":[{"id":"a","v":%d}]}`, v)},
				})
				rw.RLock()
				there := r.sources[name(i)] != nil
				rw.RUnlock()
				running[name(i)].Unlock()
				switch {
				case err == nil && there:
					told[i]++
				case err == nil || there:
					t.Errorf("%s is there: %v; its answer: %v", name(i), there, err)
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range reloads {
		i := rnd.IntN(sources)
		running[name(i)].Lock()
		rw.Lock()
		setup := differ.Setup{}
		switch next := r.source(name(i), differ.Settings{}, "shop"); {
		case r.sources[name(i)] == nil || rnd.IntN(3) == 0:
			r.sources[name(i)] = next
		case rnd.IntN(2) == 0:
			r.sources[name(i)], setup.Readdressed = next, map[string]bool{name(i): true}
		default:
			delete(r.sources, name(i))
		}
		rw.Unlock()
		r.update(setup)
		running[name(i)].Unlock()
	}
	done.Store(true)
	all.Wait()
	end()
	background.Wait()
	revisions := map[string][]uint64{}
	for _, c := range r.store.commits {
		for _, e := range c.Events {
			revisions[e.Source] = append(revisions[e.Source], e.Revision)
		}
	}
	for i := range sources {
		got := revisions[name(i)]
		if len(got) != max(told[i]-1, 0) || !slices.IsSorted(got) || len(slices.Compact(got)) != len(got) {
			t.Errorf("%s: %d changes, revisions %v", name(i), told[i]-1, got)
		}
	}
}

// That access has expired is told when somebody is there to be told; not any
// more when those that had it are gone.
func TestUpdateOfAccess(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		for _, name := range []string{"s", "gone"} {
			c.differ.AccessIs(differ.Access{Sources: []string{name}, Expired: true})
		}
		synctest.Wait()
		if told := c.told(); len(told) > 0 {
			t.Fatalf("to nobody: %+v", told)
		}
		source, err := differ.NewSource("s", c.settings, c.response, []string{"shop"})
		if err != nil {
			t.Fatal(err)
		}
		setup := differ.Setup{Sources: []*differ.Source{source}, Alerts: []string{"ops"}}
		if _, err := c.differ.Update(t.Context(), setup); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if told := c.told(); len(told) != 1 || !strings.Contains(string(told[0].Data), `"sources":["s"]`) {
			t.Errorf("told %+v, want what s has lost", told)
		}
		if n := c.metric("deltahook_events_total", "sources/s/auth"); n != 1 {
			t.Errorf("%v events are counted, want 1", n)
		}
		if _, err := c.differ.Update(t.Context(), differ.Setup{Alerts: []string{"ops"}}); err != nil {
			t.Fatal(err)
		}
		if n := c.metric("deltahook_events_total", "sources/s/auth"); n != 0 {
			t.Errorf("%v events are counted of credentials that are gone", n)
		}
	})
}
