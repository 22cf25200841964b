package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rule that remembers tells once, over kills and over edits of the
// configuration, and a dry run says why it is silent.
func TestRulesRememberOverKills(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	rules := func(schedule, text string) {
		write(t, dir, "deltahook.yaml", configured(hooks, oneSource(a.URL, schedule)+`
    response: {items: list, id: id}
    events:
`+text))
	}
	const high = "      high: {when: new.v > 5, trigger: enter}\n"
	const calm = "      calm: {on: [updated], cooldown: 1h}\n"
	rules("@every 1s", high+calm)
	d := start(t, binary(t), dir, "run")
	killed := func() {
		d.kill()
		a.gone(t)
	}

	// answers plays an answer to a daemon, and kills it once that is taken in.
	told := 0
	answers := func(text string, want ...string) {
		t.Helper()
		a.play(t, body([]byte(text)))
		a.settled(t)
		var got []string
		for range want {
			got = append(got, line(t, hooks.next(t)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s told (-want +got):\n%s", text, diff)
		}
		told += len(want)
		d.idle(t)
		killed()
		d = start(t, binary(t), dir, "run")
	}
	answers(`{"list":[{"id":"a","v":1},{"id":"b","v":9}]}`)
	answers(`{"list":[{"id":"a","v":6},{"id":"b","v":9}]}`,
		`high a 1 {"id":"a","v":1} -> {"id":"a","v":6}`, `calm a 1 {"id":"a","v":1} -> {"id":"a","v":6}`)
	answers(`{"list":[{"id":"a","v":7},{"id":"b","v":8}]}`, `calm b 1 {"id":"b","v":9} -> {"id":"b","v":8}`)
	killed()

	// A new rule holds for both already. Of what is there, nothing is told; and
	// another schedule moves nothing.
	rules("* * * * * *", high+calm+"      there: {when: new.v > 0, trigger: enter}\n")
	poll := start(t, binary(t), dir, "poll", "s", "-o", "json")
	a.play(t, body([]byte(`{"list":[{"id":"a","v":8},{"id":"b","v":2}]}`)))
	if status := poll.exit(t, patience); status != 0 {
		t.Fatalf("poll: status %d: %s", status, poll.stderr)
	}
	var doc struct {
		Items []struct {
			Key   string
			Rules []struct{ Rule, Verdict, Until string }
		}
	}
	if err := json.Unmarshal([]byte(poll.stdout.String()), &doc); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, item := range doc.Items {
		for _, r := range item.Rules {
			said = append(said, fmt.Sprintf("%s %s: %s, until %t", item.Key, r.Rule, r.Verdict, r.Until != ""))
		}
	}
	want := []string{
		"a high: entered, until false", "a calm: cooling, until true", "a there: entered, until false",
		"b high: false, until false", "b calm: cooling, until true", "b there: entered, until false",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("the dry run says (-want +got):\n%s", diff)
	}

	d = start(t, binary(t), dir, "run")
	answers(`{"list":[{"id":"a","v":8},{"id":"b","v":2},{"id":"c","v":1}]}`, `there c 1 null -> {"id":"c","v":1}`)
	answers(`{"list":[{"id":"a","v":8},{"id":"b","v":7},{"id":"c","v":1}]}`, `high b 3 {"id":"b","v":2} -> {"id":"b","v":7}`)
	killed()
	if n := len(hooks.attempts()); n != told {
		t.Errorf("%d webhooks came, want %d", n, told)
	}
}

// A rule that cannot be evaluated is told to whom alerts are, once.
func TestAFailingRuleAlerts(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(a.URL, "@every 1s")+`
    events: {s.high: {when: new.v > 5}}
alerts: {to: [hook]}
`))
	d := start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":1}`)))
	a.play(t, body([]byte(`{"v":"?"}`)))
	got := hooks.next(t)
	var said struct {
		Type string
		Data struct {
			Source, Rule, Error, Key string
			Count                    int
		}
	}
	if err := json.Unmarshal(got.Body, &said); err != nil {
		t.Fatal(err)
	}
	if data := said.Data; said.Type != "rule.failing" || data.Rule != "s.high" || data.Source != "s" || data.Key != "s" || data.Count != 1 || data.Error == "" {
		t.Errorf("told %s", got.Body)
	}
	a.settled(t)
	d.idle(t)
	d.kill()
	a.gone(t)
	d = start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":"!"}`)))
	a.settled(t)
	d.stop(t)
	if n := len(hooks.attempts()); n != 1 {
		t.Errorf("%d webhooks came, want 1", n)
	}
}
