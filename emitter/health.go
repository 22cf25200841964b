package emitter

import "time"

const (
	// An endpoint is failing when so many attempts in a row were not
	// delivered, and the first of them is so long ago: one that is started
	// anew is not, nor one that takes some of what it gets.
	failingAttempts = 3
	failingTime     = 5 * time.Minute

	// The time between two probes of an endpoint that is paused for it failed
	// too long, less or more a fifth: a sixth of the time that it is paused,
	// within these bounds.
	shortestProbe = 10 * time.Minute
	longestProbe  = time.Hour
	probeShare    = 6
	probeJitter   = 0.2

	defaultPauseAfter = 24 * time.Hour
)

// Pause says why an endpoint is paused: what is told to it waits. "": it isn't.
type Pause string

// The causes of a pause, and what ends it besides a person.
const (
	PauseGone     Pause = "gone"     // 410: a delivery, one is tried a day
	PauseDisabled Pause = "disabled" // webhook-delivery: disable; likewise
	PauseOutage   Pause = "outage"   // it failed for pause_after: a delivery, one is tried each ten minutes to an hour
	PauseManual   Pause = "manual"   // a person: nothing
)

// Condition is how an endpoint fares, in one word.
type Condition string

// The conditions.
const (
	ConditionOK       Condition = "ok"
	ConditionFailing  Condition = "failing" // nothing arrived for five minutes, in three attempts at least
	ConditionPaused   Condition = "paused"
	ConditionDisabled Condition = "disabled" // in the configuration
)

// Health is how an endpoint fares, as far as it outlives a restart. The zero
// value: nothing is known to be wrong.
type Health struct {
	Hold time.Time `json:"hold,omitzero"` // nothing is sent before this

	Pause  Pause     `json:"pause,omitempty"`
	Since  time.Time `json:"since,omitzero"`   // when the pause began
	Reason string    `json:"reason,omitempty"` // why it is paused or holds, or the last attempt failed

	// Failed is how many attempts in a row were not delivered, and
	// FailedSince when the first of them was made. Attempts of which the
	// receiver asked to drop the delivery (abort-message) don't count.
	Failed      int       `json:"failed,omitempty"`
	FailedSince time.Time `json:"failed_since,omitzero"`
	Failing     bool      `json:"-"` // they make it failing

	// Hasten says that what waits for a time is to be made due.
	Hasten bool `json:"-"`
}

// Condition is the word for it.
func (h *Health) Condition() Condition {
	switch {
	case h.Pause != "":
		return ConditionPaused
	case h.Failing:
		return ConditionFailing
	}
	return ConditionOK
}

// Begun is since when it is not well; zero where it is.
func (h *Health) Begun() time.Time {
	switch h.Condition() {
	case ConditionPaused:
		return h.Since
	case ConditionFailing:
		return h.FailedSince
	}
	return time.Time{}
}

// HealthChange is an endpoint whose condition changed.
type HealthChange struct {
	Endpoint string
	Now, Was Condition // ok, failing or paused. Equal: no change, but what is found at a start
	Pause    Pause     // why, where it is paused
	Since    time.Time // since when it fails or is paused; where it is ok, since when it failed or was paused
	Reason   string    // in words, no secret
	Waiting  int       // deliveries in the queue
}

// gate is whether an endpoint may be sent to: the outlet's copy of its stored
// health.
type gate struct {
	Health
	pauseAfter time.Duration // 0: never
	since      time.Time     // as Since; zero: before this start, or none
}

// restore takes up what is stored, at a start. A hold that the receiver asked
// for goes on. A pause is probed at once, for a restart may bring a mended URL.
func (g *gate) restore(h Health) {
	g.Health = h
	if h.Pause != "" {
		g.Hold = time.Time{}
	}
}

// bound believes no time that another clock stored: a hold ends MaxHold from
// now at the latest, and nothing began later than now.
func (g *gate) bound(now time.Time) {
	if latest := now.Add(MaxHold); g.Hold.After(latest) {
		g.Hold = wall(latest)
	}
	if g.FailedSince.After(now) {
		g.FailedSince = wall(now)
	}
}

