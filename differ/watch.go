package differ

import (
	"context"
	"errors"
	"hash/maphash"
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

func compileWatch(r fault.Report, s WatchSettings, resp ResponseSettings, m *moments) watch {
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
		program, err := expr.CompileBool(s.Until, m.env(ruleEnv(resp.Pick.Keys())))
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
	split       bool // items are what the answer has of the key
	lacking     bool // and it has none: the key is unknown in it
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
		return s.read(p.Pages, p.watch, take)
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
	if p.watch == "" || w.until == nil && w.maxAge == 0 {
		return nil
	}
	old := w.maxAge > 0 && p.Received.Sub(d.met(p.unit)) >= w.maxAge
	if !old {
		over, err := d.over(out)
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

// over reports whether until holds for all items of the key.
func (d *Differ) over(out *outcome) (bool, error) {
	src, p, seen := out.source, out.part, out.finding
	if src.watch.until == nil || !seen.read || len(seen.waiting)+len(seen.pending) > 0 {
		return false, nil
	}
	changed := make(map[string]*change, len(seen.changes))
	for i := range seen.changes {
		changed[seen.changes[i].key] = &seen.changes[i]
	}
	n, errs := 0, map[*rule]*ruleError{}
	err := src.readPart(p, func(f found) error {
		if f.deleted {
			return nil
		}
		if f.unknown || f.key == "" {
			return errEnough
		}
		content, err := src.content(nil, f.raw)
		if err != nil {
			return err
		}
		ch := change{key: f.key, new: content, old: content, item: []byte(f.raw)}
		if c := changed[f.key]; c != nil {
			ch.kind, ch.old, ch.revision = c.kind, c.old, c.revision
		} else if e := out.memory.find(f.key); e != nil {
			ch.revision = e.revision
		}
		holds, err := src.watch.until.matches(&facts{source: src.name, watch: p.watch, change: &ch})
		if err != nil {
			errs[src.watch.until] = &ruleError{count: 1, key: f.key, err: err}
		}
		if !holds {
			return errEnough
		}
		n++
		return nil
	})
	d.reportRules(src, errs)
	if errors.Is(err, errEnough) {
		return false, nil
	}
	return n > 0 && err == nil, err
}

// tellRetired tells the poller of a key whose end was committed.
func (d *Differ) tellRetired(out *outcome) {
	p := out.part
	if at := out.commit.Bookmarks.Retired; p.watch != "" && !at.IsZero() {
		d.mu.Lock()
		s := d.standing[p.unit]
		s.retired = at
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
}

func standingOf(b poller.Bookmarks) standing { return standing{b.Enrolled, b.First, b.Retired} }

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
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	unit := poller.Unit(source, key)
	d.mu.Lock()
	before := d.standing[unit].enrolled
	k, moved := d.moved[unit]
	b := k.Bookmarks
	if !moved {
		b = d.stored[unit]
	}
	d.enrolled(unit, true)
	b = d.stamp(unit, b)
	d.mu.Unlock()

	err := d.store.Keep(ctx, map[string]Kept{unit: {Bookmarks: b}})
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
	release, err := d.units.lock(ctx, units...)
	if err != nil {
		return err
	}
	defer release()
	if err := d.forget(ctx, store, source, units); err != nil {
		return err
	}
	d.unfeed(source, units)
	return nil
}

// forget is Forget under the locks of the units.
func (d *Differ) forget(ctx context.Context, store Forgetter, source string, units []string) error {
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
		if mem != nil {
			d.metrics.items.WithLabelValues(source).Sub(float64(mem.counted))
		}
		delete(d.memories, unit)
		delete(d.stored, unit)
		delete(d.moved, unit)
		delete(d.standing, unit)
		d.clock.set(task{unit: unit}, 0, false)
		if q := d.quiets[source]; q != nil {
			delete(q.silent, unit)
		}
	}
	return err
}
