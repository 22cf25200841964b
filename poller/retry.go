package poller

import "time"

// Waits after failures: 1s, 2s, 4s … 10m.
const (
	firstBackoff   = time.Second
	longestBackoff = 10 * time.Minute
)

// afterReset is how soon after an answer that resets the whole is asked for:
// what changes until then is told by nobody.
const afterReset = time.Second

// earlyRetries are the waits after which a poll that failed is made again
// though its schedule comes much later: a daily source is not to wait for a day
// because of a moment.
var earlyRetries = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// retryAt is when a source that failed n times in a row runs again: on its
// schedule, but neither before its backoff has passed nor before the time that
// the server asked for.
func retryAt(s Schedule, now time.Time, n int, after time.Duration) time.Time {
	next, earliest := s.Next(now), now.Add(restAfter(n, after)).Round(0).UTC()
	if next.Before(earliest) {
		return earliest
	}
	return next
}

// restAfter is for how long a source that failed n times in a row is left
// alone.
func restAfter(n int, after time.Duration) time.Duration {
	wait := longestBackoff
	if n < 11 {
		wait = min(wait, firstBackoff<<(n-1))
	}
	return max(wait, after)
}

// early is when a source that failed, and rests for so long, runs again before
// due, or due. It does so once for each of the waits since its schedule came,
// where that leaves as much time again until due. Those with a quota don't: it
// may have been reckoned from the schedule. Nor do watch keys, which are spread
// over the interval.
func (j *job) early(now, due time.Time, rest time.Duration) time.Time {
	quota := j.source.limit != nil && !j.source.limit.settings.Quota.IsZero()
	if j.retries < len(earlyRetries) && j.fan == nil && !quota {
		wait := max(earlyRetries[j.retries], rest)
		if at := now.Add(wait).Round(0).UTC(); due.Sub(at) >= wait {
			j.retries++
			return at
		}
	}
	j.retries = 0
	return due
}
