package web

import (
	"slices"
	"strings"
	"sync"
)

// Live passes on to open pages what moved. The zero value is ready; nil takes
// what it is told and passes nothing on.
//
// A topic names what moved: "sources/NAME", "endpoints/NAME", "events" (what is
// told, and what came of it), "config". It is a hint: a page reads anew what it
// shows, and nothing is lost with a hint that is.
type Live struct {
	mu      sync.Mutex
	viewers map[*viewer]struct{}
}

// maxViewers is how many pages are told at once. Each takes one of the
// listener's connections.
const maxViewers = 50

// viewer is one page that is told.
type viewer struct {
	topics []string      // what it wants to know: a topic, or all below it
	moved  []string      // of these, what moved since it was told last; guarded by Live.mu
	wake   chan struct{} // of capacity 1
}

// Moved says that something moved. It never blocks, and costs next to nothing
// while no page is open.
func (l *Live) Moved(topics ...string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for v := range l.viewers {
		for _, topic := range topics {
			v.note(topic)
		}
	}
}

// note takes a topic in, as the one of its own that covers it: so there are
// never more than those.
func (v *viewer) note(topic string) {
	for _, mine := range v.topics {
		if !covers(mine, topic) || slices.Contains(v.moved, mine) {
			continue
		}
		v.moved = append(v.moved, mine)
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
}

// covers says whether who asks for a topic wants to know of another: "sources"
// covers "sources/NAME".
func covers(asked, topic string) bool {
	rest, ok := strings.CutPrefix(topic, asked)
	return ok && (rest == "" || rest[0] == '/')
}

// join adds a viewer of topics; nil: there are too many. leave must follow.
func (l *Live) join(topics []string) *viewer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.viewers) >= maxViewers {
		return nil
	}
	if l.viewers == nil {
		l.viewers = map[*viewer]struct{}{}
	}
	v := &viewer{topics: topics, wake: make(chan struct{}, 1)}
	l.viewers[v] = struct{}{}
	return v
}

func (l *Live) leave(v *viewer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.viewers, v)
}

// take gives what moved since it was asked last.
func (l *Live) take(v *viewer) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	moved := v.moved
	v.moved = nil
	return moved
}
