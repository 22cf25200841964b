package differ

import (
	"cmp"
	"container/heap"
	"strings"
)

// timers are the timers of one unit: as its notes say, and nothing else.
type timers struct {
	known []byte                 // the rules that they were made for; see timedBy
	of    map[string]*ruleTimers // by event
	queue timerQueue             // those that wait for their time
}

// ruleTimers are the timers of one rule.
type ruleTimers struct {
	event string
	byKey map[string]*timer
}

// noteTimer takes in a note of a timer, or of the unit.
func (m *memory) noteTimer(n Note) {
	if m.timers == nil {
		if n.Data == nil {
			return
		}
		m.timers = &timers{of: map[string]*ruleTimers{}}
	}
	event := strings.TrimPrefix(n.Name, noteTimer)
	if event == "" {
		m.timers.known = n.Data
		return
	}
	t, ok := readTimer(n.Data)
	if !ok {
		m.timers.remove(event, n.Key)
		return
	}
	t.key, t.event = n.Key, event
	if e := m.find(n.Key); e != nil {
		t.key = e.key // one text for both
	}
	m.timers.put(t)
}

// timer gives that of an item and a rule; nil: there is none.
func (m *memory) timer(event, key string) *timer {
	if m.timers == nil || m.timers.of[event] == nil {
		return nil
	}
	return m.timers.of[event].byKey[key]
}

func (ts *timers) put(next timer) {
	of := ts.of[next.event]
	if of == nil {
		of = &ruleTimers{event: strings.Clone(next.event), byKey: map[string]*timer{}}
		ts.of[of.event] = of
	}
	t := of.byKey[next.key]
	if t == nil {
		t = &timer{key: next.key, event: of.event, slot: -1}
		of.byKey[t.key] = t
	}
	t.at, t.due, t.told, t.state = next.at, next.due, next.told, next.state
	switch waits := t.state != timerDone; {
	case waits && t.slot < 0:
		heap.Push(&ts.queue, t)
	case waits:
		heap.Fix(&ts.queue, int(t.slot))
	case t.slot >= 0:
		heap.Remove(&ts.queue, int(t.slot))
	}
}

func (ts *timers) remove(event, key string) {
	of := ts.of[event]
	if of == nil || of.byKey[key] == nil {
		return
	}
	if slot := of.byKey[key].slot; slot >= 0 {
		heap.Remove(&ts.queue, int(slot))
	}
	if delete(of.byKey, key); len(of.byKey) == 0 {
		delete(ts.of, event)
	}
}

// next is when the first timer is due.
func (ts *timers) next() (due int64, ok bool) {
	if ts == nil || len(ts.queue) == 0 {
		return 0, false
	}
	return ts.queue[0].due, true
}

// due gives timers that are due at now, the first ones first, and at most so
// many. They stay where they are.
func (ts *timers) due(now int64, most int) (found []*timer) {
	next := timerQueue{} // of the heap, those that may come next
	look := func(i int) {
		if i < len(ts.queue) && ts.queue[i].due <= now {
			next = append(next, ts.queue[i])
		}
	}
	for look(0); len(next) > 0 && len(found) < most; {
		first := 0
		for i := range next {
			if next.Less(i, first) {
				first = i
			}
		}
		t := next[first]
		next = append(next[:first], next[first+1:]...)
		found = append(found, t)
		look(2*int(t.slot) + 1)
		look(2*int(t.slot) + 2)
	}
	return found
}

// timerQueue is a heap: of two that are due at once, the rule and then the key
// decide, so that the order is always the same.
type timerQueue []*timer

func (q timerQueue) Len() int { return len(q) }

func (q timerQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(a.due, b.due), strings.Compare(a.event, b.event), strings.Compare(a.key, b.key)) < 0
}

func (q timerQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = int32(i), int32(j)
}

// Push is for package heap.
func (q *timerQueue) Push(x any) {
	t := x.(*timer)
	t.slot = int32(len(*q))
	*q = append(*q, t)
}

// Pop is for package heap.
func (q *timerQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last], *q = nil, (*q)[:last]
	t.slot = -1
	return t
}
