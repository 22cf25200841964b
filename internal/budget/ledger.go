package budget

import "time"

// Keep makes the limit one whose usage is stored: it goes on from u, and calls
// due, which must not block nor call back, when Owed may have something to
// store. It must be called before the limit is used.
//
// Requests of a quota are pledged before they are made, a hundredth of it at a
// time: what is stored is what may be used until it is stored again. A process
// that is killed therefore loses up to a hundredth of the day's quota, or one
// request where that is less, and never exceeds it.
func (l *Limit) Keep(u Usage, due func(), now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if today := now.UTC().Truncate(day); u.Day.After(today) {
		u.Day = today // the clock was put back
	}
	l.use, l.pledged, l.rested, l.ledger = u, u.Used, u.Rest, due
	if u.Rest.After(now.Add(longestRest)) {
		l.use.Rest = time.Time{} // and so it was here
	}
}

// Owed is what must be stored now, if anything.
func (l *Limit) Owed(now time.Time) (u Usage, owed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	u = l.use
	if l.terms.Quota > 0 {
		u.Used = max(l.pledged, min(l.terms.Quota, l.use.Used+l.share()))
	}
	return u, l.owes()
}

// Stored notes that u is stored.
func (l *Limit) Stored(u Usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u.Day.Equal(l.use.Day) {
		l.pledged = max(l.pledged, u.Used)
	}
	l.rested = u.Rest
}

// Usage is what is used to the request: what to store at the end.
func (l *Limit) Usage(now time.Time) Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(now)
	return l.use
}

// share is how many requests are pledged at a time.
func (l *Limit) share() int { return max(1, l.terms.Quota/100) }

// owes reports whether Usage has moved so far that it must be stored.
func (l *Limit) owes() bool {
	short := l.terms.Quota > 0 && l.pledged < l.terms.Quota && l.pledged-l.use.Used <= l.share()/2
	return short || !l.use.Rest.Equal(l.rested)
}

// tell calls the ledger where something is to be stored.
func (l *Limit) tell() {
	if l.ledger != nil && l.owes() {
		l.ledger()
	}
}
