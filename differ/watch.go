package differ

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

// watch is a WatchSettings, compiled.
type watch struct {
	id     string // "": the whole answer is of one key
	until  *rule  // nil: never
	maxAge time.Duration
	from   *origin // nil: no items of another source name keys
}

func compileWatch(r fault.Report, s WatchSettings, resp ResponseSettings, names func() expr.Env) watch {
	w := watch{id: s.ID, maxAge: s.MaxAge.Std(), from: s.From.compile(r.At("from"), nil)}
	if s.ID != "" {
		checkPath(r.At("id"), s.ID)
		if resp.Items == "" {
			r.At("id").Errorf("needs response.items: it is a path within an item")
		}
	}
	if s.MaxAge < 0 {
		r.At("max_age").Errorf("expected a duration that is not negative")
	}
	if s.Until != "" {
		program, err := expr.CompileBool(s.Until, names())
		if err != nil {
			r.At("until").Errorf("%v", err)
		}
		w.until = &rule{event: "watch.until", when: program}
	}
	return w
}

// part is what an answer says of one unit: all of it, or of several watch keys
// the items of one.
type part struct {
	*poller.Answer
	unit, watch string
	known       string       // the key of an answer that is one item, where that is remembered; "": it is not
	split       bool         // items are what the answer has of the key
	lacking     bool         // and it has none: the key is unknown in it
	why         *explanation // nil: nobody wants to know
	items       []found
}

// parts takes an answer apart by its watch keys.
func (d *Differ) parts(src *Source, a *poller.Answer) ([]*part, error) {
	if a.Keys == nil {
		return []*part{{Answer: a, unit: a.Source}}, nil
	}
	parts := make([]*part, len(a.Keys))
	byKey := make(map[string]*part, len(a.Keys))
	for i, key := range a.Keys {
		p := &part{Answer: a, unit: poller.Unit(a.Source, key), watch: key}
		parts[i], byKey[key] = p, p
		d.meet(p.unit, a.Received)
	}
	if src.watch.id == "" || a.Reset {
		return parts, nil
	}
	// No two polls have the same keys in one request, so its validators are
	// worth nothing to a key.
	share := *a
	share.Bookmarks = withoutValidators(a.Bookmarks)
	for _, p := range parts {
		p.Answer, p.split, p.lacking = &share, true, true
	}
	err := src.read(a.Pages, "", func(f found) error {
		key, ok := idText(gjson.Get(f.raw, src.watch.id))
		p := byKey[key]
		switch {
		case !ok && !f.unknown:
			return poller.Failf(poller.ClassItems, "items: an item has no watch key at %s", src.watch.id)
		case p == nil:
			d.metrics.foreign.WithLabelValues(src.name).Inc()
			return nil
		}
		p.items, p.lacking = append(p.items, f), false
		return nil
	})
	return parts, err
}

// readPart gives the items of a part to take, as read does.
func (s *Source) readPart(p *part, take func(found) error) error {
	if !p.split {
		return s.read(p.Pages, cmp.Or(p.watch, p.known), take)
	}
	for _, f := range p.items {
		if err := take(f); err != nil {
			return err
		}
	}
	return nil
}

// hash is the hash of what the part says.
func (p *part) hash(h hasher) uint64 {
	if !p.split {
		return h.pages(p.Pages)
	}
	var sum maphash.Hash
	sum.SetSeed(h.seed)
	for _, f := range p.items {
		maphash.WriteComparable(&sum, len(f.raw))
		_, _ = sum.WriteString(f.raw)
	}
	return max(sum.Sum64(), 1)
}

// retire has the key's end committed where it has come: with what the answer
// changes, or by itself.
func (d *Differ) retire(ctx context.Context, out *outcome) error {
	p, w := out.part, out.source.watch
	if p.watch == "" || w.until == nil && w.maxAge == 0 || out.held {
		return nil
	}
	old := w.maxAge > 0 && p.Received.Sub(d.met(p.unit)) >= w.maxAge
	if !old {
		over, err := d.over(ctx, out)
		if err != nil || !over {
			return err
		}
	}
	if out.commit == nil {
		if err := d.complete(out); err != nil {
			return err
		}
		if p.lacking {
			out.commit.Shape = out.memory.shape // nothing was read
		}
	}
	out.commit.Bookmarks.Retired = p.Received.Round(0).UTC()
	return nil
}

