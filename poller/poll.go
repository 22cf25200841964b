package poller

import (
	"context"
	"time"

	"github.com/deltahook/deltahook/internal/trace"
)

// poll polls a source once and plans its next run. What fell due meanwhile is
// not made up for.
func (p *Poller) poll(ctx context.Context, j *job) {
	asking, ok := p.begin(ctx, j)
	if !ok {
		j.unused()
		return
	}
	started := time.Now()
	p.metrics.lateness.Observe(max(0, started.Sub(j.due)).Seconds())
	j.turn.rest = time.Time{}
	var keys []string
	if j.fan != nil {
		if keys, j.born = j.fan.keysOf(j); len(keys) == 0 {
			j.unused()
			p.settle(asking, j)
			return // they were removed while it was due
		}
	}
	span := p.tracing(j, keys)
	answer, err := j.source.AskFor(trace.With(withTurn(asking, &j.turn), span), j.marks, keys)
	j.unused()
	if !p.settle(asking, j) {
		return
	}
	if err == nil {
		answer.Bookmarks.Next = j.next(answer, answer.Received)
		taking := span.Child("take")
		err = p.take(trace.With(ctx, span), j, answer)
		taking.End()
	}
	now := time.Now()
	switch {
	case err == nil:
		p.succeeded(j, answer, now, now.Sub(started))
		traced(span, answer, nil)
	case ctx.Err() != nil:
		// Cut off at the end of the drain: that says nothing about the source.
	default:
		f := j.source.client.failure(err)
		p.failed(j, keys, f, now, now.Sub(started))
		traced(span, answer, f)
	}
}

// begin gives a poll a context that ends where it is cut off. false: it is not
// to begin.
func (p *Poller) begin(ctx context.Context, j *job) (asking context.Context, ok bool) {
	asking, cut := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.halt != nil {
		cut()
		return nil, false
	}
	j.cut = cut
	return asking, true
}

// settle says whether how a poll ended counts: from here on it is not cut off.
// Of one that was, nothing counts but what its server asked for.
func (p *Poller) settle(asking context.Context, j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := asking.Err() == nil
	j.cut()
	j.cut = nil
	if rest := j.turn.rest.Round(0).UTC(); !counts && rest.After(j.due) {
		j.due = rest
	}
	return counts
}

// succeeded goes on from an answer that was taken in.
func (p *Poller) succeeded(j *job, a *Answer, now time.Time, took time.Duration) {
	result := resultOK
	if a.Unmodified {
		result = resultUnmodified
	}
	p.metrics.succeeded(j.source.name, result, took)
	if j.marks.Failures > 0 && p.failingEnds(j) {
		j.tell(func(s *streak) { s.end(p.log, j.source.name, j.marks, now) })
	}
	p.noteEnd(j, false)
	due := j.next(a, now)
	p.mu.Lock()
	j.due, j.marks, j.last = due, a.Bookmarks, ending{now.UnixNano(), took}
	p.mu.Unlock()
	j.retries, j.reset = 0, a.Reset
	p.answered(j, now)
}

// next is when a source that answered runs again: on its schedule, or soon
// where all starts over and did not the time before; but not before the server
// wants to be asked.
func (j *job) next(a *Answer, now time.Time) time.Time {
	next := j.schedule().Next(now)
	if a.Reset && !j.reset && j.fan == nil {
		next = sooner(next, now.Add(afterReset).Round(0).UTC())
	}
	if rest := j.turn.rest.Round(0).UTC(); next.Before(rest) {
		return rest
	}
	return next
}

// failed counts a failure; the marks keep everything else.
func (p *Poller) failed(j *job, keys []string, f *Failure, now time.Time, took time.Duration) {
	p.metrics.failed(j.source.name, f.Class, took)
	m := j.marks
	if m.Failures == 0 {
		p.failingStarts(j)
		m.FailingSince = now.Round(0).UTC()
	}
	p.noteEnd(j, true)
	m.Failures++
	m.LastError = f.Error()
	if f.Class == ClassStore {
		// What the store has may be newer than these: the next answer must
		// be a whole one, for a 304 would stand for another body.
		m.Request, m.ETag, m.LastModified = "", "", ""
	}
	after := max(f.After, j.turn.rest.Sub(now))
	if after > 0 {
		j.turn.rest = now.Add(after)
	}
	m.Next = j.early(now, retryAt(j.schedule(), now, m.Failures, after), restAfter(m.Failures, after))
	p.mu.Lock()
	j.due, j.marks, j.last = m.Next, m, ending{now.UnixNano(), took}
	p.mu.Unlock()
	j.tell(func(s *streak) { s.failed(p.log, j.source.name, keys, f, m, now) })
	p.keepMarks(j, keys)
	p.unanswered(j, f, now)
}
