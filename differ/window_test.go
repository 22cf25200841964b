package differ_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

// TestFallIsToldOnce has a price fall by five per cent in a day: told once, and
// again only when it has stood for a day and falls anew, over restarts.
func TestFallIsToldOnce(t *testing.T) {
	rules := ordered.Map[differ.RuleSettings]{{Key: "fell", Value: differ.RuleSettings{
		On: []string{"created", "updated"}, When: `pct(window("p", "24h").max, new.p) <= -5`, Trigger: "enter",
	}}}
	h := newHistorian(t, differ.Settings{Events: rules, Changes: differ.ChangeSettings{History: history("p", day)}}, listed)
	play := func(after time.Duration, price string, want ...string) {
		t.Helper()
		h.at(h.received.Add(after), `{"items":[{"id":"X","p":"`+price+`"}]}`)
		equal(t, "events at "+price, h.events(), want)
	}
	play(0, "100.00")
	play(time.Minute, "104")
	play(time.Hour, "99")
	h.restart()
	play(time.Hour, "98.8", "fell X@3")
	play(time.Minute, "98.7")
	play(time.Minute, "103")
	play(time.Minute, "98.6", "fell X@6") // it had turned false between
	h.restart()
	for range 24 {
		play(time.Hour, "98.6") // it stands, and the high is out of the window at last
	}
	play(time.Hour, "98.5")
	play(time.Hour, "93.6", "fell X@8")
}

// TestPreviewSeesTheWindow holds that a dry run evaluates a rule over the stored
// samples, and leaves them.
func TestPreviewSeesTheWindow(t *testing.T) {
	rules := ordered.Map[differ.RuleSettings]{{Key: "fell", Value: differ.RuleSettings{When: `pct(window("p", "1d").max, new.p) <= -5`}}}
	b := newBench(t, differ.Settings{Events: rules, Changes: differ.ChangeSettings{History: history("p", day)}}, listed)
	b.expect(`{"items":[{"id":1,"p":100}]}`)
	b.expect(`{"items":[{"id":1,"p":96}]}`)
	for range 2 {
		b.restart() // as a command does, on what is stored
		p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"p":95}]}`))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "events", len(p.Events), 1)
	}
	b.expect(`{"items":[{"id":1,"p":95.1}]}`)
	b.expect(`{"items":[{"id":1,"p":95}]}`, "fell 1@3")
}

func TestWindowIsCheckedAtLoad(t *testing.T) {
	for when, want := range map[string]string{
		`window("pirce", "1h").max > 1`:                    `column 8: window: no history is kept of "pirce" (did you mean "price"?): changes.history names the fields`,
		`window("price", "2d").max > 1`:                    `column 17: window: 2d is longer than the history of "price", which is 1d`,
		`("price" | window("25h")).max > 1`:                `column 19: window: 1d1h is longer than the history of "price", which is 1d`,
		`window("price", "soon").max > 1`:                  `column 17: window: "soon" is not a duration such as 30s, 5m, 2h or 7d`,
		`window("price", "0").max > 1`:                     `column 17: window: expected a duration that is more than 0`,
		`window("price", "1h").maxx > 1`:                   `column 23: unknown field "maxx" (did you mean "max"?)`,
		`window("price").max > 1`:                          `column 1: not enough arguments to call window`,
		`window(key, "1h").count > 1`:                      "",
		`window("price", key).avg > 1`:                     "",
		`pct(window("price", "24h").max, new.price) <= -5`: "",
	} {
		r := listed
		r.Pick = ordered.Map[string]{{Key: "price", Value: "p"}}
		_, err := differ.NewSource("s", differ.Settings{
			Changes: differ.ChangeSettings{History: history("price", day)},
			Events:  ordered.Map[differ.RuleSettings]{{Key: "e", Value: differ.RuleSettings{When: when}}},
		}, r, nil)
		got := ""
		if err != nil {
			_, got, _ = strings.Cut(err.Error(), "[events e when]: ")
		}
		equal(t, when, got, want)
	}
}

// TestWindowAtRunTime has what shows only then be a rule's error.
func TestWindowAtRunTime(t *testing.T) {
	for when, want := range map[string]string{
		`window(new.f, "1h").count > 0`:      `no history is kept of "x"`,
		`window("p", new.d).count > 0`:       `2d is longer than the history of "p"`,
		`window("p", "1h").max > 0`:          `nil > int`,
		`pct(window("p", "1h").max, 3) < -5`: `pct: a number was expected, not nil`,
	} {
		rules := ordered.Map[differ.RuleSettings]{{Key: "e", Value: differ.RuleSettings{When: when}}}
		b := newBench(t, differ.Settings{Events: rules, Changes: differ.ChangeSettings{History: history("p", day)}}, listed)
		b.expect(`{"items":[]}`)
		p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"f":"x","d":"2d"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if said := p.Changes[0].Rules[0].Error; !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", when, said, want)
		}
	}
}
