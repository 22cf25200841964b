package poller

import (
	"context"
	"errors"
	"maps"
	"time"
)

// ErrEnded is the error of a poller whose end has begun.
var ErrEnded = errors.New("polling has ended")

// Update has the poller poll other sources, without a restart. It may be called
// at any time; calls are served one after the other, and watch keys come and go
// before or after it.
//
// A source that is the very same as before (the pointer) goes on as it was: it
// keeps its time, its place in line and its poll in flight. Of all others that
// there were no poll starts any more, and those that run are cut off, which
// counts nowhere; but one that has ended, and whose answer is being taken in,
// is waited for. Then between is called, which has whoever takes answers in
// change as well, and gives the bookmarks of units as far as they are news to
// the poller. At last the others are planned:
//
//   - a source that takes the place of one of its name goes on from its
//     bookmarks, with its failures in a row. Where the schedule is the same it
//     keeps its time; otherwise the new one counts, unless it is due already or
//     rests. What between gives of it goes before, but for failures and time.
//     Watch keys that were added over the API stay.
//   - one that is new begins with what between gives of it, as after a restart.
//
// An error is that of between, of ctx, or ErrEnded; then everything goes on as
// it was.
func (p *Poller) Update(ctx context.Context, sources []*Source, between func(context.Context) (map[string]Bookmarks, error)) error {
	p.watching.Lock()
	defer p.watching.Unlock()
	if p.hasEnded() {
		return ErrEnded
	}
	before := p.roll.Load()
	stays := make(map[*Source]bool, len(sources))
	for _, s := range sources {
		stays[s] = true
	}
	var going []*member
	for _, m := range before.sorted {
		if !stays[m.source] {
			going = append(going, m)
		}
	}
	if err := p.halt(ctx, going); err != nil {
		p.resume(going)
		return err
	}
	marks, err := between(ctx)
	if err != nil {
		p.resume(going)
		return err
	}
	p.swap(before, going, sources, marks)
	return nil
}

func (p *Poller) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// swap puts sources in the place of those on the roll; those that go have been
// halted.
func (p *Poller) swap(before *roll, going []*member, sources []*Source, marks map[string]Bookmarks) {
	now, stored := time.Now(), keysOf(marks)
	var all, fresh []*member
	names := make(map[string]bool, len(sources))
	for _, s := range sources {
		names[s.name] = true
	}
	for _, m := range going {
		p.depart(m, names[m.source.name])
	}
	for _, s := range sources {
		m := before.of[s.name]
		switch {
		case m == nil:
			m = p.enlist(s, marks[s.name], stored[s.name])
		case m.source != s:
			m = p.replace(m, s, marks, stored[s.name], now)
		default:
			all = append(all, m)
			continue
		}
		fresh = append(fresh, m)
		all = append(all, m)
	}
	enterGates(fresh, before.sorted)
	p.openLimits(all, now)
	jobs := jobsOf(fresh)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll.Store(newRoll(all))
	p.metrics.sources.Set(float64(p.roll.Load().polled()))
	if p.running && !p.ended {
		p.enqueue(jobs, now)
		p.attend(fresh)
		p.awaken()
	}
}

// replace makes the member that takes the place of another one of its name.
func (p *Poller) replace(was *member, s *Source, marks, stored map[string]Bookmarks, now time.Time) *member {
	own, keys := was.estate()
	if given, ok := marks[s.name]; ok {
		own = given.after(own)
	}
	all := maps.Clone(keys)
	if all == nil {
		all = map[string]Bookmarks{}
	}
	for key, given := range stored {
		all[key] = given.after(keys[key])
	}
	m := p.enlist(s, own, all)
	switch {
	case m.job != nil && was.job != nil:
		m.job.inherit(was.job, now)
	case m.fan != nil && was.fan != nil:
		p.inheritKeys(m.fan, was.fan, now)
	}
	return m
}

// after is m, with what only the poller knows for certain: of was, unless there
// is nothing.
func (m Bookmarks) after(was Bookmarks) Bookmarks {
	if was.Next.IsZero() && was.Failures == 0 {
		return m
	}
	m.Next, m.Failures, m.FailingSince, m.LastError = was.Next, was.Failures, was.FailingSince, was.LastError
	m.Enrolled = m.Enrolled || was.Enrolled
	return m
}

// inherit has a job of the source that takes the place of another go on from
// the one that polled that. The bookmarks it has already.
func (j *job) inherit(was *job, now time.Time) {
	j.streak, j.last, j.retries, j.reset = was.streak, was.last, was.retries, was.reset
	j.turn.rest = was.turn.rest
	j.due = j.dueAfter(was, now)
}

// dueAfter is when a job is due that takes the place of another one; zero: that
// was not planned, or the schedule is to say.
func (j *job) dueAfter(was *job, now time.Time) time.Time {
	switch {
	case was.due.IsZero(), j.source.spec == was.source.spec, !was.due.After(now):
		return was.due
	case was.marks.Failures > 0:
		return resume(j.schedule(), Bookmarks{Next: was.due, Failures: was.marks.Failures}, now)
	case j.fan != nil:
		return time.Time{}
	}
	next := j.schedule().Next(now)
	if was.marks.Next.IsZero() { // it was never polled
		next = sooner(next, was.due)
	}
	if rest := was.turn.rest.Round(0).UTC(); next.Before(rest) {
		return rest
	}
	return next
}

// inheritKeys has the watch keys of a source that takes the place of another
// go on from those of that. None of them is polled later than it was to be.
func (p *Poller) inheritKeys(f, was *fan, now time.Time) {
	f.streak, f.outage, f.missed = was.streak, was.outage, was.missed
	defer p.fares(f) // with the streaks that it inherits
	for _, j := range f.slots {
		var due time.Time
		for i, key := range j.keys {
			old := was.place[key].job
			if old == nil {
				continue // it is new, and hence soon
			}
			if i == 0 {
				j.last, j.answers, j.before, j.turn.rest = old.last, old.answers, old.before, old.turn.rest
				p.inheritStreak(j, old)
			}
			j.soon = j.soon || old.soon || old.rush
			if at := j.dueAfter(old, now); !at.IsZero() && (due.IsZero() || at.Before(due)) {
				due = at
			}
		}
		if p.books == nil {
			continue // plan does it
		}
		soon := j.soon
		if j.due = f.first(j, now); !due.IsZero() && due.Before(j.due) {
			j.due, j.rush = due, soon
		}
	}
}

// inheritStreak is for the slots of batches, whose failures are those of no key.
func (p *Poller) inheritStreak(j, old *job) {
	if j.source.watch.batch > 0 && old.source.watch.batch > 0 && old.marks.Failures > 0 {
		j.marks = old.marks
		p.failingStarts(j)
	}
}
