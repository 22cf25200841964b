package differ

import (
	"context"

	"github.com/deltahook/deltahook/poller"
)

// reroute has the sources with watch.from read those that there are now. It
// gives the units that are to be read for that. Nothing is taken in meanwhile.
func (d *Differ) reroute(fresh map[string]bool) (reread []string) {
	d.feeds.mu.Lock()
	defer d.feeds.mu.Unlock()
	before, read := d.feeds.to, map[string]bool{}
	d.feeds.of, d.feeds.to = map[string][]*feed{}, map[string]*feed{}
	for name, src := range d.sources {
		o := src.watch.from
		if o == nil {
			continue
		}
		f := before[name]
		if f == nil || fresh[name] {
			f = newFeed(src)
			read[o.from] = true
		}
		f.to, f.origin = src, o
		d.feeds.of[o.from], d.feeds.to[name] = append(d.feeds.of[o.from], f), f
		read[o.from] = read[o.from] || fresh[o.from]
	}
	if len(read) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for unit, mem := range d.memories {
		source, _ := poller.CutUnit(unit)
		if !read[source] || mem.version == 0 {
			continue
		}
		reread = append(reread, unit)
		for _, f := range d.feeds.of[source] {
			f.stale[unit] = f.stale[unit] || mem.present > 0
		}
	}
	for _, f := range d.feeds.to {
		if read[f.from] {
			d.forgetUnits(f)
		}
	}
	return reread
}

// forgetUnits takes out of a feed what is of units that there are no more.
// feeds.mu and d.mu are held.
func (d *Differ) forgetUnits(f *feed) {
	for unit := range f.named {
		if d.memories[unit] == nil {
			f.drop(unit, map[string]bool{})
		}
	}
	for unit := range f.stale {
		if d.memories[unit] == nil || !f.stale[unit] {
			delete(f.stale, unit)
		}
	}
}

// refeedAll reads units for watch keys. One that cannot be read now is read
// before its next answer is compared.
func (d *Differ) refeedAll(ctx context.Context, units []string) {
	for _, unit := range units {
		if err := d.refeedOne(ctx, unit); err != nil {
			source, watch := poller.CutUnit(unit)
			d.log.Warn("the items cannot be read for watch keys: they are with the next answer", "source", source, "watch", clip(watch), "err", err)
		}
	}
}

func (d *Differ) refeedOne(ctx context.Context, unit string) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if source, _ := poller.CutUnit(unit); d.sources[source] == nil {
		return nil // another reload took it away
	}
	mem, release, err := d.borrow(ctx, unit)
	if err != nil {
		return err
	}
	defer release()
	return d.refeed(ctx, unit, mem)
}
