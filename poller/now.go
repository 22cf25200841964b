package poller

import (
	"container/heap"
	"time"
)

// PollNow brings forward the next poll of a source, or of one of its watch keys
// (watch "": all of them). Limits hold as ever. A source that fails, or whose
// server wants to be left alone, keeps its time. It reports whether a poll was
// brought forward; one that runs already is none.
func (p *Poller) PollNow(source, watch string) bool {
	var only *job
	if f := p.fans[source]; f != nil && watch != "" {
		f.mu.RLock()
		defer f.mu.RUnlock()
		if only = f.place[watch].job; only == nil {
			return false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now, found := time.Now(), false
	for _, j := range p.queue {
		kept := j.marks.Failures > 0 || j.turn.rest.After(now) || !j.due.After(now)
		if j.source.name == source && (only == nil || j == only) && !kept {
			j.due, found = now, true
		}
	}
	if found {
		heap.Init(&p.queue)
		p.rouse(p.queue[0])
	}
	return found
}
