package emitter

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// What a receiver may ask for in the header webhook-delivery of its answer.
const (
	DirectiveAbort   = "abort-message" // this delivery shall not be tried again
	DirectiveDisable = "disable"       // nothing shall be sent to the endpoint
)

// Judge says what follows attempt a, the made-th of its delivery (from 1), at
// now, with rnd in [0, 1) for the jitter. It is a pure function. The first of
// these that applies decides the state:
//
//	2xx without a Reason       delivered; with "disable", the endpoint pauses
//	abort-message              dead
//	disable                    waits; the endpoint pauses for 24 h
//	a permanent status         dead, unless there is a Retry-After
//	410                        waits; the endpoint pauses for 24 h
//	the schedule is used up    dead, unless p is endless
//	3xx                        waits as scheduled, 10 min at least
//	anything else              waits as scheduled
//
// A 2xx has a Reason where the format's receivers say by it that they did not
// take the event. A RetryAfter holds the whole endpoint that long, whatever
// becomes of the delivery, and makes the delivery's own wait
// longer where it was shorter, never shorter: so what the schedule spans is
// never less than what its waits add up to.
func Judge(a Attempt, p Policy, made int, now time.Time, rnd float64) Verdict {
	if isSuccess(a.Status) && a.Reason == "" {
		v := Verdict{State: Delivered}
		switch {
		case a.Directive == DirectiveDisable:
			v.pause(PauseDisabled, now, "the receiver took the event and asked for no more (webhook-delivery: disable)")
		case a.RetryAfter > 0:
			v.Hold, v.Reason = now.Add(a.RetryAfter), "the receiver took the event and its limit is used up for now"
		}
		return v
	}
	v := Verdict{State: Waiting, Reason: a.why()}
	wait, more := p.wait(made, rnd)
	if isRedirect(a.Status) {
		wait = max(wait, redirectWait)
	}
	if a.RetryAfter > 0 {
		wait = max(wait, a.RetryAfter)
		v.Hold = now.Add(a.RetryAfter)
	}
	switch {
	case a.Directive == DirectiveAbort:
		v.die("the receiver asked to drop it (webhook-delivery: abort-message)")
	case a.Directive == DirectiveDisable:
		v.Due = now.Add(wait)
		v.pause(PauseDisabled, now, v.Reason+"; the receiver asked for no more (webhook-delivery: disable)")
	case a.RetryAfter <= 0 && slices.Contains(p.Permanent, a.Status):
		v.die("this status is permanent")
	case a.Status == http.StatusGone:
		v.Due = now.Add(wait)
		v.pause(PauseGone, now, v.Reason+"; nobody listens at this URL any more")
	case !more && !p.Endless:
		v.die(fmt.Sprintf("attempt %d was the last", made))
	default:
		v.Due = now.Add(wait)
	}
	return v
}

// pause holds the endpoint until a person has looked, or a day has passed.
func (v *Verdict) pause(p Pause, now time.Time, why string) {
	v.Hold, v.Pause, v.Reason = now.Add(pauseTime), p, why
}

func (v *Verdict) die(why string) {
	v.State, v.Reason = Dead, v.Reason+"; "+why
}

// why is what went wrong, in words.
func (a Attempt) why() string {
	switch {
	case a.Reason != "":
		return a.Reason
	case a.Status == 0:
		return "no answer: " + string(cmp.Or(a.Error, ErrorNetwork))
	default:
		return describe(a.Status)
	}
}

// plain says that the receiver took the event and asked for nothing.
func (a *Attempt) plain() bool {
	return isSuccess(a.Status) && a.Reason == "" && a.Directive == "" && a.RetryAfter == 0
}

// describe is a status that is not 2xx in words. The receiver's own reason
// phrase is left out: it is free text.
func describe(status int) string {
	text := fmt.Sprintf("the receiver answered %d", status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	if isRedirect(status) {
		text += ": redirects are not followed, update the endpoint's url"
	}
	return text
}

func isSuccess(status int) bool { return status >= 200 && status <= 299 }

func isRedirect(status int) bool { return status >= 300 && status <= 399 }
