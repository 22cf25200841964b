package emitter

import "time"

// gate is whether an endpoint may be sent to: the outlet's copy of the stored
// state. While it is paused, and the hold is over, one delivery at a time is
// tried, until one arrives.
type gate struct {
	hold   time.Time // nothing is sent before this
	paused bool
	reason string
	since  time.Time // when hold was set; zero: before this start
}

// restore takes up what is stored, at a start.
func (g *gate) restore(s EndpointState) {
	g.paused, g.reason = s.Paused, s.Reason
	if !s.Paused {
		g.hold = s.Hold
	}
}

// holds says whether nothing may be sent at now.
func (g *gate) holds(now time.Time) bool {
	g.bound(now)
	return now.Before(g.hold)
}

// bound ends a hold MaxHold from now at the latest: one that seems to last
// longer was set before the clock was set back.
func (g *gate) bound(now time.Time) {
	if latest := now.Add(MaxHold); g.hold.After(latest) {
		g.hold = latest
	}
}

// pass lets the gate and the verdict of an attempt agree, so that the queue
// comes to the same state as the gate. A hold that lasts longer outweighs one
// that is shorter, and a delivery that arrives ends a pause, but not one that
// began while it was on its way.
func (g *gate) pass(now time.Time, out *Outcome) {
	v := &out.Verdict
	g.bound(now)
	if v.State == Delivered && !v.Paused && !v.Hold.IsZero() && g.paused && !out.Attempt.At.Before(g.since) {
		g.hold, g.paused = time.Time{}, false // it arrived; what follows is a wait
	}
	switch {
	case !v.Hold.IsZero() && v.Hold.After(g.hold):
		g.hold, g.paused, g.reason, g.since = v.Hold, v.Paused || g.paused, v.Reason, now
		v.Paused = g.paused
	case !v.Hold.IsZero():
		g.paused = g.paused || v.Paused
	case v.State == Delivered && g.paused && !out.Attempt.At.Before(g.since):
		g.hold, g.paused, g.reason = time.Time{}, false, ""
	case v.State == Delivered && now.Before(g.hold):
		v.Hold, v.Paused, v.Reason = g.hold, g.paused, g.reason // it goes on
	}
}
