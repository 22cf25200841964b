package differ

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
)

// timing is what makes a rule one that tells when a time has come.
type timing struct {
	at    *expr.Program
	shift time.Duration // from the time that the item names to when the event is due
	late  time.Duration // how much later it may still be told
	print string        // fingerprint of what decides when timers are due
}

// defaultLate is how late an event of a timer may be told.
const defaultLate = 10 * time.Minute

// compileTiming compiles `at` and what belongs to it; nil: the rule has none.
func compileTiming(r fault.Report, s RuleSettings, env expr.Env, zone string) *timing {
	if s.At == "" {
		for _, of := range []struct {
			key   string
			given units.Duration
		}{{"before", s.Before}, {"after", s.After}, {"late", s.Late}} {
			if of.given != 0 {
				r.At(of.key).Errorf("needs at: the time that it counts from")
			}
		}
		return nil
	}
	if len(s.On) > 0 {
		r.At("on").Errorf("does not go with at: the event comes at a time, not at a change")
	}
	if s.Trigger != "" && s.Trigger != "each" {
		r.At("trigger").Errorf("%s does not go with at: the event comes once for each time that an item names", s.Trigger)
	}
	if s.Before > 0 && s.After > 0 {
		r.At("after").Errorf("does not go with before: make two rules of it")
	}
	t := &timing{shift: s.After.Std() - s.Before.Std(), late: s.Late.Std()}
	if t.late == 0 {
		t.late = defaultLate
	}
	program, err := expr.Compile(s.At, env)
	if err != nil {
		r.At("at").Errorf("%v", err)
	}
	t.at = program
	text, _ := json.Marshal([]any{s.At, s.Before, s.After, zone})
	sum := sha256.Sum256(text)
	t.print = base64.RawURLEncoding.EncodeToString(sum[:9])
	return t
}

// tooLate reports whether an event that was due is not told any more.
func (t *timing) tooLate(due int64, now time.Time) bool {
	return now.UnixMilli()-due > t.late.Milliseconds()
}

// named is the time that an item names; the zero time: none.
func (r *rule) named(f *facts, m *moments) (time.Time, error) {
	f.event = r.event
	vars, err := f.vars(r.timing.at)
	if err != nil {
		return time.Time{}, err
	}
	value, err := r.timing.at.Eval(vars)
	if err != nil {
		return time.Time{}, err
	}
	return m.read(value)
}

// timingEnv is what `at`, and the `when` beside it, may name: an item is what
// is remembered of it, so it has the fields that are picked and no others.
func timingEnv(env expr.Env) expr.Env {
	env["item"] = env["new"]
	return env
}

// all are the rules of a source: those that tell at changes, then the others.
func (s *Source) all(yield func(*rule) bool) {
	for _, some := range [][]rule{s.rules, s.timed} {
		for i := range some {
			if !yield(&some[i]) {
				return
			}
		}
	}
}

// apart parts the rules that tell at changes from those that tell at a time.
func apart(all []rule) (rules, timed []rule) {
	for _, r := range all {
		if r.timing != nil {
			timed = append(timed, r)
		} else {
			rules = append(rules, r)
		}
	}
	return rules, timed
}

// timedBy are the fingerprints of rules with `at`, by their events, as the note
// of a unit has them: those whose timers the unit's items have. Nil: none.
func timedBy(rules []rule) []byte {
	if len(rules) == 0 {
		return nil
	}
	prints := map[string]string{}
	for i := range rules {
		prints[rules[i].event] = rules[i].timing.print
	}
	text, _ := json.Marshal(prints)
	return text
}
