package poller

import (
	"maps"
	"slices"
	"strings"
)

// roll is the sources that are configured. It is never changed.
type roll struct {
	of     map[string]*member // by name
	sorted []*member
}

// member is a source on the roll: polled by a job, by those of its watch keys,
// or disabled.
type member struct {
	source *Source
	job    *job     // nil: it has watch keys, or is disabled
	fan    *fan     // nil: it has none, or is disabled
	strays []string // watch keys of which something is stored, though it has none any more; guarded by Poller.watching

	// Of a disabled one, as they are stored.
	marks Bookmarks
	keys  map[string]Bookmarks
}

// gate is where its polls wait; nil: it is disabled.
func (m *member) gate() *gate {
	switch {
	case m.job != nil:
		return m.job.gate
	case m.fan != nil:
		return m.fan.gate
	}
	return nil
}

// enter has its polls wait at a gate.
func (m *member) enter(g *gate) {
	if m.fan != nil {
		m.fan.gate = g
	}
	for _, j := range m.jobs() {
		j.gate = g
	}
}

// jobs are those that poll it.
func (m *member) jobs() []*job {
	switch {
	case m.job != nil:
		return []*job{m.job}
	case m.fan != nil:
		m.fan.mu.RLock()
		defer m.fan.mu.RUnlock()
		return slices.Clone(m.fan.slots)
	}
	return nil
}

// jobsOf are the jobs of members.
func jobsOf(members []*member) (all []*job) {
	for _, m := range members {
		all = append(all, m.jobs()...)
	}
	return all
}

func newRoll(members []*member) *roll {
	r := &roll{make(map[string]*member, len(members)), members}
	for _, m := range members {
		r.of[m.source.name] = m
	}
	slices.SortFunc(r.sorted, func(a, b *member) int { return strings.Compare(a.source.name, b.source.name) })
	return r
}

// polled is how many of the sources are not disabled.
func (r *roll) polled() (n int) {
	for _, m := range r.sorted {
		if !m.source.disabled {
			n++
		}
	}
	return n
}

// enlist makes the member that a source is, with the marks that are stored of
// it, and of its watch keys.
func (p *Poller) enlist(s *Source, marks Bookmarks, stored map[string]Bookmarks) *member {
	m := &member{source: s}
	switch {
	case s.disabled:
		m.marks, m.keys = marks, stored
	case s.watch != nil:
		m.fan = p.fanOut(s, stored)
		p.fares(m.fan)
	default:
		m.strays = slices.Sorted(maps.Keys(stored))
		m.job = &job{source: s, marks: marks, index: nowhere}
		if marks.Failures > 0 {
			p.metrics.failing.Inc()
		}
		p.metrics.fail(s.name, marks.Failures > 0)
	}
	return m
}

// fan is the watch keys of a source; nil: it has none, or is not there.
func (p *Poller) fan(source string) *fan {
	if m := p.roll.Load().of[source]; m != nil {
		return m.fan
	}
	return nil
}
