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

	// longestRest is the longest that Rest may ask for.
	longestRest = day
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

// Grant is one request that may be made. Sent must be called for each.
type Grant struct {
	At time.Time // when: not before
	n  uint64    // how many were given before
}

// Limit is an account's budget with what is used of it. All methods may be
// called concurrently. Make it with New.
//
// Rate. A request is granted when the Terms.Requests'th before it was sent more
// than Per ago, by a slack of a tenth of Per or 250 ms, whichever is less: so
// much may the network bring requests closer together. Connecting may take
// longer than that, therefore the time is that of sending. Grants are spaced
// evenly, but by no more than a second once the limit has run for Per; before
// that by as much as evenness wants, for what was asked before a restart is
// not known.
type Limit struct {
	terms Terms
	slack time.Duration

	mu    sync.Mutex
	start time.Time       // of the first look at it
	given []time.Duration // when the latest were sent, since start: a ring of Requests, grant n at n mod Requests; ^t: granted for t and not sent yet
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

// Take takes one request, if it may be made now. Otherwise the grant is none,
// and its time is when one may be made at the earliest; somebody else may be
// faster then.
func (l *Limit) Take(now time.Time) (g Grant, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, _ := l.earliest(now); at.After(now) {
		return Grant{At: at}, false
	}
	return l.give(now), true
}

// Sent notes that a request was sent, or never will be. What was noted of it
// before stands.
func (l *Limit) Sent(g Grant, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := uint64(len(l.given)); n > 0 && g.n < l.total && l.total-g.n <= n {
		if at := &l.given[g.n%uint64(l.terms.Requests)]; *at < 0 {
			*at = now.Sub(l.start)
		}
	}
}

// Drop is Sent for a request that never will be: it counts for the rate, at the
// time that it was granted for, but not for the quota.
func (l *Limit) Drop(g Grant) {
	l.Sent(g, g.At)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.use.Used > 0 && l.use.Day.Equal(g.At.UTC().Truncate(day)) {
		l.use.Used--
	}
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
// served in the order in which they came. Otherwise nothing is taken, and the
// time is when to come again.
func (l *Limit) Reserve(now, latest time.Time) (g Grant, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, onlyRate := l.earliest(now)
	if at.After(latest) || at.After(now) && !onlyRate {
		return Grant{At: at}, false
	}
	return l.give(at), true
}

// earliest is when the next request may be made; onlyRate: what is in the way
// is nothing but the rate.
func (l *Limit) earliest(now time.Time) (at time.Time, onlyRate bool) {
	l.turn(now)
	at, onlyRate = now, true
	if l.terms.Requests > 0 {
		at = later(at, l.start.Add(l.next))
		if len(l.given) == l.terms.Requests {
			first := l.given[l.total%uint64(len(l.given))]
			if first < 0 { // at best it is sent now
				first = max(^first, now.Sub(l.start))
			}
			at = later(at, l.start.Add(first+l.terms.Per+l.slack))
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
// is not new. What was noted while the clock was far ahead does not hold: a
// day after tomorrow is today, and a rest of more than a day none.
func (l *Limit) turn(now time.Time) {
	if l.start.IsZero() {
		l.start = now
		l.next = min(l.spacing(0), widest) // what was asked just before a restart is not known
	}
	switch today := now.UTC().Truncate(day); {
	case today.After(l.use.Day):
		l.use.Day, l.use.Used, l.pledged = today, 0, 0
		l.tell()
	case l.use.Day.After(today.Add(day)):
		l.use.Day = today
	}
	if l.use.Rest.After(now.Add(longestRest)) {
		l.use.Rest = time.Time{}
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

// give grants a request at a time that earliest allows.
func (l *Limit) give(t time.Time) Grant {
	g := Grant{At: t, n: l.total}
	if l.terms.Requests > 0 {
		at := t.Sub(l.start)
		l.next = max(l.next, at-tolerance) + l.spacing(at)
		if len(l.given) < l.terms.Requests {
			l.given = append(l.given, ^at)
		} else {
			l.given[l.total%uint64(len(l.given))] = ^at
		}
	}
	l.total++
	l.use.Used++
	l.tell()
	return g
}

// Rest lets nothing through until a time, at most a day ahead, unless it does
// so already. It reports whether that is news.
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
