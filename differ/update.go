package differ

import (
	"context"
	"slices"

	"github.com/deltahook/deltahook/poller"
)

// enter is for whatever goes by the sources that there are: they stay the same
// until it calls leave.
func (d *Differ) enter(ctx context.Context) (leave func(), err error) {
	if err := d.present.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { d.present.Release(1) }, nil
}

// Update has the differ go by other sources, without a restart. It waits until
// what is being taken in is durable, and while it reads what is remembered of
// sources that are new nothing is taken in. It gives the bookmarks of the units
// of those, as Load does; the poller asks for none of them meanwhile.
//
// What was remembered of a source that is gone stays in the store. An error
// says that everything is as it was.
func (d *Differ) Update(ctx context.Context, c Setup) (map[string]poller.Bookmarks, error) {
	if err := d.present.Acquire(ctx, alone); err != nil {
		return nil, err
	}
	u := d.compareSources(&c)
	states, err := u.prepare(ctx)
	if err != nil {
		d.present.Release(alone)
		return nil, err
	}
	u.leave()
	marks := u.arrive(states)
	d.judgeBy(&c)
	reread := d.reroute(u.fresh)
	if c.Swap != nil {
		c.Swap()
	}
	d.present.Release(alone)
	u.dropMetrics()
	d.refeedAll(ctx, reread)
	return marks, nil
}

// update is an Update under way.
type update struct {
	*Differ
	setup  *Setup
	before map[string]*Source
	after  map[string]*Source
	gone   map[string]bool // sources that are there no more, or are others now
	fresh  map[string]bool // sources that were not there, or are others now
}

// compareSources says which sources are others.
func (d *Differ) compareSources(c *Setup) *update {
	u := &update{
		Differ: d, setup: c, before: d.sources, after: make(map[string]*Source, len(c.Sources)),
		gone: map[string]bool{}, fresh: map[string]bool{},
	}
	for _, s := range c.Sources {
		u.after[s.name] = s
		if was := u.before[s.name]; was != s && (was == nil || !c.Readdressed[s.name]) {
			u.fresh[s.name] = true
		}
	}
	for name := range u.before {
		if u.after[name] == nil || u.fresh[name] {
			u.gone[name] = true
		}
	}
	return u
}

// prepare does all that can fail: it stores what moved of the sources that go,
// gives others their new names, and reads what is stored of those that come.
func (u *update) prepare(ctx context.Context) (states []State, err error) {
	for unit, mem := range u.memories { // nobody else is here
		if source, _ := poller.CutUnit(unit); u.gone[source] && mem.doubtful {
			if _, err := u.recall(ctx, unit); err != nil {
				return nil, err
			}
		}
	}
	if err := u.flush(ctx); err != nil {
		return nil, storeFailure("writing", err)
	}
	renamed := map[string]string{}
	for to, from := range u.setup.Renamed {
		if u.before[to] == nil && u.after[from] == nil {
			renamed[to] = from
		}
	}
	moved, err := u.Rename(ctx, renamed)
	if err == nil {
		states, err = u.read(ctx)
	}
	if err != nil {
		u.takeBack(ctx, moved)
	}
	return states, err
}

// read reads what is stored of the sources that come.
func (u *update) read(ctx context.Context) (states []State, err error) {
	var units []string
	for name := range u.fresh {
		some := []string{name}
		if store, ok := u.store.(Lister); ok {
			if some, err = store.Units(ctx, name); err != nil {
				return nil, storeFailure("reading", err)
			}
		}
		units = append(units, some...)
		if subject := ofSource + name; u.memories[subject] == nil {
			units = append(units, subject)
		}
	}
	if len(units) == 0 {
		return nil, nil
	}
	for state, err := range u.store.Load(ctx, units...) {
		if err != nil {
			return nil, storeFailure("loading", err)
		}
		states = append(states, state)
	}
	return states, nil
}

