package emitter

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
)

// Waits after the queue failed: doubled each time.
const (
	shortestTrouble = 100 * time.Millisecond
	longestTrouble  = 30 * time.Second
)

// trouble is a streak of failures of the queue. It is told once when it
// begins and once when it ends; the next try is not before until.
type trouble struct {
	log   *slog.Logger
	what  string
	wait  time.Duration
	since time.Time
	until time.Time
}

// note enters the result of a try.
func (t *trouble) note(now time.Time, err error) {
	if err == nil {
		if t.bad() {
			t.log.Info("the queue works again", "what", t.what, "after", now.Sub(t.since))
		}
		t.wait, t.until = 0, time.Time{}
		return
	}
	if !t.bad() {
		t.since = now
		t.log.Error("the queue fails", "what", t.what, "err", err)
	}
	t.wait = min(max(2*t.wait, shortestTrouble), longestTrouble)
	t.until = now.Add(t.wait)
}

// bad reports whether the last try failed.
func (t *trouble) bad() bool { return t.wait > 0 }

// quiet is the time in which an endpoint's failing is told at most once.
const quiet = time.Minute

// streak is a row of attempts of one endpoint that were not delivered. It is
// told once when it begins and once when it ends. One that begins within a
// minute of the last that was told is not told, so that a receiver that fails
// now and then doesn't fill the log. Of dead letters the first is told, and
// then once a minute how many more there were.
type streak struct {
	log    *slog.Logger
	failed int       // attempts in a row
	since  time.Time // the first of them
	told   bool      // this streak was told
	before bool      // it began before this start
	last   time.Time // when one was told

	died time.Time // when dead letters were last told
	more int       // dead letters since

	aged    time.Time // when expired deliveries were last told
	expired int       // since then
}

// restore goes on with a streak that began before this start, or before a reload.
// That it goes on is told once more.
func (s *streak) restore(now time.Time, h *Health) {
	if h.Failed == 0 {
		return
	}
	s.failed, s.since, s.before = h.Failed, h.FailedSince, true
	if s.since.IsZero() || s.since.After(now) {
		s.since = now
	}
}

func (s *streak) note(now time.Time, out Outcome) {
	d, v := out.Delivery, out.Verdict
	if v.State == Delivered {
		if s.told || s.before {
			s.log.Info("endpoint works again", "failed", s.failed, "after", now.Sub(s.since))
		}
		s.failed, s.told, s.before = 0, false, false
		return
	}
	if s.failed++; s.failed == 1 {
		s.since = now
	}
	if !s.told && (s.last.IsZero() || now.Sub(s.last) >= quiet) {
		s.told, s.last = true, now
		s.log.Warn("endpoint fails", "event", d.Event, "delivery", d.Number, "attempt", d.Attempts+1, "err", v.Reason)
	}
	switch {
	case v.State != Dead:
	case s.died.IsZero() || now.Sub(s.died) >= quiet:
		s.died = now
		s.log.Warn("dead letter", "event", d.Event, "delivery", d.Number, "source", d.Source, "key", d.Key, "attempt", d.Attempts+1, "err", v.Reason)
	default:
		s.more++
	}
}

// tell says how many dead letters were not told one by one, and how many
// deliveries expired, once a minute.
func (s *streak) tell(now time.Time) {
	if s.more > 0 && now.Sub(s.died) >= quiet {
		s.died = now
		s.tellDead()
	}
	if s.expired > 0 && (s.aged.IsZero() || now.Sub(s.aged) >= quiet) {
		s.aged = now
		s.tellExpired()
	}
}

// close says it at once.
func (s *streak) close() {
	s.tellDead()
	s.tellExpired()
}

func (s *streak) tellDead() {
	if s.more > 0 {
		s.log.Warn("more dead letters", "number", s.more)
		s.more = 0
	}
}

func (s *streak) tellExpired() {
	if s.expired > 0 {
		s.log.Warn("deliveries expired: they were older than ttl", "number", s.expired)
		s.expired = 0
	}
}

// unmade is payloads that could not be made. Each is counted; one a minute is
// told. It is safe for concurrent use.
type unmade struct {
	log   *slog.Logger
	count prometheus.Counter

	mu   sync.Mutex
	last time.Time // when one was told
	more int       // since then
}

func (u *unmade) note(now time.Time, e *differ.Event, why *differ.Undeliverable) {
	u.count.Inc()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.last.IsZero() && now.Sub(u.last) < quiet {
		u.more++
		return
	}
	u.log.Error("a dead letter from the start", "event", e.ID, "source", e.Source, "key", e.Key, "more", u.more, "err", why)
	u.last, u.more = now, 0
}

// harm is what is damaged of an endpoint's deliveries. It is told when more is
// found than ever before in this process.
type harm struct {
	log   *slog.Logger
	gauge prometheus.Gauge
	most  int
}

func (h *harm) note(b Batch) {
	if b.Damaged <= h.most {
		return
	}
	h.most = b.Damaged
	h.gauge.Set(float64(h.most))
	h.log.Error("deliveries are damaged and not sent, nor is what follows them", "number", b.Damaged, "err", b.Damage)
}
