package differ_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
)

// alerts are the payloads of rule.failing since the last call.
func (b *bench) alerts() (out []string) {
	for _, c := range b.store.commits[b.seen:] {
		for _, e := range c.Events {
			if e.Type == differ.TypeFailing {
				out = append(out, string(e.Data))
			}
		}
	}
	b.seen = len(b.store.commits)
	return out
}

func TestAFailingRuleIsToldOnce(t *testing.T) {
	b := newBench(t, ruled(rule("high", entering("new.v > 5")), rule("fine", differ.RuleSettings{When: "new.v != nil"})), listed)
	b.options.Alerts = []string{"ops"}
	b.options.Hide = func(text string) string { return strings.ReplaceAll(text, "string", "(a secret)") }
	b.restart()
	next := func(body string) []string {
		t.Helper()
		if err := b.differ.Take(t.Context(), b.answer(body)); err != nil {
			t.Fatal(err)
		}
		return b.alerts()
	}
	if got := next(`{"items":[{"id":1,"v":"?"},{"id":2,"v":1},{"id":3,"v":1}]}`); got != nil {
		t.Errorf("a baseline tells nothing, it told %v", got)
	}
	got := next(`{"items":[{"id":1,"v":"!"},{"id":2,"v":"?"},{"id":3,"v":9}]}`)
	if len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	var said struct {
		Source, Rule, Error, Key string
		Count                    int
	}
	if err := json.Unmarshal([]byte(got[0]), &said); err != nil {
		t.Fatal(err)
	}
	if said.Source != "s" || said.Rule != "high" || said.Key != "1" || said.Count != 2 || !strings.Contains(said.Error, "(a secret)") {
		t.Errorf("told %s", got[0])
	}
	if c := b.store.commits[1]; len(c.Events) != 5 || c.Events[0].Type != "fine" || c.Events[4].Type != differ.TypeFailing {
		t.Errorf("the other events are %+v", c.Events)
	}
	for _, body := range []string{
		`{"items":[{"id":1,"v":"?"},{"id":2,"v":"?"},{"id":3,"v":9}]}`, // still
		`{"items":[{"id":1,"v":"?"},{"id":2,"v":"?"},{"id":3,"v":9}]}`, // no change
		`{"items":[{"id":1,"v":"?"},{"id":2,"v":"!"},{"id":3,"v":8}]}`, // some can be evaluated
	} {
		if got := next(body); got != nil {
			t.Errorf("%s told %v again", body, got)
		}
		b.restart()
	}
	if got := next(`{"items":[{"id":1,"v":"?"},{"id":2,"v":"!"},{"id":3,"v":7}]}`); got != nil { // all can
		t.Errorf("told %v", got)
	}
	b.restart()
	if got := next(`{"items":[{"id":1,"v":"!"},{"id":2,"v":"!"},{"id":3,"v":7}]}`); len(got) != 1 {
		t.Errorf("failing anew told %v, want one", got)
	}
}

// Without anybody to be told it is still known, and nothing more is committed.
func TestAFailingRuleWithoutAlerts(t *testing.T) {
	b := newBench(t, ruled(rule("high", differ.RuleSettings{When: "new.v > 5"})), listed)
	b.expect(one(1))
	b.expect(one(`"?"`))
	if state := stateOf(t, b); len(state.Notes) != 1 || state.Notes[0].Key != "" {
		t.Errorf("notes are %+v", state.Notes)
	}
}

// A lost commit takes its alert along, and the next one tells.
func TestAFailingRuleIsToldThoughACommitFails(t *testing.T) {
	b := newBench(t, ruled(rule("high", differ.RuleSettings{When: "new.v > 5"})), listed)
	b.options.Alerts = []string{"ops"}
	b.restart()
	b.take(one(1))
	b.store.before = fmt.Errorf("disk full")
	_ = b.differ.Take(t.Context(), b.answer(one(`"?"`)))
	b.store.before = nil
	b.seen = len(b.store.commits)
	if _ = b.differ.Take(t.Context(), b.answer(one(`"?"`))); len(b.alerts()) != 1 {
		t.Error("the alert is lost")
	}
}