// over reports whether until holds for all items of the key: those that the
// answer lists, and those that are remembered though it doesn't. An answer that
// says nothing new is not looked at again.
func (d *Differ) over(ctx context.Context, out *outcome) (bool, error) {
	src, seen := out.source, out.finding
	switch {
	case src.watch.until == nil, out.part.lacking, len(seen.waiting)+len(seen.pending) > 0:
		return false, nil
	case !seen.read && out.memory.unknown:
		return false, nil
	case !d.judgeFirst(out.part.unit) && !seen.read && len(seen.changes) == 0:
		return false, nil
	}
	e := &ending{d: d, out: out, changed: make(map[string]*change, len(seen.changes)), listed: map[string]bool{}, errs: map[*rule]*ruleError{}}
	for i := range seen.changes {
		e.changed[seen.changes[i].key] = &seen.changes[i]
	}
	err := e.judgeListed()
	if err == nil {
		err = e.judgeKept(ctx)
	}
	d.reportErrors(src, e.errs)
	if errors.Is(err, errEnough) {
		return false, nil
	}
	return e.held > 0 && err == nil, err
}

// ending is the question whether a key is over, under way.
type ending struct {
	d       *Differ
	out     *outcome
	changed map[string]*change
	listed  map[string]bool // items that the answer has
	held    int             // items for which until holds
	errs    map[*rule]*ruleError
}

// judgeListed looks at the items that the answer lists.
func (e *ending) judgeListed() error {
	return e.out.source.readPart(e.out.part, func(f found) error {
		if f.unknown || f.key == "" {
			return errEnough
		}
		e.listed[f.key] = true
		if f.deleted {
			return nil
		}
		content, err := e.out.source.content(new(room), f.raw)
		if err != nil {
			return err
		}
		return e.judge(f.key, content, []byte(f.raw))
	})
}

