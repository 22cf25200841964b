package poller

import (
	"container/heap"
	"context"
	"maps"
	"os"
	"slices"
	"time"
)

// Watches stores the watch keys that are added at run time. The differ is one.
type Watches interface {
	// Enrol stores that a key was added over the API, and returns when that
	// is durable.
	Enrol(ctx context.Context, source, key string) error

	// Forget drops all that is remembered of keys, and returns when that is
	// durable. Nothing of them is in Sink.Take or Sink.Keep meanwhile.
	Forget(ctx context.Context, source string, keys ...string) error
}

const (
	watchFileEvery = 5 * time.Second // how often a file of keys is looked at
	watchFirst     = time.Minute     // within which keys are polled for the first time
	forgetAtOnce   = 1_000           // keys in one transaction
)

// fanOut makes the fan of a source: its keys from the configuration, the file
// and, where they are in marks as enrolled, the API. What marks has of other
// keys is to be forgotten.
func (p *Poller) fanOut(s *Source, marks map[string]Bookmarks) {
	f := newFan(s)
	p.fans[s.name] = f
	stored := map[string]Bookmarks{}
	for unit, m := range marks {
		if source, key := CutUnit(unit); source == s.name && key != "" {
			stored[key] = m
		}
	}
	for _, key := range s.watch.keys {
		p.fill(f, key, fromConfig, stored)
	}
	if s.watch.file != "" {
		keys, err := readWatchFile(s.watch.file)
		if err != nil {
			p.log.Warn("the file of watch keys cannot be read: those that are known are watched on", "source", s.name, "err", err)
			for _, key := range slices.Sorted(maps.Keys(stored)) {
				if !stored[key].Enrolled {
					keys = append(keys, key)
				}
			}
		}
		for _, key := range keys {
			p.fill(f, key, fromFile, stored)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		switch {
		case stored[key].Enrolled && s.watch.api:
			p.fill(f, key, fromAPI, stored)
		case f.origins[key] == 0:
			p.orphans[s.name] = append(p.orphans[s.name], key)
		}
	}
	p.jobs = append(p.jobs, f.slots...)
}

// fill puts in a key at the start.
func (p *Poller) fill(f *fan, key string, from whence, stored map[string]Bookmarks) {
	m := stored[key]
	if f.origins[key] == 0 && !m.Retired.IsZero() {
		f.origins[key], f.retired[key] = from, true
		return
	}
	j, _ := f.put(key, from)
	switch {
	case j == nil:
		return
	case m.Next.IsZero(), !m.Next.After(time.Now()) && !f.source.skipMissed:
		j.soon = true
	}
	if f.source.watch.batch == 0 {
		j.marks = m
		if m.Failures > 0 {
			p.failingStarts(j)
		}
	}
}

// first is when a job of watch keys is polled first: where something in it was
// never polled, or missed its run, within a minute (10 ms for each slot, if
// that is more), otherwise on its schedule.
func (f *fan) first(j *job, now time.Time) time.Time {
	next := j.schedule().Next(now)
	over := max(watchFirst, time.Duration(f.count.Load())*firstPace)
	switch {
	case j.soon && f.window > over:
		soon := now.Add(shift(int(j.slot.Load()), over)).Round(0).UTC()
		if soon.Before(next) {
			next = soon
		}
	case j.marks.Failures > 0:
		next = resume(j.schedule(), j.marks, now)
	}
	j.soon = false
	return next
}

// enter puts a job that has a new key where it is polled in time.
func (p *Poller) enter(f *fan, j *job, fresh bool) {
	if j == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	j.soon = true
	switch now := time.Now(); {
	case !p.running: // plan does it
		if fresh {
			p.jobs = append(p.jobs, j)
		}
		return
	case fresh:
		j.due = f.first(j, now)
		heap.Push(&p.queue, j)
	case j.index != nowhere && j.marks.Failures == 0:
		if first := f.first(j, now); first.Before(j.due) {
			j.due = first
			heap.Fix(&p.queue, j.index)
		}
	default:
		return // who polls it brings it back
	}
	p.rouse(j)
}

// leaveOut takes a job without keys out of the queue; where it is somewhere
// else it ends there. The job that took its number takes its time as well, or
// those that move would all keep the time of the last number. f.mu is locked.
func (p *Poller) leaveOut(f *fan, j *job) {
	if j == nil {
		return
	}
	p.mu.Lock()
	j.over = true
	if j.index != nowhere {
		heap.Remove(&p.queue, j.index)
	}
	if m := f.moved; m != nil && m.index != nowhere && p.running && m.marks.Failures == 0 {
		m.due = m.schedule().Next(time.Now())
		heap.Fix(&p.queue, m.index)
		p.rouse(m)
	}
	f.moved = nil
	p.jobs = slices.DeleteFunc(p.jobs, func(o *job) bool { return o == j })
	p.mu.Unlock()
	p.failingEnds(j)
}

// take hands an answer on: of watch keys, of those that are still this job's.
func (p *Poller) take(ctx context.Context, j *job, a *Answer) error {
	if j.fan == nil {
		return p.sink.Take(ctx, a)
	}
	var retired []string
	a.Retire = func(key string) {
		j.fan.told.Lock()
		defer j.fan.told.Unlock()
		retired = append(retired, key)
	}
	err := func() error {
		j.fan.mu.RLock()
		defer j.fan.mu.RUnlock()
		a.Keys = slices.DeleteFunc(a.Keys, func(key string) bool { return j.fan.place[key] != j })
		if len(a.Keys) == 0 {
			return nil
		}
		return p.sink.Take(ctx, a)
	}()
	for _, key := range retired {
		j.fan.mu.Lock()
		p.leaveOut(j.fan, j.fan.retire(key))
		j.fan.mu.Unlock()
	}
	return err
}

// keepMarks has the marks of a failed poll stored. Those of a batch are of no
// key, and are known to this process only.
func (p *Poller) keepMarks(j *job, keys []string) {
	if j.fan == nil {
		p.sink.Keep(j.source.name, j.marks)
		return
	}
	if j.source.watch.batch > 0 {
		return
	}
	j.fan.mu.RLock()
	defer j.fan.mu.RUnlock()
	for _, key := range keys {
		if j.fan.place[key] == j {
			p.sink.Keep(Unit(j.source.name, key), j.marks)
		}
	}
}

// failingStarts counts a job's source as failing, once.
func (p *Poller) failingStarts(j *job) {
	if j.fan == nil {
		p.metrics.failing.Inc()
		return
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	if len(j.fan.failing) == 0 {
		p.metrics.failing.Inc()
	}
	j.fan.failing[j] = true
}

// failingEnds is the reverse. It reports whether the source works again.
func (p *Poller) failingEnds(j *job) bool {
	if j.fan == nil {
		p.metrics.failing.Dec()
		return true
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	if !j.fan.failing[j] {
		return false
	}
	delete(j.fan.failing, j)
	if len(j.fan.failing) == 0 {
		p.metrics.failing.Dec()
	}
	return len(j.fan.failing) == 0
}

// tell tells of a job's streak; the jobs of watch keys have one together.
func (j *job) tell(do func(*streak)) {
	if j.fan == nil {
		do(&j.streak)
		return
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	do(&j.fan.streak)
}

// tend forgets keys that are gone, then looks after a file of keys, until ctx
// ends.
func (p *Poller) tend(ctx context.Context, f *fan) {
	p.forgetAll(ctx, f.source.name, p.orphans[f.source.name])
	if f.source.watch.file == "" {
		return
	}
	tick := time.NewTicker(watchFileEvery)
	defer tick.Stop()
	read := stampOf(f.source.watch.file)
	for before := read; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// One that changed between two looks may still be written.
		at := stampOf(f.source.watch.file)
		if settled := at == before; settled && at != read {
			read = at
			p.reread(ctx, f)
		}
		before = at
	}
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

// reread takes over what a file of keys says. One that cannot be read changes
// nothing.
func (p *Poller) reread(ctx context.Context, f *fan) {
	keys, err := readWatchFile(f.source.watch.file)
	if err != nil {
		p.log.Warn("the file of watch keys cannot be read: its keys stay as they were", "source", f.source.name, "err", err)
		return
	}
	p.watching.Lock()
	defer p.watching.Unlock()
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
	}
	var gone []string
	f.mu.Lock()
	for key, from := range f.origins {
		if from&fromFile != 0 && !there[key] {
			last, idle := f.drop(key, fromFile)
			p.leaveOut(f, idle)
			if last {
				gone = append(gone, key)
			}
		}
	}
	added, left := 0, 0
	for _, key := range keys {
		if f.origins[key] == 0 && len(f.origins) >= maxWatchKeys {
			left++
			continue
		}
		j, fresh := f.put(key, fromFile)
		if j != nil {
			added++
		}
		p.enter(f, j, fresh)
	}
	f.mu.Unlock()
	p.forgetAll(ctx, f.source.name, gone)
	p.log.Info("the file of watch keys was read again", "source", f.source.name, "added", added, "removed", len(gone))
	if left > 0 {
		p.log.Warn("too many watch keys: some of the file are not watched", "source", f.source.name, "most", maxWatchKeys, "left_out", left)
	}
}

// forgetAll forgets keys, a bounded number at a time. Those that the store
// could not forget are tried again at the next start.
func (p *Poller) forgetAll(ctx context.Context, source string, keys []string) {
	if p.watches == nil {
		return
	}
	for some := range slices.Chunk(keys, forgetAtOnce) {
		if err := p.watches.Forget(ctx, source, some...); err != nil && ctx.Err() == nil {
			p.log.Warn("watch keys that were removed cannot be forgotten", "source", source, "keys", len(some), "err", err)
			return
		}
	}
}
