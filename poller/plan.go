package poller

import (
	"container/heap"
	"context"
	"time"

	"github.com/deltahook/deltahook/internal/retryafter"
)

// firstPace is the time that each source adds to the span over which sources
// that are to be polled at the start are spread.
const firstPace = 10 * time.Millisecond

// plan puts every job into the queue, for its first run, and begins what runs
// beside the polls until books ends.
func (p *Poller) plan(books context.Context, now time.Time) {
	p.watching.Lock()
	defer p.watching.Unlock()
	members := p.roll.Load().sorted
	jobs := jobsOf(members)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.books = true, books
	p.enqueue(jobs, now)
	p.attend(members)
}

// enqueue puts jobs into the queue that are in none. Those that have no time
// yet are planned.
//
// Sources that were never polled, and those that missed a run and make up for
// it, are polled soon: spread by their names over 10 ms each, or over their
// interval where that is shorter.
func (p *Poller) enqueue(jobs []*job, now time.Time) {
	var soon []*job
	for _, j := range jobs {
		switch next := j.marks.Next; {
		case !j.due.IsZero():
		case j.fan != nil:
			j.due = j.fan.first(j, now)
		case next.IsZero(), !next.After(now) && !j.source.skipMissed:
			soon = append(soon, j)
		case !next.After(now):
			j.due = j.source.schedule.Next(now)
		default:
			j.due = resume(j.source.schedule, j.marks, now)
		}
	}
	for _, j := range soon {
		first := j.source.schedule.Next(now)
		interval := j.source.schedule.Next(first).Sub(first)
		window := min(interval, time.Duration(len(soon))*firstPace)
		j.due = now.Add(spread(j.source.name, window)).Round(0)
	}
	for _, j := range jobs {
		if p.witness != nil && j.fan == nil {
			p.witness.Polls(j.source.name, j.due)
		}
		j.index = len(p.queue)
		p.queue = append(p.queue, j)
	}
	heap.Init(&p.queue)
}

// attend begins what is done for members beside their polls.
func (p *Poller) attend(members []*member) {
	for _, m := range members {
		switch {
		case m.fan != nil:
			ctx, stop := context.WithCancel(p.books)
			m.fan.stop = stop
			p.book.Go(func() { p.tend(ctx, m.fan) })
		case len(m.strays) > 0:
			p.book.Go(func() { p.forgetStrays(p.books, m) })
		}
	}
}

// resume is the next run of a source whose stored one is yet to come. The
// schedule may have been changed since, so that it is sooner; but not while
// the stored one stands for a wait after failures, which is never longer than
// the longest Retry-After.
func resume(s Schedule, marks Bookmarks, now time.Time) time.Time {
	latest := s.Next(now)
	if wait := now.Add(retryafter.Longest); marks.Failures > 0 && latest.Before(wait) {
		latest = wait
	}
	if marks.Next.Before(latest) {
		return marks.Next
	}
	return latest
}