// judgeKept looks at the items that are remembered and not listed.
func (e *ending) judgeKept(ctx context.Context) error {
	if e.out.finding.baseline {
		return nil
	}
	gone := make(map[string]bool, len(e.out.finding.forgot))
	for _, item := range e.out.finding.forgot {
		gone[item.Key] = true
	}
	var keys []string
	for i := range e.out.memory.entries {
		entry := &e.out.memory.entries[i]
		if c := e.changed[entry.key]; entry.gone() || e.listed[entry.key] || gone[entry.key] || c != nil && c.kind == Deleted {
			continue
		}
		keys = append(keys, entry.key)
	}
	for some := range slices.Chunk(keys, feedAtOnce) {
		items, err := e.d.store.Items(ctx, e.out.part.unit, some)
		if err != nil {
			return storeFailure("reading", err)
		}
		for _, item := range items {
			if err := e.judge(item.Key, item.Content, item.Content); err != nil {
				return err
			}
		}
	}
	// What is new was listed by the answer before, where this is it again.
	for key, c := range e.changed {
		if c.kind == Created && !e.listed[key] {
			if err := e.judge(key, c.new, c.item); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge looks at one item. The error is errEnough where until does not hold.
func (e *ending) judge(key string, content, whole []byte) error {
	ch := change{key: key, new: content, old: content, item: whole}
	if c := e.changed[key]; c != nil {
		ch = *c
	} else if entry := e.out.memory.find(key); entry != nil {
		ch.revision = entry.revision
	}
	ch.window = e.out.window(key)
	until := e.out.source.watch.until
	holds, err := until.holds(e.out.rules.facts(&ch))
	if err != nil {
		e.errs[until] = &ruleError{count: 1, key: key, err: err}
	}
	if !holds {
		return errEnough
	}
	e.held++
	return nil
}

// judgeFirst reports whether a unit's end is asked after for the first time in
// this process: until may have been another before.
func (d *Differ) judgeFirst(unit string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.standing[unit]
	first := !s.judged
	s.judged = true
	d.standing[unit] = s
	return first
}

// tellRetired tells the poller of a key whose end was committed.
func (d *Differ) tellRetired(out *outcome) {
	p := out.part
	if at := out.commit.Bookmarks.Retired; p.watch != "" && !at.IsZero() {
		d.mu.Lock()
		s := d.standing[p.unit]
		s.retired = at
		d.release(p.unit)
		d.standing[p.unit] = s
		d.mu.Unlock()
		d.log.Info("watch key retired: it is polled no more", "source", p.Source, "watch", clip(p.watch))
		if p.Retire != nil {
			p.Retire(p.watch)
		}
	}
}

// standing is what bookmarks hold of a watch key that no poll moves.
type standing struct {
	enrolled       bool
	first, retired time.Time
	judged         bool // known to this process only: until was evaluated
}

func standingOf(b poller.Bookmarks) standing {
	return standing{enrolled: b.Enrolled, first: b.First, retired: b.Retired}
}

// stamp puts the standing of a unit into its bookmarks. d.mu is held.
func (d *Differ) stamp(unit string, b poller.Bookmarks) poller.Bookmarks {
	if s, ok := d.standing[unit]; ok {
		b.Enrolled, b.First = s.enrolled, s.first
		if b.Retired.IsZero() {
			b.Retired = s.retired
		}
	}
	return b
}

// meet notes when a watch key was answered first.
func (d *Differ) meet(unit string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.standing[unit]; s.first.IsZero() {
		s.first = at.Round(0).UTC()
		d.standing[unit] = s
	}
}

func (d *Differ) met(unit string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.standing[unit].first
}

// Enrol notes that a watch key was added over the API, and returns when that
// is durable.
func (d *Differ) Enrol(ctx context.Context, source, key string) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	unit := poller.Unit(source, key)
	d.mu.Lock()
	before := d.standing[unit].enrolled
	d.enrolled(unit, true)
	b := d.stamp(unit, d.marks(unit))
	d.mu.Unlock()

	err = d.store.Keep(ctx, map[string]Kept{unit: {Bookmarks: b}})
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.enrolled(unit, before)
		return err
	}
	d.stored[unit] = b
	return nil
}

// enrolled notes in the standing of a unit whether it was added over the API.
// d.mu is held.
func (d *Differ) enrolled(unit string, is bool) {
	s := d.standing[unit]
	s.enrolled = is
	d.standing[unit] = s
}

// Forget drops all that is remembered of watch keys, and returns when that is
// durable. No answer of theirs may be on its way into Take.
func (d *Differ) Forget(ctx context.Context, source string, keys ...string) error {
	store, ok := d.store.(Forgetter)
	if !ok {
		return errors.New("the store forgets nothing")
	}
	units := make([]string, len(keys))
	for i, key := range keys {
		units[i] = poller.Unit(source, key)
	}
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	locked := units
	if d.quiets[source] != nil {
		locked = append(slices.Clone(units), source)
	}
	release, err := d.units.lock(ctx, locked...)
	if err != nil {
		return err
	}
	defer release()
	if d.quiets[source] != nil {
		if err := d.inheritQuiet(ctx, source); err != nil {
			return err
		}
	}
	if err := d.forget(ctx, store, units); err != nil {
		return err
	}
	d.unfeed(source, units)
	return nil
}

// forget is Forget under the locks of the units.
func (d *Differ) forget(ctx context.Context, store Forgetter, units []string) error {
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	err := store.Forget(ctx, units...)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, unit := range units {
		mem := d.memories[unit]
		if err != nil {
			if mem != nil {
				mem.doubtful = true
			}
			continue
		}
		d.drop(unit)
	}
	return err
}

// drop takes a unit out of memory. d.mu is held.
func (d *Differ) drop(unit string) {
	source, _ := poller.CutUnit(unit)
	if mem := d.memories[unit]; mem != nil && mem.counted > 0 {
		d.metrics.items.WithLabelValues(source).Sub(float64(mem.counted))
		d.tallies.add(source, -mem.counted, time.Time{})
	}
	delete(d.memories, unit)
	delete(d.stored, unit)
	delete(d.moved, unit)
	delete(d.doubted, unit)
	d.release(unit)
	delete(d.standing, unit)
	d.clock.set(task{unit: unit}, 0, false)
	if q := d.quiets[source]; q != nil {
		delete(q.silent, unit)
	}
	delete(d.holds, unit)
	d.metrics.held.Set(float64(len(d.holds)))
}
