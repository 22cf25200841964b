package emitter

import (
	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/differ"
)

// ownText says in a sentence what an event of Deltahook's own is about.
func ownText(e *differ.Event, source string) string {
	of := func(name string) string { return shown(gjson.GetBytes(e.Data, name).String(), shownName) }
	switch e.Type {
	case differ.TypeSourceFailing:
		if n := of("failures"); n != "1" {
			return source + " fails: " + n + " polls in a row"
		}
		return source + " fails: a poll failed"
	case differ.TypeSourceStale:
		return "no poll of " + source + " has succeeded since " + of("since")
	case differ.TypeSourceRecovered:
		return source + " answers again"
	case differ.TypeQuiet:
		return "nothing has changed in " + source + " for longer than " + of("expect_within")
	case differ.TypeActive:
		return "something changes in " + source + " again"
	case differ.TypeHeld:
		return "an answer of " + source + " is held: nothing of it is told until it is released or discarded"
	case differ.TypeFailing:
		return "the rule " + of("rule") + " of " + source + " cannot be evaluated, and tells nothing"
	case differ.TypeEndpointFailing:
		return of("endpoint") + " fails: what is told to it waits, and is tried again"
	case differ.TypeEndpointPaused:
		return of("endpoint") + " is paused: what is told to it waits"
	case differ.TypeEndpointRecovered:
		return of("endpoint") + " takes webhooks again"
	case differ.TypeAuthExpired:
		whose := of("auth")
		for _, users := range []string{"sources.0", "endpoints.0"} {
			if whose == "" {
				whose = of(users)
			}
		}
		return "access for " + whose + " has expired: a person must allow it again"
	}
	return source
}

// ownSaid are members of an own event's data that the sentence has.
var ownSaid = []string{"source", "watch", "endpoint"}