// Of all watch keys whose items fail, one tells.
func TestWatchKeysTellOfAFailingRuleOnce(t *testing.T) {
	b := newBench(t, ruled(rule("high", differ.RuleSettings{When: "new.v > 5"})), differ.ResponseSettings{})
	b.options.Alerts = []string{"ops"}
	b.restart()
	next := func(key, v string) {
		t.Helper()
		a := b.answer(`{"v":` + v + `}`)
		a.Keys = []string{key}
		if err := b.differ.Take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	var told []int
	for _, v := range []string{`1`, `"?"`, `"!"`, `7`, `"?"`} {
		for _, key := range []string{"x", "y", "z"} {
			next(key, v)
		}
		told = append(told, len(b.alerts()))
	}
	if !slices.Equal(told, []int{0, 1, 0, 0, 1}) {
		t.Errorf("alerts of each round: %v", told)
	}
}

// Why an item is told or not: each guard and each verdict.
func TestExplain(t *testing.T) {
	r := listed
	r.ItemOK = "item.bad == nil"
	r.DeletedWhen = "item.gone == true"
	cool := differ.RuleSettings{On: []string{"updated", "deleted"}, Cooldown: 600e9}
	s := ruled(rule("high", entering("new.v > 5")), rule("cool", cool), rule("text", differ.RuleSettings{When: `new.v startsWith "a"`}))
	s.Changes.ConfirmDeletes = 2
	b := newBench(t, s, r)
	explain := func(body string) map[string]string {
		t.Helper()
		p, err := b.differ.Preview(t.Context(), b.answer(body))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, x := range slices.Concat(p.Changes, p.Others) {
			text := fmt.Sprintf("%s@%d %s %s", x.Change, x.Revision, x.Guard, x.Detail)
			for _, r := range x.Rules {
				if text += " " + r.Rule + ":" + string(r.Verdict); r.Verdict == differ.RuleCooling {
					text += " " + r.Until.Format("15:04")
				}
			}
			out[x.Key] = text
		}
		return out
	}
	same := func(body string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, explain(body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	const first = `{"items":[{"id":1,"v":9},{"id":2,"v":1},{"id":3,"v":1},{"id":4,"v":1},{"id":5,"bad":1}]}`
	same(first, map[string]string{
		"1": "@0 baseline  high:silent", "2": "@0 baseline  high:false", "3": "@0 baseline  high:false", "4": "@0 baseline  high:false",
		"5": "@0 unknown item_ok is false",
	})
	b.take(first)
	b.take(`{"items":[{"id":1,"v":9},{"id":2,"v":2},{"id":3,"v":1},{"id":4,"v":1}]}`)
	same(`{"items":[{"id":1,"v":8},{"id":2,"v":6},{"id":3,"v":1},{"id":5,"v":0},{"bad":1},{"id":7,"gone":true}]}`, map[string]string{
		"1": "updated@1   high:entered cool:told text:error",
		"2": "updated@2   high:told cool:cooling 10:13 text:error",
		"3": "@0 unchanged ", "5": "created@1   high:false cool:not_on text:error",
		"": "@0 unknown item_ok is false, and it has no id", "7": "@0 gone deleted_when is true, and it is not there",
	})
	same(`{"items":[{"id":1,"v":9},{"id":2,"v":2},{"id":3,"gone":true},{"id":4,"v":1}]}`, map[string]string{
		"1": "@0 unchanged ", "2": "@1 unchanged ", "4": "@0 unchanged ", "3": "deleted@1   high:error cool:told text:false",
	})
	same(`{"items":[{"id":1,"v":9},{"id":2,"v":2},{"id":3,"v":1}]}`, map[string]string{
		"1": "@0 unchanged ", "2": "@1 unchanged ", "3": "@0 unchanged ", "4": "@0 absent 1 of 2 answers",
	})
	a := b.answer("")
	a.Unmodified, a.Pages = true, nil
	p, err := b.differ.Preview(t.Context(), a)
	if err != nil || len(p.Others) != 4 || p.Others[0].Guard != differ.GuardUnchanged {
		t.Errorf("of 304: %+v, %v", p, err)
	}
}

func TestExplainOfWhatIsKept(t *testing.T) {
	b := newBench(t, ruled(), deltas())
	b.take(`{"items":[{"id":1},{"id":2}]}`)
	p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1}]}`))
	want := []differ.Explained{{Key: "1", Guard: differ.GuardUnchanged}, {Key: "2", Guard: differ.GuardKept}}
	if diff := cmp.Diff(want, p.Others); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// An explanation is bounded, changed items are not.
func TestExplainIsBounded(t *testing.T) {
	b := newBench(t, ruled(), listed)
	b.take(list(3000, 0, 0))
	p, err := b.differ.Preview(t.Context(), b.answer(list(3000, 1200, 1)))
	if err != nil || len(p.Changes) != 1200 || len(p.Others) != 1000 || p.More != 800 {
		t.Errorf("%d, %d, %d, %v", len(p.Changes), len(p.Others), p.More, err)
	}
}

func TestExplainOfAWatchKeyThatIsNotInTheAnswer(t *testing.T) {
	s := ruled()
	s.Watch.ID = "w"
	b := newBench(t, s, listed)
	a := b.answer(`{"items":[{"id":1,"w":"x"}]}`)
	a.Keys = []string{"x", "y"}
	p, err := b.differ.Preview(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := []differ.Explained{
		{Watch: "x", Key: "1", Guard: differ.GuardBaseline},
		{Watch: "y", Guard: differ.GuardUnknown, Detail: "the answer has nothing of this watch key"},
	}
	if diff := cmp.Diff(want, p.Others); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A watch key that is polled no more keeps no other from telling.
func TestARetiredKeyDoesNotSilenceAFailingRule(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s := ruled(rule("high", differ.RuleSettings{When: "new.v > 5"}))
		s.Watch.Until = "new.done == true"
		b := newBench(t, s, differ.ResponseSettings{})
		b.options.Alerts = []string{"ops"}
		b.restart()
		next := func(key, body string) int {
			t.Helper()
			a := b.answer(body)
			a.Keys = []string{key}
			if err := b.differ.Take(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			return len(b.alerts())
		}
		told := []int{
			next("x", `{"v":1}`), next("y", `{"v":1}`), next("z", `{"v":1}`),
			next("x", `{"v":"?"}`), next("y", `{"v":"?"}`), next("x", `{"v":"?","done":true}`),
		}
		if restarted {
			b.restart()
		}
		told = append(told, next("y", `{"v":"!"}`), next("z", `{"v":"!"}`))
		if want := []int{0, 0, 0, 1, 0, 0, 1, 0}; !slices.Equal(told, want) {
			t.Errorf("restarted %t: alerts %v, want %v", restarted, told, want)
		}
	}
}

// A rule that fails for an item that did not change is told of too, once.
func TestARuleThatFailsWithoutAChangeIsTold(t *testing.T) {
	s := ruled(rule("fell", entering(`pct(window("v", "2m").first, new.v) < 0`)))
	s.Changes.History = history("v", time.Hour)
	b := newBench(t, s, listed)
	b.options.Alerts = []string{"ops"}
	b.restart()
	b.expect(one(5))
	b.expect(one(0), "fell 1@1")
	b.expect(one(0), "rule.failing @0") // by now it is a change from 0
	b.expect(one(0))
	b.end(t)
	b.restart()
	b.expect(one(0))
	if e := b.last(); e.Revision != 0 || string(e.Data) == "" {
		t.Errorf("told %+v", e)
	}
}
