package emitter

import "time"

// After is the state of an endpoint once a verdict about one of its deliveries
// is settled at now; the counters stay as they are. Every engine's Settle
// stores it: a longer hold outweighs a shorter one, a pause lasts with its
// hold, a delivery that arrived ends a pause and forgets a hold that has
// passed, and no hold is believed for longer than MaxHold.
func (e EndpointState) After(v *Verdict, now time.Time) EndpointState {
	if latest := now.Add(MaxHold); e.Hold.After(latest) {
		e.Hold = latest // set before the clock was set back
	}
	running := e.Hold.After(now)
	if v.State == Delivered && (e.Paused || !running) {
		e.Hold, e.Paused, e.Reason = time.Time{}, false, ""
		running = false
	}
	switch {
	case v.Hold.IsZero():
	case !running:
		e.Hold, e.Paused, e.Reason = v.Hold, v.Paused, v.Reason
	case v.Hold.After(e.Hold):
		e.Hold, e.Paused, e.Reason = v.Hold, v.Paused || e.Paused, v.Reason
	case v.Paused && !e.Paused:
		e.Paused, e.Reason = true, v.Reason
	}
	return e
}
