package poller

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"
)

const (
	watchFileEvery = 5 * time.Second // how often a file of keys is looked at
	forgetAgain    = time.Minute     // after which what could not be forgotten is tried again
	forgetAtOnce   = 1_000           // keys in one transaction
)

// Follow has the keys that items of another source name for a source looked at
// again. It does not wait for that.
func (p *Poller) Follow(source string) {
	if f := p.fan(source); f != nil {
		select {
		case f.news <- struct{}{}:
		default:
		}
	}
}

// tend forgets keys that are gone, and looks after those that a file and items
// of another source name, until ctx ends.
func (p *Poller) tend(ctx context.Context, f *fan) {
	p.bury(ctx, f)
	if f.source.watch.fed {
		p.followItems(ctx, f) // they may have changed since New
	}
	every := forgetAgain
	if f.source.watch.file != "" {
		every = watchFileEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	buried := time.Now()
	for before := f.read; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.news:
			p.followItems(ctx, f)
			continue
		case <-tick.C:
		}
		if time.Since(buried) >= forgetAgain {
			p.bury(ctx, f)
			if f.owing && f.source.watch.fed {
				p.followItems(ctx, f)
			}
			buried = time.Now()
		}
		if f.source.watch.file != "" {
			before = p.followFile(ctx, f, before)
		}
	}
}

// followFile takes over a file of keys that has changed and then stood still.
// before is its state at the look before; that at this look is returned.
func (p *Poller) followFile(ctx context.Context, f *fan, before fileStamp) fileStamp {
	at := stampOf(f.source.watch.file)
	// One that changed between two looks may still be written.
	if at != before || at == f.read {
		return at
	}
	keys, err := readWatchFile(f.source.watch.file)
	if stampOf(f.source.watch.file) != at {
		return at // it changed while it was read
	}
	if err != nil {
		f.read = at
		p.log.Warn("the file of watch keys cannot be read: its keys stay as they were", "source", f.source.name, "err", err)
		return at
	}
	if p.follow(ctx, f, fromFile, keys, true) {
		f.read = at
	}
	return at
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	at   time.Time
	size int64
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime(), info.Size()}
}

// followItems takes over which keys the items of another source name.
func (p *Poller) followItems(ctx context.Context, f *fan) {
	if p.watches != nil {
		keys, settled := p.watches.Named(f.source.name)
		p.follow(ctx, f, fromItems, keys, settled)
	}
}

// follow takes over the keys of an origin. whole false: what is not among them
// stays. It reports whether all was done; what was not is for another time.
func (p *Poller) follow(ctx context.Context, f *fan, from whence, keys []string, whole bool) (done bool) {
	p.watching.Lock()
	defer p.watching.Unlock()
	if f.gone {
		return true
	}
	var gone []string
	if whole {
		gone = p.dropOthers(f, from, keys)
	}
	p.forgetKeys(ctx, f, gone)
	again := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !f.dead[key] })
	p.forgetKeys(ctx, f, again)

	// Origins change only while p.watching is locked; polls need not wait.
	news := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return f.origins[key]&from != 0 })
	added, left, owing := 0, 0, false
	f.mu.Lock()
	for _, key := range news {
		switch {
		case f.dead[key]: // put in now, it would not begin anew
			owing = true
			continue
		case f.origins[key] == 0 && len(f.origins) >= maxWatchKeys:
			left++
			continue
		}
		j, fresh := f.put(key, from)
		if j != nil {
			added++
		}
		p.enter(f, j, fresh)
	}
	f.mu.Unlock()
	if from == fromItems { // a file's are read again until all are put in
		f.owing = owing
	}
	if added > 0 || len(gone) > 0 {
		p.log.Info("watch keys came or went", "source", f.source.name, "of", from.words()[0], "added", added, "removed", len(gone))
	}
	if left > 0 {
		p.tellLeft(f, left)
	}
	return !owing
}

// dropOthers takes an origin from all keys that are not among these, and gives
// those that have none left. p.watching is locked.
func (p *Poller) dropOthers(f *fan, from whence, keys []string) (gone []string) {
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
	}
	var others []string
	for key, of := range f.origins {
		if of&from != 0 && !there[key] {
			others = append(others, key)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range others {
		last, idle := f.drop(key, from)
		p.leaveOut(f, idle)
		if last {
			gone = append(gone, key)
		}
	}
	return gone
}

// bury forgets the keys that are still to be.
func (p *Poller) bury(ctx context.Context, f *fan) {
	p.watching.Lock()
	defer p.watching.Unlock()
	if f.gone {
		return
	}
	p.forgetKeys(ctx, f, slices.Sorted(maps.Keys(f.dead)))
}

// forgetKeys forgets keys that have been removed. Those that the store cannot
// forget are dead: they are tried again, and put in anew only after that.
// p.watching is locked.
func (p *Poller) forgetKeys(ctx context.Context, f *fan, keys []string) {
	for _, key := range keys {
		f.dead[key] = true
	}
	for _, key := range p.forget(ctx, f.source.name, keys) {
		delete(f.dead, key)
	}
}

// forget forgets keys, a bounded number at a time, and gives those that it did.
func (p *Poller) forget(ctx context.Context, source string, keys []string) (forgotten []string) {
	if p.watches == nil {
		return keys
	}
	for some := range slices.Chunk(keys, forgetAtOnce) {
		if err := p.watches.Forget(ctx, source, some...); err != nil {
			if ctx.Err() == nil {
				p.log.Warn("watch keys that were removed cannot be forgotten", "source", source, "keys", len(some), "err", err)
			}
			return forgotten
		}
		forgotten = append(forgotten, some...)
	}
	return forgotten
}

// forgetStrays forgets the watch keys of a source that has none any more, unless
// its settings change meanwhile.
func (p *Poller) forgetStrays(ctx context.Context, m *member) {
	p.watching.Lock()
	defer p.watching.Unlock()
	if p.roll.Load().of[m.source.name] == m {
		done := p.forget(ctx, m.source.name, m.strays)
		m.strays = m.strays[len(done):]
	}
}
