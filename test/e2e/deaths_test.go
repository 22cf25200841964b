package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// TestDeadLettersByDeath asks, as the runbooks say, for what died lately: of a
// letter that had waited before, by commands, over the admin address, on the
// page and of a replay.
func TestDeadLettersByDeath(t *testing.T) {
	t.Parallel()
	api, set, _ := values(t, worth(1, 1))
	hooks, dir := newReceiver(t, func(delivery) int { return http.StatusServiceUnavailable }), t.TempDir()
	write(t, dir, "deltahook.yaml", endpointHook(hooks, "retry: {schedule: [1s]}", listSource(api)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(1, 2))
	var one emitter.DeliveryRecord
	d.until(t, "it is dead", func() bool {
		all := deliveriesOf(t, d, "hook")
		if len(all) == 1 {
			one = all[0]
		}
		return one.State == emitter.Dead
	})
	for what, c := range map[string]struct {
		since time.Time
		want  int
	}{
		"since it was queued": {one.Queued.Add(time.Nanosecond), 1},
		"since it died":       {one.Settled.Add(time.Nanosecond), 0},
	} {
		since := c.since.Format(time.RFC3339Nano)
		if got := listed[emitter.DeliveryPage](t, dir, "deliveries", "--dead", "--since", since).Deliveries; len(got) != c.want {
			t.Errorf("%s: the command lists %d, want %d", what, len(got), c.want)
		}
		if got := listed[emitter.ReplayJob](t, dir, "replay", "--endpoint", "hook", "--since", since, "--dry-run").Replayed.Replayed; got != c.want {
			t.Errorf("%s: a replay would put %d back, want %d", what, got, c.want)
		}
		words := "since=" + url.QueryEscape(since)
		if got := gotten[emitter.DeliveryPage](t, d, "/api/v1/deliveries?state=dead&"+words).Deliveries; len(got) != c.want {
			t.Errorf("%s: the admin address lists %d, want %d", what, len(got), c.want)
		}
		if status, page := d.get(t, "/dead?"+words); status != http.StatusOK || strings.Count(page, `name="delivery"`) != c.want {
			t.Errorf("%s: the page is %d, and lists %d, want %d", what, status, strings.Count(page, `name="delivery"`), c.want)
		}
	}
	if _, out, _ := deltahook(t, dir, "deliveries", "--dead"); !strings.Contains(out, "DIED") || !strings.Contains(out, one.Settled.UTC().Format(time.RFC3339)) {
		t.Errorf("the command does not say when it died:\n%s", out)
	}
	d.stop(t)
}
