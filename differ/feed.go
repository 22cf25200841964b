package differ

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/deltahook/deltahook/poller"
)

// feedAtOnce is how many items are read at once at the start.
const feedAtOnce = 1_000

// origin is a FeedSettings, compiled.
type origin struct {
	from string // the source whose items name keys
	path string
	rule *rule // which items count; without when, all
}

// feeds are which watch keys the items of sources name. They hold what follows
// from the items as the store has them, so nothing of it is stored: it is made
// anew at a start, and moves with each commit.
type feeds struct {
	tell func(source string) // the keys of a source are others

	mu sync.Mutex
	of map[string][]*feed // by the source that is read
	to map[string]*feed   // by the source that has the keys
}

// feed is the watch keys of one source. feeds.mu guards it.
type feed struct {
	*origin
	to    *Source
	named map[string]map[string][]string // keys by unit and item, of the items that name any
	count map[string]int                 // items that name a key
	stale map[string]bool                // units whose items were read by other settings, or are to be read anew
	known bool                           // the source has been answered once, or there are items of it
}

func newFeed(to *Source) *feed {
	return &feed{
		origin: to.watch.from, to: to,
		named: map[string]map[string][]string{}, count: map[string]int{}, stale: map[string]bool{},
	}
}

// LoadFeeds reads what the stored items say of the watch keys of other sources.
// Call it once, after Load and before the first Take. From then on, tell is
// called with the name of a source whose keys have become others. It must not
// block.
func (d *Differ) LoadFeeds(ctx context.Context, tell func(source string)) error {
	d.feeds.tell, d.feeds.of, d.feeds.to = tell, map[string][]*feed{}, map[string]*feed{}
	for _, src := range d.sources {
		if o := src.watch.from; o != nil {
			f := newFeed(src)
			d.feeds.of[o.from] = append(d.feeds.of[o.from], f)
			d.feeds.to[src.name] = f
		}
	}
	if len(d.feeds.to) == 0 {
		return nil
	}
	for unit, mem := range d.memories {
		if err := d.refeed(ctx, unit, mem); err != nil {
			return fmt.Errorf("reading the items of %s for watch keys: %w", visibleUnit(unit), err)
		}
	}
	return nil
}

// Named gives the watch keys that items of another source name for a source
// with watch.from, in their order. settled is false where that source was not
// answered since its settings changed, or ever: then there may be more.
func (d *Differ) Named(source string) (keys []string, settled bool) {
	d.feeds.mu.Lock()
	defer d.feeds.mu.Unlock()
	f := d.feeds.to[source]
	if f == nil {
		return nil, false
	}
	return slices.Sorted(maps.Keys(f.count)), f.settled()
}

func (f *feed) settled() bool { return f.known && len(f.stale) == 0 }

// refeed reads what the store has of a unit, whose memory was read anew.
func (d *Differ) refeed(ctx context.Context, unit string, mem *memory) error {
	name, _ := poller.CutUnit(unit)
	reading, src := d.feeds.of[name], d.sources[name]
	if len(reading) == 0 || mem.version == 0 {
		return nil
	}
	// One that is not polled any more will not be read by the new settings.
	d.mu.Lock()
	retired := !d.standing[unit].retired.IsZero()
	d.mu.Unlock()
	if mem.shape != src.shape && !retired {
		d.feedEach(reading, func(f *feed) bool {
			if mem.present > 0 {
				f.stale[unit] = true
			}
			return false
		})
		return nil
	}
	keys := make([]string, 0, mem.present)
	for i := range mem.entries {
		if e := &mem.entries[i]; !e.gone() {
			keys = append(keys, e.key)
		}
	}
	named := make([][]naming, len(reading))
	for some := range slices.Chunk(keys, feedAtOnce) {
		items, err := d.store.Items(ctx, unit, some)
		if err != nil {
			mem.doubtful = true // read it again
			return storeFailure("reading", err)
		}
		for i, f := range reading {
			for _, n := range d.namings(f, unit, items) {
				if len(n.keys) > 0 {
					named[i] = append(named[i], n)
				}
			}
		}
	}
	for i, f := range reading {
		d.feedEach([]*feed{f}, func(f *feed) bool { return f.take(unit, named[i], true) })
	}
	return nil
}

// feed tells of the items of a source whose keys other sources watch: those
// that a commit has written.
func (d *Differ) feed(out *outcome) {
	c := out.commit
	reading, unit := d.feeds.of[c.Source], c.Unit()
	switch {
	case len(reading) == 0 || out.held:
		return
	case out.reset: // the next answer says what there is
		d.feedEach(reading, func(f *feed) bool {
			if len(f.named[unit]) > 0 {
				f.stale[unit] = true
			}
			return false
		})
	case c.Shape == out.source.shape:
		for _, f := range reading {
			named := d.namings(f, unit, c.Items)
			d.feedEach([]*feed{f}, func(f *feed) bool { return f.take(unit, named, c.Reset) })
		}
	}
}

// take takes in what items of a unit name: all that it has, or those that
// changed. It reports whether the keys are others, or are known only now.
func (f *feed) take(unit string, named []naming, all bool) bool {
	changed := f.stale[unit] || !f.known
	delete(f.stale, unit)
	f.known = true
	before, gone, came := len(f.count), map[string]bool{}, map[string]bool{}
	if all {
		f.drop(unit, gone)
	}
	for _, n := range named {
		f.put(unit, n.item, n.keys, gone, came)
	}
	if changed || before != len(f.count) {
		return true
	}
	for key := range gone { // one that went and came is the same
		if !came[key] {
			return true
		}
	}
	return false
}

// feedEach changes feeds, and tells of those that do reports as changed.
func (d *Differ) feedEach(some []*feed, do func(*feed) bool) {
	var changed []string
	d.feeds.mu.Lock()
	for _, f := range some {
		if do(f) {
			changed = append(changed, f.to.name)
		}
	}
	d.feeds.mu.Unlock()
	for _, name := range changed {
		d.feeds.tell(name)
	}
}

// unfeed takes out units that were forgotten.
func (d *Differ) unfeed(source string, units []string) {
	d.feedEach(d.feeds.of[source], func(f *feed) bool {
		before, gone := len(f.count), map[string]bool{}
		for _, unit := range units {
			f.drop(unit, gone)
			delete(f.stale, unit)
		}
		return len(f.count) != before
	})
}

// drop takes out all items of a unit, and notes the keys that go with them.
func (f *feed) drop(unit string, gone map[string]bool) {
	for item := range f.named[unit] {
		f.put(unit, item, nil, gone, nil)
	}
}

// put notes which keys an item names now.
func (f *feed) put(unit, item string, keys []string, gone, came map[string]bool) {
	before := f.named[unit][item]
	for _, key := range keys {
		if f.count[key]++; f.count[key] == 1 {
			came[key] = true
		}
	}
	for _, key := range before {
		if f.count[key]--; f.count[key] == 0 {
			delete(f.count, key)
			gone[key] = true
		}
	}
	switch {
	case len(keys) > 0:
		if f.named[unit] == nil {
			f.named[unit] = map[string][]string{}
		}
		f.named[unit][item] = keys
	case before != nil:
		if delete(f.named[unit], item); len(f.named[unit]) == 0 {
			delete(f.named, unit)
		}
	}
}
