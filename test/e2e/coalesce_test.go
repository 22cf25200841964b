package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deltahook/deltahook/emitter"
)

// TestCoalesce has items change while an endpoint gets nothing: each comes as
// one event. What was tried when the receiver was down keeps its id and body.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	hooks := newReceiver(t, func(delivery) int {
		if down.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	url, set, _ := values(t, worth(2, 0))
	dir := t.TempDir()
	config := endpointHook(hooks, "coalesce: true, retry: {schedule: ["+strings.Repeat("1s, ", 60)+"1s]}", listSource(url))
	config = strings.Replace(config, "egress:", fmt.Sprintf(`  note:
    {url: "%s/note", secrets: [%s], coalesce: true, format: custom, json: {type: note, data: {key: "{{ key }}", old: {v: "{{ old.v }}"}, new: {v: "{{ new.v }}"}, change: "{{ changed('v') ? 'moved' : 'stayed' }}"}}}
egress:`, hooks.URL, whsec), 1)
	write(t, dir, "deltahook.yaml", config)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	do := func(args ...string) {
		t.Helper()
		if status, out, stderr := deltahook(t, dir, args...); status != 0 {
			t.Fatalf("%v: status %d, %s%s", args, status, out, stderr)
		}
	}
	superseded := func() []emitter.DeliveryRecord {
		return listed[emitter.DeliveryPage](t, dir, "deliveries", "--state", "superseded", "--endpoint", "hook").Deliveries
	}
	// waits reports whether revision v of the first item is the last one that is
	// told to hook, and another one took the place of so many.
	waits := func(v uint64, superseded int) bool {
		var last uint64
		for _, one := range deliveriesOf(t, d, "hook") {
			if one.State == emitter.StateSuperseded {
				superseded--
			}
			if one.Event.Key == "1" {
				last = max(last, one.Event.Revision)
			}
		}
		return last == v && superseded == 0
	}
	do("pause", "hook")
	do("pause", "note")
	for v := 1; v <= 5; v++ {
		set(worth(2, v))
		d.until(t, "the changes wait", func() bool { return waits(uint64(v), 2*(v-1)) })
	}
	if n := endpointStatus(t, dir, "hook").Waiting; n != 2 {
		t.Fatalf("%d wait, want 2", n)
	}
	if got := len(hooks.attempts()); got != 0 {
		t.Fatalf("%d attempts while all is paused", got)
	}
	for _, name := range []string{"hook", "note"} {
		do("resume", name)
		for range 2 {
			got := hooks.next(t)
			was, now := fmt.Sprint(got.Data.Old["v"]), fmt.Sprint(got.Data.New["v"])
			if was != "0" || now != "5" || name == "hook" && got.Data.Revision != 5 || name == "note" && got.Data.Change != "moved" {
				t.Errorf("%s got %s", name, got.Body)
			}
		}
	}
	// Each says what took its place, up to the one that arrived.
	for _, s := range superseded() {
		if s.SupersededByEvent == "" || s.Attempts != 0 {
			t.Errorf("%+v", s)
		}
		for s.State == emitter.StateSuperseded {
			s = listed[emitter.DeliveryRecord](t, dir, "deliveries", "show", fmt.Sprint(s.SupersededBy))
		}
		if s.State != emitter.Delivered || s.Event.Revision != 5 {
			t.Errorf("in the end it was told by %+v", s)
		}
	}

	down.Store(true)
	tried := len(hooks.attempts())
	set(worth(1, 6)) // the other one is deleted
	d.until(t, "it was tried", func() bool { return len(hooks.attempts()) > tried })
	for v := 7; v <= 10; v++ {
		set(worth(1, v))
		d.until(t, "they wait", func() bool { return waits(uint64(v), 8+v-7) })
	}
	d.kill()
	down.Store(false)
	d = start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	var told []string
	for len(told) < 3 {
		if got := hooks.next(t); got.Type != "note" {
			told = append(told, fmt.Sprint(got.Data.Key, " ", got.Data.Change, " ", got.Data.Old["v"], "→", got.Data.New["v"]))
		}
	}
	for _, want := range []string{"1 updated 5→6", "1 updated 6→10", "2 deleted 5→<nil>"} {
		if !strings.Contains(strings.Join(told, "\n"), want) {
			t.Errorf("%s did not come: %q", want, told)
		}
	}
}