// leave takes out of memory what is of sources that go.
func (u *update) leave() {
	d := u.Differ
	d.mu.Lock()
	units := map[string]bool{}
	note := func(unit string) {
		if source, _ := poller.CutUnit(unit); u.gone[source] {
			units[unit] = true
		}
	}
	for unit := range d.memories {
		note(unit)
	}
	for unit := range d.standing {
		note(unit)
	}
	for name := range u.gone {
		if s := u.after[name]; s == nil || s.disabled {
			units[ofSource+name] = true
		}
	}
	for unit := range units {
		d.drop(unit)
	}
	for name := range u.gone {
		delete(d.quiets, name)
		d.clock.set(task{unit: name, quiet: true}, 0, false)
		for r := range u.before[name].reports {
			delete(d.failing, r)
			delete(d.reported, r)
		}
	}
	for name := range u.setup.Readdressed {
		d.handOver(u.before[name], u.after[name])
	}
	d.mu.Unlock()

	d.alerting.mu.Lock()
	defer d.alerting.mu.Unlock()
	for name := range u.gone {
		if s := u.after[name]; s == nil || s.disabled {
			delete(d.alerting.vigils, name)
		}
	}
}

// handOver has the rules of a source know what those of the one before did.
// d.mu is held.
func (d *Differ) handOver(before, after *Source) {
	if before == nil || after == nil || before == after {
		return
	}
	next := map[string]*rule{}
	for r := range after.reports {
		next[r.event] = r
	}
	for r := range before.reports {
		if unit, there := d.failing[r]; there && next[r.event] != nil {
			d.failing[next[r.event]] = unit
		}
		if at, there := d.reported[r]; there && next[r.event] != nil {
			d.reported[next[r.event]] = at
		}
		delete(d.failing, r)
		delete(d.reported, r)
	}
}

// reports are all rules of a source that are told of where they fail.
func (s *Source) reports(yield func(*rule) bool) {
	for r := range s.all {
		if !yield(r) {
			return
		}
	}
	if s.watch.until != nil && !yield(s.watch.until) {
		return
	}
	if s.watch.from != nil && s.watch.from.rule != nil {
		yield(s.watch.from.rule)
	}
}

// arrive has the sources that come taken in, and gives their bookmarks.
func (u *update) arrive(states []State) map[string]poller.Bookmarks {
	d := u.Differ
	d.sources = u.after
	for name := range u.fresh {
		if s := d.sources[name]; s.expect > 0 {
			d.quiets[name] = &quiet{}
		}
	}
	marks := map[string]poller.Bookmarks{}
	for _, state := range states {
		d.adopt(state, marks)
	}
	return marks
}

// judgeBy has alerts go by other settings.
func (d *Differ) judgeBy(c *Setup) {
	d.alerts = c.Alerts
	a := d.alerting
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failingAfter, a.staleAfter = c.FailingAfter, c.StaleAfter
	for source, v := range a.vigils {
		d.windVigil(source, v)
	}
	there := make(map[string]bool, len(c.Endpoints))
	for _, name := range c.Endpoints {
		there[name] = true
	}
	for name := range a.endpoints {
		unit := ofEndpoint + name
		if there[name] { // who is told may be others
			d.clock.set(task{unit: unit}, d.now().UnixMilli(), true)
			continue
		}
		delete(a.endpoints, name)
		d.mu.Lock()
		d.drop(unit)
		d.mu.Unlock()
		d.metrics.dropSubject(unit)
	}
	source := func(name string) bool { return d.sources[name] != nil }
	endpoint := func(name string) bool { return there[name] }
	for unit, of := range a.access {
		if slices.ContainsFunc(of.Sources, source) || slices.ContainsFunc(of.Endpoints, endpoint) {
			d.clock.set(task{unit: unit}, d.now().UnixMilli(), true)
			continue
		}
		delete(a.access, unit) // who had it is gone
		d.mu.Lock()
		d.drop(unit)
		d.mu.Unlock()
		d.metrics.dropSubject(unit)
	}
}

// dropMetrics drops the series of sources and of rules that are there no more.
func (u *update) dropMetrics() {
	for name := range u.gone {
		if u.metrics.drop(u.before[name], u.after[name]); u.after[name] == nil {
			u.tallies.drop(name)
		}
	}
}
