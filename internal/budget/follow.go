package budget

import (
	"slices"
	"time"
)

// Begin says, before anything is taken, when the last request was made before
// the start, as far as that is known; zero: none was. Even spacing then goes on
// from there. Without it, the first one waits as if one had just been made.
func (l *Limit) Begin(now, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	if l.total > 0 {
		return
	}
	l.next = 0
	if !last.IsZero() {
		l.next = max(0, min(last.Sub(now), 0)+min(l.spacing(0), widest))
	}
}

// Follow has the limit, of which nothing was taken, go on from another one that
// it takes the place of: what was asked of that was asked of this. As much of
// it is known as either has requests in its period; what is older is not.
// Requests that were granted and not sent yet count as sent now, and the other
// one is of no use after it.
func (l *Limit) Follow(o *Limit, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	o.turn(now)
	l.use, l.pledged, l.rested, l.ledger = o.use, o.pledged, o.rested, o.ledger
	sent := o.sent(now, l.terms.Requests)
	if len(sent) == 0 {
		return // turn begins
	}
	l.start = sent[0]
	for _, at := range sent {
		l.given = append(l.given, at.Sub(l.start))
	}
	l.total = uint64(len(sent))
	last := l.given[len(l.given)-1]
	l.next = last + l.spacing(last)
}

// sent is when the last requests were sent, at most n, in their order.
func (l *Limit) sent(now time.Time, n int) []time.Time {
	var all []time.Time
	for i := l.total - uint64(len(l.given)); i < l.total; i++ {
		at := l.given[i%uint64(l.terms.Requests)]
		if at < 0 {
			at = max(^at, now.Sub(l.start))
		}
		all = append(all, l.start.Add(at))
	}
	slices.SortFunc(all, time.Time.Compare)
	return all[max(0, len(all)-n):]
}
