package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// reminding is a source of meetings that tells of each half a second before it
// starts, and of nothing else.
func reminding(url, schedule, more string) string {
	return fmt.Sprintf(`
  calendar:
    schedule: "%s"
    timezone: Europe/Berlin
    request: {url: "%s"}
    response: {items: items, id: id, pick: {title: summary, start: start}}
    changes: {confirm_deletes: 1, max_deletes: 100%%}
    events:
      meeting.soon: {at: new.start, before: 500ms%s}
`, schedule, url, more)
}

// meeting is one of a calendar, its start as Google gives it.
func meeting(id string, start time.Time) string {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"id":%q,"summary":"S","start":{"dateTime":%q,"timeZone":"Europe/Berlin"}}`, id, start.In(berlin).Format("2006-01-02T15:04:05.000-07:00"))
}

// outlook is one as Microsoft Graph gives it.
func outlook(id string, start time.Time) string {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"id":%q,"summary":"S","start":{"dateTime":%q,"timeZone":"Pacific Standard Time"}}`, id, start.In(zone).Format("2006-01-02T15:04:05.0000000"))
}

func meetings(list ...string) string { return `{"items":[` + strings.Join(list, ",") + `]}` }

// A reminder comes at its time, from a silent first answer and without another
// poll; one that moves comes at the new time; a restart in between changes
// nothing, and poll says when it will be.
func TestReminder(t *testing.T) {
	t.Parallel()
	binary(t) // which takes its time
	soon := time.Now().Add(12 * time.Second).Truncate(time.Millisecond)
	url, set, polls := values(t, meetings(meeting("a", soon), outlook("b", soon), meeting("c", soon.Add(time.Hour))))
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, reminding(url, "@yearly", "")))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	asked := polls.Load()
	d.stop(t)
	d = start(t, binary(t), dir, "run")
	told := map[string]bool{}
	for range 2 {
		got := hooks.next(t)
		late := time.Since(soon.Add(-500 * time.Millisecond))
		if got.Type != "meeting.soon" || got.Data.Change != "due" || got.Data.Revision != 0 || got.Data.Old != nil ||
			!got.Time.Equal(soon.Add(-500*time.Millisecond)) || got.Data.New["title"] != "S" {
			t.Errorf("told %s", got.Body)
		}
		if late < 0 || late > 10*time.Second {
			t.Errorf("%s was told %s after it was due", got.Data.Key, late)
		}
		told[got.Data.Key] = true
	}
	if !told["a"] || !told["b"] || polls.Load() != asked {
		t.Errorf("told of %v, and asked %d times more", told, polls.Load()-asked)
	}
	d.until(t, "two times are counted", func() bool { return d.metric(t, "deltahook_timers_total", `result="told"`) == 2 })

	// c moves to now: the poll that sees it says so, and tells at once.
	later := time.Now().Add(2 * time.Hour)
	set(meetings(meeting("a", soon), outlook("b", soon), meeting("c", time.Now().Add(-time.Minute)), meeting("d", later)))
	status, stdout, stderr := deltahook(t, dir, "poll", "calendar")
	if status != 0 || !strings.Contains(stdout, "waits for its time, "+later.Add(-500*time.Millisecond).UTC().Format("2006-01-02T15:")) {
		t.Errorf("poll: status %d, %s%s", status, stdout, stderr)
	}
	d.stop(t)
	write(t, dir, "deltahook.yaml", configured(hooks, reminding(url, "@every 1s", "")))
	d = start(t, binary(t), dir, "run")
	if got := hooks.next(t); got.Data.Key != "c" || got.Data.Revision != 1 {
		t.Errorf("told %s", got.Body)
	}
	d.stop(t)
	if n := len(hooks.attempts()); n != 3 {
		t.Errorf("%d webhooks came, want 3", n)
	}
}

// The process is killed around the times at which reminders are due. Each is
// told, and under one id.
func TestKillAroundReminders(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the seed was %d", seed)
		}
	})
	const each = 40 // a meeting each 40 ms
	rounds := 12
	if testing.Short() {
		rounds = 6
	}
	plainBinary(t) // which takes its time
	begun := time.Now().Add(6 * time.Second).Truncate(time.Millisecond)
	var list []string
	last := rounds * 20
	for i := range last {
		list = append(list, meeting(fmt.Sprint("m", i), begun.Add(time.Duration(i*each)*time.Millisecond)))
	}
	url, _, _ := values(t, meetings(list...))
	var mu sync.Mutex
	ids := map[string]map[string]bool{} // by key
	hooks := newReceiver(t, func(d delivery) int {
		mu.Lock()
		defer mu.Unlock()
		if ids[d.Data.Key] == nil {
			ids[d.Data.Key] = map[string]bool{}
		}
		ids[d.Data.Key][d.ID] = true
		return 200
	})
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, reminding(url, "@every 1s", "")))
	d := launch(t, dir, 0)
	d.says(t, d.stderr, "first answer remembered")
	kills := 0
	for time.Now().Before(begun.Add(time.Duration(last*each) * time.Millisecond)) {
		<-time.After(100*time.Millisecond + time.Duration(rng.IntN(700))*time.Millisecond)
		d.kill()
		kills++
		d = launch(t, dir, kills)
	}
	t.Cleanup(d.kill)
	deadline := time.Now().Add(patience)
	for {
		mu.Lock()
		n := len(ids)
		mu.Unlock()
		if n == last || time.Now().After(deadline) {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	<-time.After(2 * time.Second) // what comes twice comes now
	mu.Lock()
	defer mu.Unlock()
	for i := range last {
		if key := fmt.Sprint("m", i); len(ids[key]) != 1 {
			t.Errorf("%s was told under %d ids, want 1", key, len(ids[key]))
		}
	}
	t.Logf("%d kills over %d reminders", kills, last)
}

// A source that has been quiet for too long is told of once, and its end too.
func TestQuiet(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s"}
    changes: {expect_within: 3s}
    events: {never: {when: "false"}}
alerts: {to: [hook]}
`, url)))
	d := start(t, binary(t), dir, "run")
	seen := map[string]bool{}
	next := func(kind string) {
		t.Helper()
		got := hooks.next(t)
		for seen[got.ID] { // the process was killed before it knew that it was taken
			got = hooks.next(t)
		}
		seen[got.ID] = true
		var data struct {
			Data struct {
				Source, Since string
				ExpectWithin  string    `json:"expect_within"`
				LastChange    time.Time `json:"last_change"`
			}
		}
		if err := json.Unmarshal(got.Body, &data); err != nil || got.Type != kind || data.Data.Source != "s" || data.Data.ExpectWithin != "3s" || data.Data.LastChange.IsZero() {
			t.Errorf("told %s, want %s (%v)", got.Body, kind, err)
		}
	}
	next("source.quiet")
	d.signal(t, syscall.SIGKILL)
	d.exit(t, patience)
	d = start(t, binary(t), dir, "run")
	<-time.After(4 * time.Second)
	for _, got := range hooks.attempts() {
		if !seen[got.ID] {
			t.Errorf("told again: %s", got.Body)
		}
	}
	set(`{"v":2}`)
	next("source.active")
	next("source.quiet")
	d.stop(t)
}
