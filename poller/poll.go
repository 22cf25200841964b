package poller

import (
	"context"
	"time"
)

// Waits after failures: 1s, 2s, 4s … 10m.
const (
	firstBackoff   = time.Second
	longestBackoff = 10 * time.Minute
)

// poll polls a source once and plans its next run. What fell due meanwhile is
// not made up for.
func (p *Poller) poll(ctx context.Context, j *job) {
	started := time.Now()
	p.metrics.lateness.Observe(max(0, started.Sub(j.due)).Seconds())
	j.turn.rest = time.Time{}
	var keys []string
	if j.fan != nil {
		if keys, j.born = j.fan.keysOf(j); len(keys) == 0 {
			j.unused()
			return // they were removed while it was due
		}
	}
	answer, err := j.source.AskFor(withTurn(ctx, &j.turn), j.marks, keys)
	j.unused()
	if err == nil {
		answer.Bookmarks.Next = j.next(answer.Received)
		err = p.take(ctx, j, answer)
	}
	now := time.Now()
	switch {
	case err == nil:
		p.succeeded(j, answer, now, now.Sub(started))
	case ctx.Err() != nil:
		// Cut off at the end of the drain: that says nothing about the source.
	default:
		p.failed(j, keys, j.source.client.failure(err), now, now.Sub(started))
	}
}

// succeeded goes on from an answer that was taken in.
func (p *Poller) succeeded(j *job, a *Answer, now time.Time, took time.Duration) {
	result := resultOK
	if a.Unmodified {
		result = resultUnmodified
	}
	p.metrics.polled(j.source.name, result, took)
	if j.marks.Failures > 0 && p.failingEnds(j) {
		j.tell(func(s *streak) { s.end(p.log, j.source.name, j.marks, now) })
	}
	j.marks = a.Bookmarks
	j.due = j.next(now)
}

// next is when a source that answered runs again: on its schedule, but not
// before the server wants to be asked.
func (j *job) next(now time.Time) time.Time {
	next := j.schedule().Next(now)
	if rest := j.turn.rest.Round(0).UTC(); next.Before(rest) {
		return rest
	}
	return next
}

// failed counts a failure; the marks keep everything else.
func (p *Poller) failed(j *job, keys []string, f *Failure, now time.Time, took time.Duration) {
	p.metrics.polled(j.source.name, string(f.Class), took)
	if j.marks.Failures == 0 {
		p.failingStarts(j)
		j.marks.FailingSince = now.Round(0).UTC()
	}
	j.marks.Failures++
	j.marks.LastError = f.Error()
	if f.Class == ClassStore {
		// What the store has may be newer than these: the next answer must
		// be a whole one, for a 304 would stand for another body.
		j.marks.Request, j.marks.ETag, j.marks.LastModified = "", "", ""
	}
	j.due = retryAt(j.schedule(), now, j.marks.Failures, max(f.After, j.turn.rest.Sub(now)))
	j.marks.Next = j.due
	j.tell(func(s *streak) { s.failed(p.log, j.source.name, f, j.marks, now) })
	p.keepMarks(j, keys)
}

// retryAt is when a source that failed n times in a row runs again: on its
// schedule, but neither before its backoff has passed nor before the time that
// the server asked for.
func retryAt(s Schedule, now time.Time, n int, after time.Duration) time.Time {
	wait := longestBackoff
	if n < 11 {
		wait = min(wait, firstBackoff<<(n-1))
	}
	next, earliest := s.Next(now), now.Add(max(wait, after)).Round(0).UTC()
	if next.Before(earliest) {
		return earliest
	}
	return next
}
