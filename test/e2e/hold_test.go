package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// listing is an answer of items 1 to n.
func listing(n int) []byte {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d}`, i+1)
	}
	return fmt.Appendf(nil, `{"items":[%s]}`, strings.Join(items, ","))
}

// heldSource is a source s of items that is polled on command only.
func heldSource(url string) string {
	return fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response: {items: items, id: id}
`, url)
}

// TestHalfAnAnswer is what a user fears of an API, and what becomes of it: it
// is told that something is held, once, and nothing else, over a kill; the API
// recovers, and all is as it was. The next time it is true, and is released.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", "alerts: {to: [hook]}\n"+configured(hooks, heldSource(a.URL)))
	d := start(t, binary(t), dir, "run")
	held := func() {
		t.Helper()
		for range 4 { // two confirm, two more say the same
			a.play(t, body(listing(2)))
		}
		a.settled(t)
		got := hooks.next(t)
		var alert struct {
			Type string
			Data struct {
				Source, Reason         string
				Listed, Known, Deleted int
			}
		}
		if err := json.Unmarshal(got.Body, &alert); err != nil {
			t.Fatal(err)
		}
		if alert.Type != "changes.held" || alert.Data.Source != "s" || alert.Data.Known != 20 || alert.Data.Deleted != 18 {
			t.Fatalf("told %s", got.Body)
		}
	}
	a.play(t, body(listing(20)))
	held()
	d.idle(t)
	d.kill()
	a.gone(t)
	d = start(t, binary(t), dir, "run")
	a.play(t, body(listing(2)))
	a.settled(t)
	if status, out, _ := deltahook(t, dir, "holds"); status != 0 || !strings.Contains(out, "held") || !strings.Contains(out, "max_deletes") {
		t.Errorf("holds: status %d, %s", status, out)
	}
	a.play(t, body(listing(20)))
	a.settled(t)
	if _, out, _ := deltahook(t, dir, "holds"); out != "nothing is held\n" {
		t.Errorf("holds: %s", out)
	}
	if n := len(hooks.attempts()); n != 1 {
		t.Errorf("%d webhooks came, want the one that something is held", n)
	}

	held()
	if status, out, stderr := deltahook(t, dir, "release", "s"); status != 0 || !strings.Contains(out, "released") {
		t.Fatalf("release: status %d, %s%s", status, out, stderr)
	}
	a.play(t, body(listing(2)))
	a.settled(t)
	for range 18 {
		if got := line(t, hooks.next(t)); !strings.HasPrefix(got, "s.deleted ") {
			t.Errorf("told %s", got)
		}
	}
	status, _, stderr := deltahook(t, dir, "discard", "s")
	if status != 1 || !strings.Contains(stderr, "nothing is held") {
		t.Errorf("discard of nothing: status %d, %s", status, stderr)
	}
	d.stop(t)
	status, _, stderr = deltahook(t, dir, "holds")
	if status != 1 || !strings.Contains(stderr, "no daemon runs") {
		t.Errorf("holds without a daemon: status %d, %s", status, stderr)
	}
}

// TestReleaseDoesNotWaitForTheSchedule: who releases sees what follows.
func TestReleaseDoesNotWaitForTheSchedule(t *testing.T) {
	t.Parallel()
	url, set, polls := values(t, string(listing(20)))
	hooks, dir := newReceiver(t, nil), t.TempDir()
	source := strings.Replace(heldSource(url), "@every 1s", "@daily", 1) + "    changes: {confirm_deletes: 1}\n"
	write(t, dir, "deltahook.yaml", configured(hooks, source))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(string(listing(1)))
	d.stop(t)
	write(t, dir, "deltahook.yaml", configured(hooks, strings.Replace(source, "@daily", "@every 1s", 1)))
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "an answer is held")
	d.stop(t)
	write(t, dir, "deltahook.yaml", configured(hooks, source))
	before := polls.Load()
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	if status, out, stderr := deltahook(t, dir, "release", "s", "--silently"); status != 0 {
		t.Fatalf("release: status %d, %s%s", status, out, stderr)
	}
	d.says(t, d.stderr, `nothing is held any more: an answer was taken in.* decision=released_silently`)
	if polls.Load() == before {
		t.Error("it was not polled")
	}
	if n := d.metric(t, "deltahook_events_total"); n != 0 || len(hooks.attempts()) != 0 {
		t.Errorf("%v events of a silent release, and %d webhooks came", n, len(hooks.attempts()))
	}
	if status, _, stderr := deltahook(t, dir, "release", "nobody"); status != 1 || !strings.Contains(stderr, "nobody") {
		t.Errorf("release of nobody: status %d, %s", status, stderr)
	}
}
