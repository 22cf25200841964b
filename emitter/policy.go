package emitter

import (
	"slices"
	"time"
)

// Waits that no setting changes.
const (
	pauseTime    = MaxHold          // after 410 or disable
	redirectWait = 10 * time.Minute // at least, after a 3xx: a person must mend the URL
)

// Defaults of the retry settings.
var (
	defaultSchedule = []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	defaultPermanent = []int{400, 401, 403, 404, 413, 415, 422}
)

const defaultJitter = 0.2 // 20 %

// Policy is the retry settings ready for use, defaults filled in. The zero
// value never retries and finds no status permanent.
type Policy struct {
	Schedule  []time.Duration // waits after the first, second, … attempt
	Jitter    float64         // each wait is longer or shorter by up to this share
	Permanent []int           // statuses that make a dead letter at once
	Endless   bool            // no number of attempts makes a dead letter: the last wait is repeated
}

// Policy is s with its defaults. An empty list is not an absent one: an empty
// schedule means no retry, empty permanent means that no status is.
func (s RetrySettings) Policy() Policy {
	p := Policy{Schedule: defaultSchedule, Jitter: defaultJitter, Permanent: defaultPermanent}
	if s.Schedule != nil {
		p.Schedule = make([]time.Duration, len(s.Schedule))
		for i, d := range s.Schedule {
			p.Schedule[i] = d.Std()
		}
	}
	if s.Jitter != nil {
		p.Jitter = float64(*s.Jitter)
	}
	if s.Permanent != nil {
		p.Permanent = slices.Clone(s.Permanent)
	}
	return p
}

// wait is the time from attempt made to the next one. It is false where the
// schedule has no next one; the wait is then the schedule's last. rnd in
// [0, 1) places it within the jitter.
func (p Policy) wait(made int, rnd float64) (time.Duration, bool) {
	if len(p.Schedule) == 0 {
		return 0, false
	}
	i := min(max(made, 1), len(p.Schedule)) - 1
	factor := 1 + p.Jitter*(2*rnd-1)
	return time.Duration(max(factor, 0) * float64(p.Schedule[i])), made <= len(p.Schedule)
}