// holds says whether nothing may be sent at now.
func (g *gate) holds(now time.Time) bool {
	g.bound(now)
	return g.Pause == PauseManual || now.Before(g.Hold)
}

// pass enters an attempt that was judged. rnd in [0, 1) places the next probe.
//
// A longer hold outweighs a shorter one. A delivery that arrives ends a pause,
// but not one that the receiver asked for while it was on its way, nor a
// person's.
func (g *gate) pass(now time.Time, a *Attempt, v *Verdict, rnd float64) {
	now = wall(now)
	g.bound(now)
	if v.State == Delivered {
		g.Failed, g.FailedSince, g.Failing = 0, time.Time{}, false
		if v.Pause == "" && (g.Pause == PauseOutage || g.asked() && !a.At.Before(g.since)) {
			g.end()
		}
	} else {
		if a.Directive != DirectiveAbort {
			if g.Failed++; g.Failed == 1 {
				g.FailedSince = a.At
			}
		}
		g.probeAfter(now, rnd)
	}
	switch {
	case g.Pause == PauseManual:
	case v.Pause != "":
		if g.Pause == "" {
			g.begin(now)
		}
		g.Pause, g.Reason = v.Pause, v.Reason
	case g.Pause == "" && (v.State != Delivered || v.Hold.After(g.Hold)):
		g.Reason = v.Reason
	case g.Pause == "" && !now.Before(g.Hold):
		g.Reason = ""
	}
	if v.Hold.After(g.Hold) {
		g.Hold = v.Hold
	} else if v.State == Delivered && !now.Before(g.Hold) {
		g.Hold = time.Time{}
	}
	g.look(now, rnd)
}

// look enters what time alone brings: that the endpoint is failing, and that
// it is paused for it. rnd is as in pass.
func (g *gate) look(now time.Time, rnd float64) {
	now = wall(now)
	g.bound(now)
	if g.Pause != "" || g.Failed < failingAttempts {
		return
	}
	lasts := now.Sub(g.FailedSince)
	if lasts >= failingTime {
		g.Failing = true
	}
	if g.pauseAfter > 0 && lasts >= g.pauseAfter {
		g.Failing = true
		g.begin(now)
		g.Pause = PauseOutage
		g.probeAfter(now, rnd)
	}
}

// next is when look has something to enter; zero: never.
func (g *gate) next() time.Time {
	switch {
	case g.Pause != "" || g.Failed < failingAttempts:
		return time.Time{}
	case !g.Failing:
		wait := failingTime
		if g.pauseAfter > 0 {
			wait = min(wait, g.pauseAfter)
		}
		return g.FailedSince.Add(wait)
	case g.pauseAfter > 0:
		return g.FailedSince.Add(g.pauseAfter)
	}
	return time.Time{}
}

// pause pauses for a person.
func (g *gate) pause(now time.Time, why string) {
	now = wall(now)
	if g.Pause == "" {
		g.begin(now)
	}
	g.Pause, g.Reason = PauseManual, why
}

// resume ends whatever keeps the endpoint from being sent to, for a person.
func (g *gate) resume() {
	g.Failed, g.FailedSince, g.Failing = 0, time.Time{}, false
	g.end()
}

// asked says whether the receiver asked for the pause.
func (g *gate) asked() bool { return g.Pause == PauseGone || g.Pause == PauseDisabled }

func (g *gate) begin(now time.Time) { g.Since, g.since = now, now }

// end ends a pause. What waits was to wait for long, and is tried now.
func (g *gate) end() {
	g.Hold, g.Pause, g.Reason, g.Since, g.since = time.Time{}, "", "", time.Time{}, time.Time{}
	g.Hasten = true
}

// probeAfter puts the next probe off, where it is paused and probed.
func (g *gate) probeAfter(now time.Time, rnd float64) {
	wait := pauseTime
	switch g.Pause {
	case "", PauseManual:
		return
	case PauseOutage:
		wait = min(max(now.Sub(g.Since)/probeShare, shortestProbe), longestProbe)
		wait = time.Duration(float64(wait) * (1 + probeJitter*(2*rnd-1)))
	}
	if at := wall(now.Add(wait)); at.After(g.Hold) {
		g.Hold = at
	}
}
