package poller

import (
	"fmt"
	"strings"
	"time"
)

// Status is how a source is polled, at a moment. It holds no secret. All watch
// keys of a source are one here.
type Status struct {
	Source   string
	Schedule string // as configured
	Timezone string // as configured
	Host     string // scheme, host and port that are asked; "": expressions decide
	Limit    string // name; "": none
	Disabled bool   // in the configuration; all that follows is zero then
	Watches  int    // watch keys that are polled

	Polling bool          // it is being polled
	Ended   time.Time     // when its last poll ended; zero: none did since the start
	Took    time.Duration // that poll
	Next    time.Time     // when it is due, of watch keys the first; zero: not known, as while it is being polled
	Waiting string        // what it waits for though it is due: its limit, its host; "": it isn't, or doesn't

	// Of the last poll, where it failed. Of watch keys it is those that fail:
	// the most failures of one, the earliest beginning, and the last error,
	// with one of the keys that have it and how many others fail.
	Failures     int // in a row
	FailingSince time.Time
	LastError    string // class and text
	Class        Class
}

// statusesAtOnce is how many jobs are looked at before others get their turn.
const statusesAtOnce = 1_000

// Status is how a source is polled; false: there is none of this name.
func (p *Poller) Status(source string) (Status, bool) {
	m := p.roll.Load().of[source]
	if m == nil {
		return Status{}, false
	}
	return p.status(m), true
}

// Statuses are those of all sources, by name.
func (p *Poller) Statuses() []Status {
	sorted := p.roll.Load().sorted
	all := make([]Status, len(sorted))
	for i, m := range sorted {
		all[i] = p.status(m)
	}
	return all
}

func (p *Poller) status(m *member) Status {
	src := m.source
	s := Status{Source: src.name, Schedule: src.spec.text, Timezone: src.spec.timezone, Host: src.host, Disabled: src.disabled}
	if src.limit != nil {
		s.Limit = src.limit.name
	}
	if m.job != nil {
		p.mu.Lock()
		s.add(m.job)
		p.mu.Unlock()
	}
	if f := m.fan; f != nil {
		f.mu.RLock()
		defer f.mu.RUnlock()
		s.Watches = len(f.place)
		p.mu.Lock()
		var failing keysThatFail
		for i, j := range f.slots {
			failing.add(j, s.add(j))
			if i%statusesAtOnce == statusesAtOnce-1 {
				p.mu.Unlock()
				p.mu.Lock()
			}
		}
		p.mu.Unlock()
		s.LastError += failing.String()
	}
	class, _, _ := strings.Cut(s.LastError, ":")
	s.Class = Class(class)
	return s
}

// keysThatFail names one of the watch keys that fail, and counts them.
type keysThatFail struct {
	one string
	n   int
}

// add adds the keys of a job; last says that the last error is its. fan.mu and
// p.mu are held.
func (k *keysThatFail) add(j *job, last bool) {
	if j.marks.Failures == 0 || len(j.keys) == 0 {
		return
	}
	if k.n += len(j.keys); last {
		k.one = j.keys[0]
	}
}

// String is what is said of them after an error.
func (k *keysThatFail) String() string {
	switch k.n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" (watch key %s)", k.one)
	default:
		return fmt.Sprintf(" (watch key %s and %d others)", k.one, k.n-1)
	}
}

// add adds how a job is, and reports whether the last error is its. p.mu is
// held.
func (s *Status) add(j *job) (last bool) {
	s.Polling = s.Polling || j.polling
	if !j.polling && !j.due.IsZero() && (s.Next.IsZero() || j.due.Before(s.Next)) {
		s.Next, s.Waiting = j.due, ""
		if j.index == nowhere && j.halt == nil {
			s.Waiting = j.gate.String()
		}
	}
	newer := j.last.at != 0 && (s.Ended.IsZero() || j.last.at > s.Ended.UnixNano())
	if newer {
		s.Ended, s.Took = time.Unix(0, j.last.at).UTC(), j.last.took
	}
	m := &j.marks
	if m.Failures == 0 {
		return false
	}
	if s.FailingSince.IsZero() || m.FailingSince.Before(s.FailingSince) {
		s.FailingSince = m.FailingSince
	}
	if last = newer || s.LastError == ""; last {
		s.LastError = m.LastError
	}
	s.Failures = max(s.Failures, m.Failures)
	return last
}
