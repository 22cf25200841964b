package poller

import (
	"container/heap"
	"net/url"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/internal/request"
)

// gate is where the polls of one limit, or of one host, wait for their turn
// once they are due: in a line of their own, so that they hold no worker and
// nobody else up. It is in one place at a time: in no list where it has no
// line, in the poller's ready list where its first poll may start, in its
// later heap where that is a matter of time, and nowhere (full) where the end
// of one of its polls is what it waits for. It is guarded by Poller.mu.
//
// While the rate of its limit is what its first poll waits for, the gate holds
// a place among the requests of polls that have begun, as each of these does:
// a poll of many pages would keep all others from starting. It holds none
// where they are so many that it would have to wait for long; otherwise more
// and more polls would begin, until none gets its next page in time.
type gate struct {
	limit   *limit // nil: only most counts
	most    int    // polls at once; 0: any number
	running int
	line    []*job // due, first come first served
	where   whereabouts
	at      time.Time     // in later: when its first poll may start
	place   *budget.Grant // held for the first poll; nil: none is
	spent   time.Time     // the day whose spent quota was told
}

const (
	longestHold = longestTurn / 4        // how far ahead a gate takes a place
	latestHold  = 100 * time.Millisecond // after its time a place is worth nothing: the next one may be used soon
)

type whereabouts int

const (
	idle  whereabouts = iota
	ready             // may start a poll as soon as there is a worker
	later             // at gate.at
	full              // when one of its polls has ended
)

// gates are shared by the sources of a limit, or of a host; by what they are
// of.
type gates map[string]*gate

// of is the gate of a source. One whose host is known only when it is polled
// has its own.
func (all gates) of(s *Source) *gate {
	name, g := s.host, &gate{most: hostConcurrency}
	if l := s.limit; l != nil {
		name, g = "limit "+l.name, &gate{limit: l, most: l.concurrency}
	}
	if name == "" {
		name = "source " + s.name
	}
	if known := all[name]; known != nil && known.limit == g.limit {
		return known
	}
	all[name] = g
	return g
}

// enterGates gives members their gates: those of others, where they share them,
// with the place that is held there.
func enterGates(members, others []*member) {
	all := gates{}
	for _, m := range others {
		if g := m.gate(); g != nil {
			name := m.source.host
			if g.limit != nil {
				name = "limit " + g.limit.name
			}
			all[name] = g
		}
	}
	for _, m := range members {
		if !m.source.disabled {
			m.enter(all.of(m.source))
		}
	}
}

// hostOf is the origin that a URL's text begins with; "" where an expression
// decides about it.
func hostOf(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || strings.Contains(scheme+rest, "{{") {
		return ""
	}
	return request.Origin(u)
}

// admit puts a job that is due at the end of its gate's line.
func (p *Poller) admit(j *job, now time.Time) {
	g := j.gate
	g.line = append(g.line, j)
	if g.where == idle {
		p.seek(g, now)
	}
}

// seek finds the place of a gate that is in no list.
func (p *Poller) seek(g *gate, now time.Time) {
	switch {
	case len(g.line) == 0:
		g.where = idle
	case g.most > 0 && g.running >= g.most:
		g.where = full
	case g.limit == nil:
		g.where = ready
		p.ready = append(p.ready, g)
	case p.mayStart(g, now):
		g.where = ready
		p.ready = append(p.ready, g)
	default:
		g.where = later
		heap.Push(&p.later, g)
		p.tellSpent(g, now)
	}
}

// mayStart reports whether the limit of g lets its first poll start now.
// Otherwise g.at is when to look again, with the place that is held for it, if
// there is one.
func (p *Poller) mayStart(g *gate, now time.Time) bool {
	if g.keeps(now) {
		g.at = g.place.At
		return !g.at.After(now)
	}
	g.at = g.limit.budget.Next(now)
	if !g.at.After(now) {
		return true
	}
	if place, ok := g.limit.budget.Reserve(now, now.Add(longestHold)); ok {
		g.place, g.at = &place, place.At
	}
	return false
}

// keeps reports whether g holds a place that is good. One that was not used in
// time, because no worker was free, or that the server no longer gives, is
// given up.
func (g *gate) keeps(now time.Time) bool {
	if g.place == nil {
		return false
	}
	if now.Sub(g.place.At) <= latestHold && !g.limit.budget.Resting().After(g.place.At) {
		return true
	}
	g.giveUp()
	return false
}

// giveUp gives up the place that g holds, if it does.
func (g *gate) giveUp() {
	if g.place != nil {
		g.limit.budget.Drop(*g.place)
		g.place = nil
	}
}

// take is the request that the first poll of g starts with.
func (g *gate) take(now time.Time) (grant budget.Grant, ok bool) {
	if g.keeps(now) && !g.place.At.After(now) {
		grant, g.place = *g.place, nil
		return grant, true
	}
	// A request of a poll that runs may have been faster.
	return g.limit.budget.Take(now)
}

// ripen moves the gates whose time has come to the ready list.
func (p *Poller) ripen(now time.Time) {
	for len(p.later) > 0 && !p.later[0].at.After(now) {
		p.seek(heap.Pop(&p.later).(*gate), now)
	}
}

// start takes the next poll that may start, or nil: of the gates that are
// ready in turn, of each the one that waits longest.
func (p *Poller) start(now time.Time) *job {
	p.ripen(now)
	for len(p.ready) > 0 {
		g := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		if len(g.line) == 0 { // those that were in it are halted
			p.seek(g, now)
			continue
		}
		if g.limit != nil {
			grant, ok := g.take(now)
			if !ok {
				p.seek(g, now)
				continue
			}
			g.line[0].turn = turn{grant: &grant}
		}
		j := g.line[0]
		g.line[0] = nil
		g.line = g.line[1:]
		g.running++
		j.polling = true
		p.seek(g, now)
		return j
	}
	return nil
}

// leave notes that a poll has ended.
func (p *Poller) leave(g *gate, now time.Time) {
	g.running--
	if g.where == full {
		p.seek(g, now)
	}
}

// tellSpent tells once a day that a quota is spent.
func (p *Poller) tellSpent(g *gate, now time.Time) {
	l, day := g.limit, now.UTC().Truncate(24*time.Hour)
	if l.settings.Quota.IsZero() || g.spent.Equal(day) || l.budget.Left(now) > 0 {
		return
	}
	g.spent = day
	p.log.Warn("the quota of a limit is spent: its sources rest", "limit", l.name, "quota", l.settings.Quota.String(),
		"until", day.Add(24*time.Hour).Format(time.RFC3339), "waiting", len(g.line))
}

// agenda is a heap (container/heap) of gates, the one whose time comes first on
// top.
type agenda []*gate

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is heap.Push's.
func (a *agenda) Push(v any) { *a = append(*a, v.(*gate)) }

// Pop is heap.Pop's.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	g := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return g
}
