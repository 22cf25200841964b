package differ

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/jsonpath"
)

// defaultConfirmDeletes is how many answers in a row must lack an item.
const defaultConfirmDeletes = 2

// Source is what the differ knows of one source's settings, compiled. It is
// immutable.
type Source struct {
	name     string
	shape    string
	response ResponseSettings
	form     form
	computes bool          // what it picks may be no part of the item: a path can make a value
	itemOK   *expr.Program // nil: every item is
	deleted  *expr.Program // nil: no item says of itself that it is
	kept     bool          // an item that is not listed stays
	forget   time.Duration // 0: never
	rules    []rule
	disabled bool
	timed    []rule // those that tell when a time has come
	timedBy  []byte // their fingerprints
	keyed    bool   // it is polled for watch keys
	moments  *moments
	expect   time.Duration // a change is expected within it; 0: at no time
	watch    watch
	history  history

	follows   bool // a rule has a trigger or a cooldown
	seesWhole bool // and one with a trigger looks at the whole item

	baseline       Baseline
	guards         guards
	confirm        int
	confirmDeletes int
}

// NewSource compiles the settings of source name. endpoints are the names of
// all endpoints, those that a rule without `to` tells. The error is the first
// fault that Check finds.
func NewSource(name string, s Settings, resp ResponseSettings, endpoints []string) (*Source, error) {
	r := fault.New()
	src := compile(r, name, s, resp, endpoints)
	for _, f := range r.All() {
		if !f.Warning {
			return nil, fmt.Errorf("source %s: %v: %s", name, f.Path, f.Text)
		}
	}
	return src, nil
}

// Name is the source's name in the configuration.
func (s *Source) Name() string { return s.name }

// Check reports all faults of a source's settings; r stands at the source.
func Check(r fault.Report, name string, s Settings, resp ResponseSettings) {
	compile(r, name, s, resp, nil)
}

func compile(r fault.Report, name string, s Settings, resp ResponseSettings, endpoints []string) *Source {
	src := &Source{
		name:           name,
		shape:          shape(resp),
		response:       resp,
		baseline:       s.Changes.Baseline,
		guards:         newGuards(s.Changes),
		confirm:        max(s.Changes.Confirm, 1),
		confirmDeletes: s.Changes.ConfirmDeletes,
		disabled:       s.Disabled,
		keyed:          s.Watch.Keyed,
		moments:        newMoments(s.Timezone),
		expect:         s.Changes.ExpectWithin.Std(),
	}
	src.checkBaseline(r.At("changes", "baseline"))
	src.guards.check(r.At("changes", "max_deletes"))
	if src.confirmDeletes == 0 {
		src.confirmDeletes = defaultConfirmDeletes
	}
	src.compileResponse(r.At("response"), resp)
	src.history = compileHistory(r.At("changes", "history"), s.Changes.History, resp)
	names := func() expr.Env { return src.moments.env(src.history.windowIn(ruleEnv(resp.fields()))) }
	src.watch = compileWatch(r.At("watch"), s.Watch, resp, names)
	src.rules = compileRules(r.At("events"), name, s.Events, endpoints, s.Timezone, names)
	src.rules, src.timed = apart(src.rules)
	src.timedBy = timedBy(src.timed)
	for i := range src.rules {
		r := &src.rules[i]
		src.follows = src.follows || r.enter || r.cooldown > 0
		src.seesWhole = src.seesWhole || r.enter && uses(r.when, "item")
	}
	return src
}

func (s *Source) checkBaseline(r fault.Report) {
	if s.baseline.By == "" {
		return
	}
	checkPath(r.At("by"), s.baseline.By)
	if s.baseline.Last == 0 {
		r.At("last").Errorf("is missing: how many items are told")
	}
}

func (s *Source) compileResponse(r fault.Report, resp ResponseSettings) {
	if resp.Items != "" {
		checkPath(r.At("items"), resp.Items)
		if len(resp.ID) == 0 {
			r.At("id").Errorf("items need an id: the path of what tells them apart")
		}
	}
	checkIDs(r.At("id"), resp.ID)
	for _, p := range resp.Pick {
		checkPath(r.At("pick", p.Key), p.Value)
	}
	for _, p := range slices.Concat(resp.Pick, resp.Carry) {
		s.computes = s.computes || !jsonpath.Plain(p.Value)
	}
	s.form = compileForm(r, resp)
	if resp.ItemOK != "" {
		program, err := expr.CompileBool(resp.ItemOK, expr.Env{"item": nil, "body": nil})
		if err != nil {
			r.At("item_ok").Errorf("%v", err)
		}
		s.itemOK = program
	}
	s.compileAbsent(r, resp)
}

func checkPath(r fault.Report, path string) {
	if err := jsonpath.Check(path); err != nil {
		r.Errorf("%v", err)
	}
}

// shape is a fingerprint of what decides an item's key and content, and which
// contents are equal: where it differs from the stored one, the stored items
// say nothing about the new.
func shape(resp ResponseSettings) string {
	deciding := []any{resp.Items, resp.ID, resp.Pick, resp.Ignore}
	text, _ := json.Marshal(append(deciding, resp.counting()...))
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
