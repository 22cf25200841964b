package differ

import (
	"slices"
	"strings"
)

// past is what is known of an item for its history.
type past struct {
	// values are those of the last answer, which the next repeats where it
	// is the same; nil: that answer did not tell, or not to this process.
	values []float64
	round  uint32 // the answer that they are of
	series []series
}

func (p *past) find(field string) *series {
	if p == nil {
		return nil
	}
	for i := range p.series {
		if p.series[i].field == field {
			return &p.series[i]
		}
	}
	return nil
}

// noteSample takes in a note that is a page of samples.
func (m *memory) noteSample(n Note) {
	field, number, ok := cutSampleName(n.Name)
	if !ok {
		return
	}
	p := m.pasts[n.Key]
	s := p.find(field)
	if s == nil {
		if n.Data == nil {
			return
		}
		p = m.pastOf(n.Key)
		p.series = append(p.series, series{field: strings.Clone(field)})
		s = &p.series[len(p.series)-1]
		m.fields[s.field]++
	}
	s.put(page{number, n.Data})
	if len(s.pages) > 0 {
		return
	}
	if m.fields[field]--; m.fields[field] == 0 {
		delete(m.fields, field)
	}
	p.series = slices.DeleteFunc(p.series, func(s series) bool { return len(s.pages) == 0 })
	m.dropPast(n.Key, p)
}

// pastOf is that of an item, a new one where there is none.
func (m *memory) pastOf(key string) *past {
	if m.pasts == nil {
		m.pasts, m.fields = map[string]*past{}, map[string]int{}
	}
	p := m.pasts[key]
	if p == nil {
		p = &past{}
		m.pasts[strings.Clone(key)] = p
	}
	return p
}

// dropPast forgets that of an item of which nothing is left.
func (m *memory) dropPast(key string, p *past) {
	if p.values == nil && len(p.series) == 0 {
		delete(m.pasts, key)
	}
}

// listed takes in what an answer says of items. whole: it was read, and says
// nothing of others.
func (m *memory) listed(samples []sample, whole bool) {
	for _, s := range samples {
		if s.values != nil {
			p := m.pastOf(s.key)
			p.values, p.round = s.values, m.round
			if e := m.find(s.key); e != nil {
				e.raw = s.raw
			}
		} else if p := m.pasts[s.key]; p != nil {
			p.values = nil
		}
	}
	if !whole {
		return
	}
	for key, p := range m.pasts {
		if p.round != m.round {
			p.values = nil
			m.dropPast(key, p)
		}
	}
}
