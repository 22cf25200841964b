package differ

import (
	"cmp"
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
