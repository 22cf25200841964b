package poller

import (
	"maps"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
)

// openLimits readies the limits that members name. One that takes the place of
// another of its name goes on from that; what is used of one that nobody names
// any more is stored, and known if it comes back. Nothing of members runs.
func (p *Poller) openLimits(members []*member, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.limits
	p.limits = make(map[string]*gate, len(before))
	for _, m := range members {
		if g := m.gate(); g != nil && g.limit != nil {
			p.limits[g.limit.name] = g
		}
	}
	for name, g := range p.limits {
		switch was := before[name]; {
		case was == nil && p.ledger != nil:
			g.limit.budget.Keep(p.used[name], p.owe, now)
		case was != nil && was.limit != g.limit:
			was.giveUp()
			g.limit.before = was.limit.before + was.limit.budget.Total()
			g.limit.budget.Follow(was.limit.budget, now)
			g.limit.before -= g.limit.budget.Total() // those that it counts itself
		}
		delete(p.used, name)
		delete(p.unsaved, name)
	}
	for name, g := range before {
		if p.limits[name] == nil {
			g.giveUp()
			p.used[name], p.unsaved[name] = g.limit.budget.Usage(now), true
		}
	}
	// What is used of former limits is of no use once its day is over.
	maps.DeleteFunc(p.used, func(name string, u budget.Usage) bool {
		return !p.unsaved[name] && now.Sub(u.Day) > 48*time.Hour && u.Rest.Before(now)
	})
	p.owe()
}
