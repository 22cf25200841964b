package differ

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/ordered"
)

// rule is one compiled rule: each change that it matches makes one event.
type rule struct {
	event string   // the type of the event
	on    []Change // empty: all
	when  *expr.Program
	to    []string // names of endpoints

	timing   *timing       // nil: it tells at changes
	enter    bool          // trigger: enter
	print    string        // of an enter rule, the fingerprint of its when
	cooldown time.Duration // 0: none
}

// compileRules compiles the rules of source name, in the order of the file;
// where there are none, the three that tell every change to all.
func compileRules(r fault.Report, name string, rules ordered.Map[RuleSettings], endpoints []string, zone string, names func() expr.Env) []rule {
	if len(rules) == 0 {
		var out []rule
		for _, kind := range []Change{Created, Updated, Deleted} {
			out = append(out, rule{event: name + "." + string(kind), on: []Change{kind}, to: endpoints})
		}
		return out
	}
	out := make([]rule, 0, len(rules))
	for _, entry := range rules {
		compiled := rule{event: entry.Key, to: entry.Value.To}
		if slices.Contains(ownTypes(), entry.Key) {
			r.At(entry.Key).Errorf("an event of Deltahook's own is called so (see alerts): choose another name")
		}
		compiled.compileTrigger(r.At(entry.Key), entry.Value)
		if len(compiled.to) == 0 {
			compiled.to = endpoints
		}
		for _, kind := range entry.Value.On {
			compiled.on = append(compiled.on, Change(kind))
		}
		env := names()
		if entry.Value.At != "" {
			env = timingEnv(env)
		}
		compiled.timing = compileTiming(r.At(entry.Key), entry.Value, env, zone)
		if src := entry.Value.When; src != "" {
			program, err := expr.CompileBool(src, env)
			if err != nil {
				r.At(entry.Key, "when").Errorf("%v", err)
			}
			compiled.when = program
		}
		out = append(out, compiled)
	}
	return out
}

// compileTrigger compiles what a rule remembers of an item.
func (r *rule) compileTrigger(at fault.Report, s RuleSettings) {
	r.cooldown = s.Cooldown.Std()
	if s.Trigger != "enter" {
		return
	}
	r.enter = true
	sum := sha256.Sum256([]byte(s.When))
	r.print = base64.RawURLEncoding.EncodeToString(sum[:9])
	if len(s.On) == 1 && s.On[0] == string(Deleted) {
		at.At("on").Errorf("with trigger: enter, a rule needs created or updated: an item enters while it is there")
	}
}

// holds reports whether a rule's condition is true of a change. The error is
// that of the evaluation: it could not be decided.
func (r *rule) holds(f *facts) (bool, error) {
	if r.when == nil {
		return true, nil
	}
	f.event = r.event
	vars, err := f.vars(r.when)
	if err != nil {
		return false, err
	}
	return r.when.Bool(vars)
}

// newEvent is the event of a rule for a change, without bodies.
func newEvent(event string, src *Source, watch string, ch *change, at time.Time) (Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, err
	}
	return Event{
		ID: "evt_" + id.String(), Type: event, Source: src.name, Watch: watch, Key: ch.key, Change: ch.kind,
		Revision: ch.revision, Time: at, New: ch.new, Old: ch.old, Diff: ch.diff, Item: ch.item, Window: ch.window,
		Moment: src.moments.time,
	}, nil
}
