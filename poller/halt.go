package poller

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// halt is that sources are about to go. It is guarded by Poller.mu.
type halt struct {
	left int           // of their polls that run
	done chan struct{} // closed when none does
}

// ends notes that a poll has ended. h may be nil.
func (h *halt) ends() {
	if h == nil {
		return
	}
	if h.left--; h.left == 0 {
		close(h.done)
	}
}

// halt has no poll of members start any more, and waits until those that run
// have ended: they are cut off, but for those whose end is being entered.
func (p *Poller) halt(ctx context.Context, members []*member) error {
	jobs := jobsOf(members)
	if len(jobs) == 0 {
		return nil
	}
	h := &halt{left: 1, done: make(chan struct{})}
	p.mu.Lock()
	lines := map[*gate]bool{}
	for _, j := range jobs {
		switch j.halt = h; {
		case j.index != nowhere:
			heap.Remove(&p.queue, j.index)
		case !j.polling:
			lines[j.gate] = true
		default:
			if h.left++; j.cut != nil {
				j.cut()
			}
		}
	}
	for g := range lines {
		g.line = slices.DeleteFunc(g.line, func(j *job) bool { return j.halt != nil })
	}
	h.ends()
	p.mu.Unlock()
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resume has members that were halted go on with what they had.
func (p *Poller) resume(members []*member) {
	jobs := jobsOf(members)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range jobs {
		j.halt = nil
		if p.running && j.index == nowhere && !j.polling && !j.over {
			heap.Push(&p.queue, j)
		}
	}
	p.awaken()
}

// depart takes a member, whose polls have ended, off all that counts it.
func (p *Poller) depart(m *member, stays bool) {
	if !stays {
		for _, result := range results {
			p.metrics.polls.DeleteLabelValues(m.source.name, result)
		}
		p.metrics.answered.DeleteLabelValues(m.source.name)
	}
	p.metrics.fails.DeleteLabelValues(m.source.name)
	if m.job != nil && m.job.marks.Failures > 0 {
		p.metrics.failing.Dec()
	}
	f := m.fan
	if f == nil {
		return
	}
	if f.gone = true; f.stop != nil {
		f.stop()
	}
	f.told.Lock()
	defer f.told.Unlock()
	if len(f.failing) > 0 {
		p.metrics.failing.Dec()
	}
}

// retired is the mark of a watch key of which nothing else is known than that
// it is retired.
var retired = time.Unix(0, 0).UTC()

// estate is what a source leaves behind: its bookmarks, and those of its watch
// keys as they would be stored. Its polls have ended.
func (m *member) estate() (own Bookmarks, keys map[string]Bookmarks) {
	switch {
	case m.job != nil:
		keys = make(map[string]Bookmarks, len(m.strays))
		for _, key := range m.strays {
			keys[key] = Bookmarks{}
		}
		return m.job.marks, keys
	case m.fan == nil:
		return m.marks, m.keys
	}
	f := m.fan
	keys = make(map[string]Bookmarks, len(f.origins)+len(f.dead))
	for key := range f.dead {
		keys[key] = Bookmarks{}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for key, from := range f.origins {
		var b Bookmarks
		if j := f.place[key].job; j != nil {
			if b = j.marks; m.source.watch.batch > 0 && !j.soon && !j.rush {
				b.Next = j.due
			}
		}
		b.Enrolled = from&fromAPI != 0
		if f.retired[key] {
			b.Retired = retired
		}
		keys[key] = b
	}
	return Bookmarks{}, keys
}
