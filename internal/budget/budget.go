// Package budget reckons when one more request may be made of an account: so
// many in any span of time, so many a day, none before a moment.
//
// It holds no clock, no goroutine and no line of those who wait: the caller
// says what time it is, and comes again.
package budget

import (
	"sync"
	"time"
)

const (
	// tolerance is by how much a request may be earlier than even spacing
	// has it: the caller starts things on a grid.
	tolerance = 20 * time.Millisecond
	// widest is the longest that even spacing keeps two requests apart,
	// once the limit has run for a whole period.
	widest = time.Second
	// longestSlack caps how much longer than its period a window is kept.
	longestSlack = 250 * time.Millisecond
	// ledgerPause is after what time to look whether the day's share has
	// been stored meanwhile.
	ledgerPause = 100 * time.Millisecond

	day = 24 * time.Hour
)

// Terms are what an account allows. The zero value allows everything.
type Terms struct {
	// Requests in any span of Per. 0: any number.
	Requests int
	Per      time.Duration
	// Requests in a calendar day in UTC. 0: any number.
	Quota int
}

// Usage is what outlives the process: it is stored.
type Usage struct {
	Day  time.Time // midnight in UTC of the day that Used is of
	Used int       // requests made on that day, or a little more
	Rest time.Time // nothing is asked before; zero: it may be
}

// Limit is an account's budget with what is used of it. All methods may be
// called concurrently. Make it with New.
//
// Rate. Of the times of Terms.Requests+1 requests the last is more than Per
// after the first, by a slack of a tenth of Per or 250 ms, whichever is less:
// so much may the network bring requests closer together. They are spaced
// evenly, but by no more than a second once the limit has run for Per; before
// that by as much as evenness wants, for what was asked before a restart is
// not known.
type Limit struct {
	terms Terms
	slack time.Duration

	mu    sync.Mutex
	start time.Time       // of the first look at it
	given []time.Duration // the latest requests since start, a ring of Requests
	head  int             // the oldest of the ring, where it is full
	next  time.Duration   // when even spacing has the next one
	total uint64

	use     Usage
	ledger  func() // told that something is to be stored; nil: nothing is
	pledged int    // stored as used on use.Day
	rested  time.Time
}

// New is a limit of which nothing is used.
func New(t Terms) *Limit {
	return &Limit{terms: t, slack: min(t.Per/10, longestSlack)}
}

// Take takes one request, if it may be made now. Otherwise at is when it may
// be at the earliest; somebody else may have been faster then.
func (l *Limit) Take(now time.Time) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, _ = l.earliest(now); at.After(now) {
		return at, false
	}
	l.give(now)
	return now, true
}

// Next is when one more request may be made, without taking it.
func (l *Limit) Next(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := l.earliest(now)
	return at
}

// Reserve takes one request that is made at the time it gives, where that is
// not after latest and only the rate is in the way; those who reserve are
// served in the order in which they came. Otherwise nothing is taken, and at
// is when to come again.
func (l *Limit) Reserve(now, latest time.Time) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, onlyRate := l.earliest(now)
	if at.After(latest) || at.After(now) && !onlyRate {
		return at, false
	}
	l.give(at)
	return at, true
}

// earliest is when the next request may be made; onlyRate: what is in the way
// is nothing but the rate.
func (l *Limit) earliest(now time.Time) (at time.Time, onlyRate bool) {
	l.turn(now)
	at, onlyRate = now, true
	if l.terms.Requests > 0 {
		at = later(at, l.start.Add(l.next))
		if len(l.given) == l.terms.Requests {
			at = later(at, l.start.Add(l.given[l.head]+l.terms.Per+l.slack))
		}
	}
	if l.use.Rest.After(at) {
		at, onlyRate = l.use.Rest, false
	}
	if l.terms.Quota == 0 {
		return at, onlyRate
	}
	midnight := l.use.Day.Add(day)
	switch {
	case l.use.Used >= l.terms.Quota:
		return later(at, midnight), false
	case l.ledger != nil && l.use.Used >= l.pledged:
		return later(at, now.Add(ledgerPause)), false
	}
	return at, onlyRate && at.Before(midnight)
}

// turn begins a new day. One that comes again, because the clock was put back,
// is not new.
func (l *Limit) turn(now time.Time) {
	if l.start.IsZero() {
		l.start = now
		l.next = min(l.spacing(0), widest) // what was asked just before a restart is not known
	}
	if today := now.UTC().Truncate(day); today.After(l.use.Day) {
		l.use.Day, l.use.Used, l.pledged = today, 0, 0
		l.tell()
	}
}

// spacing is how far apart requests are at a time since the start.
func (l *Limit) spacing(at time.Duration) time.Duration {
	if l.terms.Requests == 0 {
		return 0
	}
	even := (l.terms.Per + l.slack) / time.Duration(l.terms.Requests)
	if at >= l.terms.Per {
		return min(even, widest)
	}
	return even
}

// give notes a request at a time that earliest allows.
func (l *Limit) give(t time.Time) {
	if l.terms.Requests > 0 {
		at := t.Sub(l.start)
		l.next = max(l.next, at-tolerance) + l.spacing(at)
		if len(l.given) < l.terms.Requests {
			l.given = append(l.given, at)
		} else {
			l.given[l.head] = at
			l.head = (l.head + 1) % len(l.given)
		}
	}
	l.total++
	l.use.Used++
	l.tell()
}

// Rest lets nothing through until a time, unless it does so already. It
// reports whether that is news.
func (l *Limit) Rest(until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	until = until.Round(0).UTC()
	if !until.After(l.use.Rest) {
		return false
	}
	l.use.Rest = until
	l.tell()
	return true
}

// Resting is until when nothing is let through; a time that has passed, or
// zero: it is.
func (l *Limit) Resting() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.use.Rest
}

// Total is how many requests were taken since New.
func (l *Limit) Total() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Left is how many requests are left of the day's quota; 0 where there is
// none.
func (l *Limit) Left(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	return max(0, l.terms.Quota-l.use.Used)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
