package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/deltahook/deltahook/emitter"
)

// TestRetention has the daemon remove what is past each of the three ages, soon
// after a start, and nothing else.
func TestRetention(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, worth(1, 1))
	hooks, refusing := newReceiver(t, nil), newReceiver(t, func(delivery) int { return http.StatusBadRequest })
	config := func(retention string) string {
		return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
log: {level: debug}
%s
egress: {endpoints: {allow: [127.0.0.0/8]}}
endpoints:
  hook: {url: "%s", secrets: [%s]}
  grave: {url: "%s", secrets: [%s]}
sources:%s
    events:
      s.taken: {on: [updated], to: [hook]}
      s.lost: {on: [updated], to: [grave]}
`, retention, hooks.URL, whsec, refusing.URL, whsec, listSource(url))
	}
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", config(""))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(1, 2))
	for endpoint, state := range map[string]emitter.State{"hook": emitter.Delivered, "grave": emitter.Dead} {
		d.until(t, endpoint+" has one that is "+string(state), func() bool {
			all := deliveriesOf(t, d, endpoint)
			return len(all) == 1 && all[0].State == state
		})
	}
	equalLeft(t, "before", leftOf(t, d), left{Taken: "1 delivered, 1 attempts", Lost: "1 dead, 1 attempts"})
	d.stop(t)
	store, err := os.ReadFile(filepath.Join(dir, "deltahook.db"))
	if err != nil {
		t.Fatal(err)
	}

	// When the process sweeps, everything is older than these.
	for age, want := range map[string]left{
		"events":   {Lost: "1 dead, 1 attempts"},
		"attempts": {Taken: "1 delivered, 0 attempts", Lost: "1 dead, 0 attempts"},
		"dead":     {Taken: "1 delivered, 1 attempts", Lost: "0"},
	} {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "deltahook.db", string(store))
			write(t, dir, "deltahook.yaml", config("retention: {"+age+": 1s}"))
			d := start(t, binary(t), dir, "run")
			d.says(t, d.stderr, `msg="removed what was past its retention"`)
			equalLeft(t, "after", leftOf(t, d), want)
			d.stop(t)
		})
	}
}

// left is what is known of the two events; "": nothing.
type left struct{ Taken, Lost string }

func leftOf(t *testing.T, d *process) (all left) {
	t.Helper()
	for _, e := range gotten[emitter.EventPage](t, d, "/api/v1/events").Events {
		to := map[string]*string{"s.taken": &all.Taken, "s.lost": &all.Lost}[e.Type]
		if *to = fmt.Sprint(len(e.Deliveries)); len(e.Deliveries) == 0 {
			continue
		}
		first := e.Deliveries[0]
		tried := gotten[emitter.AttemptPage](t, d, fmt.Sprintf("/api/v1/deliveries/%d/attempts", first.Number)).Attempts
		*to += fmt.Sprintf(" %s, %d attempts", first.State, len(tried))
	}
	return all
}

func equalLeft(t *testing.T, when string, got, want left) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %+v, want %+v", when, got, want)
	}
}
