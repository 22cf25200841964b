package poller

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// watchFirst is within which time keys are polled for the first time.
const watchFirst = time.Minute

// first is when a job of watch keys is polled first: where something in it was
// never polled, or missed its run, within a minute (10 ms for each slot, if
// that is more), otherwise on its schedule.
func (f *fan) first(j *job, now time.Time) time.Time {
	next := j.schedule().Next(now)
	j.rush = false
	over := max(watchFirst, time.Duration(f.count.Load())*firstPace)
	switch {
	case j.soon && f.window > over:
		soon := now.Add(shift(int(j.slot.Load()), over)).Round(0).UTC()
		if soon.Before(next) {
			next, j.rush = soon, true
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
	switch {
	case !p.running: // plan does it
		j.soon = true
	case fresh:
		j.soon = true
		j.due = f.first(j, time.Now())
		heap.Push(&p.queue, j)
		p.rouse(j)
	default:
		p.hasten(f, j)
	}
}

// hasten has a job polled in time for a key that was never polled. p.mu is
// held.
func (p *Poller) hasten(f *fan, j *job) {
	j.soon = true
	if !p.running || j.index == nowhere || j.marks.Failures > 0 {
		return // plan, or who polls it, brings it back
	}
	due, rush := j.due, j.rush
	if first := f.first(j, time.Now()); first.Before(due) {
		j.due = first
		heap.Fix(&p.queue, j.index)
		p.rouse(j)
		return
	}
	j.rush = rush || j.rush // it is due as soon as that already
}

// leaveOut takes a job without keys out of the queue; where it is somewhere
// else it ends there. The job that took its number takes its time as well, or
// those that move would all keep the time of the last number; but not one that
// is due for a key that was never polled, and where there was such a key in the
// job that is left out, those that have its keys now are due for it. f.mu is
// locked.
func (p *Poller) leaveOut(f *fan, j *job) {
	if j == nil {
		return
	}
	p.mu.Lock()
	j.over = true
	if j.index != nowhere {
		heap.Remove(&p.queue, j.index)
	}
	if m := f.moved; m != nil && m.index != nowhere && p.running && m.marks.Failures == 0 && !m.rush {
		m.due = m.schedule().Next(time.Now())
		heap.Fix(&p.queue, m.index)
		p.rouse(m)
	}
	if j.soon || j.rush {
		for _, to := range f.joined {
			p.hasten(f, to)
		}
	}
	f.moved, f.joined = nil, nil
	p.mu.Unlock()
	if p.failingEnds(j) {
		f.told.Lock()
		f.streak = streak{} // the next failure is news again
		f.told.Unlock()
	}
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
		a.Keys = slices.DeleteFunc(a.Keys, func(key string) bool { return !j.fan.holds(j, key, j.born) })
		if len(a.Keys) == 0 {
			return nil
		}
		return p.sink.Take(ctx, a)
	}()
	for _, key := range retired {
		j.fan.mu.Lock()
		if j.fan.place[key].born <= j.born { // it may have been removed and put anew meanwhile
			p.leaveOut(j.fan, j.fan.retire(key))
		}
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
		if j.fan.holds(j, key, j.born) {
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
		j.fan.missed = 0
	}
	p.fares(j.fan)
	return len(j.fan.failing) == 0
}

// noteEnd notes for the metrics whether a poll failed.
func (p *Poller) noteEnd(j *job, failed bool) {
	if j.fan == nil {
		p.metrics.fail(j.source.name, failed)
		return
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	if j.fan.missed++; !failed {
		j.fan.missed = 0
	}
	p.fares(j.fan)
}

// fares says in the metrics whether a source with watch keys fails. One key
// among others that work makes no failing source. f.told is locked, or f is
// not known yet.
func (p *Poller) fares(f *fan) {
	all := len(f.failing) > 0 && len(f.failing) >= int(f.count.Load())
	p.metrics.fail(f.source.name, all || f.missed > 1)
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
