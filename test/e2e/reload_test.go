package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reloads has the daemon of a folder reload, which must succeed, and gives what
// it says.
func reloads(tb testing.TB, dir string) string {
	tb.Helper()
	status, stdout, stderr := deltahook(tb, dir, "reload")
	if status != 0 {
		tb.Fatalf("reload: status %d, %s%s", status, stdout, stderr)
	}
	return stdout
}

// named is a source of a name.
func named(name, url string, more ...string) string {
	return fmt.Sprintf("\n  %s: {schedule: \"@every 1s\", request: {url: \"%s\", timeout: 60s}%s}", name, url, strings.Join(append([]string{""}, more...), ", "))
}

// unwatched is a configuration that is read anew only when that is asked for.
func unwatched(hooks *receiver, sources string) string {
	return "reload: {watch: false}" + configured(hooks, sources)
}

// At a reload sources come, go and become others while a poll and an attempt are
// under way: those of what is the same end as they began, and nothing is told
// twice or forgotten.
func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	slow := newAPI(t)
	release, entered := make(chan struct{}), make(chan delivery, 100)
	hooks := newReceiver(t, func(d delivery) int {
		if d.Data.Source == "touched" {
			entered <- d
			<-release
		}
		return http.StatusOK
	})
	gone, setGone, gonePolls := values(t, `{"v":1}`)
	touched, setTouched, _ := values(t, `{"v":1}`)
	elsewhere, setElsewhere, _ := values(t, `{"v":2}`)
	fresh, setFresh, _ := values(t, `{"v":1}`)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", lasting(unwatched(hooks, named("same", slow.URL)+named("gone", gone)+named("touched", touched))))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, `first answer remembered.* source=gone`)
	d.says(t, d.stderr, `first answer remembered.* source=touched`)
	slow.play(t, body([]byte(`{"v":1}`)))
	slow.settled(t) // and the next poll waits for its answer
	setTouched(`{"v":2}`)
	attempt := <-entered

	write(t, dir, "deltahook.yaml", lasting(unwatched(hooks, named("same", slow.URL)+named("touched", elsewhere)+named("fresh", fresh))))
	d.signal(t, syscall.SIGHUP)
	d.says(t, d.stderr, `msg=reloaded .*sources_added=1 sources_removed=1 sources_changed=1`)
	d.says(t, d.stderr, `first answer remembered.* source=fresh`)
	stopped := gonePolls.Load() // what was sent before it went has arrived
	setGone(`{"v":2}`)
	slow.play(t, body([]byte(`{"v":2}`))) // the poll that was under way
	setFresh(`{"v":2}`)
	got := map[string]bool{line(t, hooks.next(t)): true, line(t, hooks.next(t)): true}
	for _, want := range []string{`same.updated same 1 {"v":1} -> {"v":2}`, `fresh.updated fresh 1 {"v":1} -> {"v":2}`} {
		if !got[want] {
			t.Errorf("told %v, want %s", got, want)
		}
	}
	setElsewhere(`{"v":3}`)
	close(release)
	if now := hooks.next(t); now.ID != attempt.ID {
		t.Errorf("the attempt that was under way was %s, and %s arrived", attempt.ID, now.ID)
	}
	if got, want := line(t, hooks.next(t)), `touched.updated touched 2 {"v":2} -> {"v":3}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if n := gonePolls.Load(); n > stopped {
		t.Errorf("%d polls of a source that is gone", n-stopped)
	}
	for _, name := range []string{"deltahook_items", "deltahook_polls_total"} {
		if n := d.metric(t, name, `source="gone"`); n != 0 {
			t.Errorf("%s of what is gone is %v", name, n)
		}
	}
	if n := len(hooks.attempts()); n != 4 {
		t.Errorf("%d webhooks came, want 4", n)
	}

	// What is back goes on from what was remembered.
	write(t, dir, "deltahook.yaml", lasting(unwatched(hooks, named("gone", gone))))
	if said, want := reloads(t, dir), "sources added: gone\nsources removed: fresh, same, touched\nreloaded\n"; said != want {
		t.Errorf("reload says %q, want %q", said, want)
	}
	d.says(t, d.stderr, `msg=reloaded changes="sources added: gone; sources removed: fresh, same, touched"`)
	if got, want := line(t, hooks.next(t)), `gone.updated gone 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	slow.gone(t)
	d.stop(t)
}

// A faulty configuration changes nothing, and is told: to who asked, in the log,
// and by the metrics. So is one that needs a restart.
func TestReloadOfFaults(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	good := unwatched(hooks, named("s", url))
	write(t, dir, "deltahook.yaml", good)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	if d.metric(t, "deltahook_config_last_reload_successful") != 1 || d.metric(t, "deltahook_config_last_reload_success_timestamp_seconds") == 0 {
		t.Error("what it started with does not count as successful")
	}
	for name, c := range map[string]struct{ text, want string }{
		"a schedule": {strings.Replace(good, "@every 1s", "@every 0s", 1), "sources.s.schedule"},
		"syntax":     {good + "\n{[", "deltahook.yaml:"},
		"the store":  {"store: other.db\n" + good, "store: takes effect at a start only"},
		"a number":   {strings.Replace(good, "127.0.0.1:0", "127.0.0.1:1", 1), "server.listen: takes effect at a start only"},
		"the log":    {"log: {format: json}\n" + good, "log.format: takes effect at a start only"},
		"traces":     {"tracing: {endpoint: 'http://127.0.0.1:1'}\n" + good, "tracing: takes effect at a start only"},
	} {
		write(t, dir, "deltahook.yaml", c.text)
		status, stdout, stderr := deltahook(t, dir, "reload")
		if name == "the store" { // who has another store in mind finds no daemon
			d.signal(t, syscall.SIGHUP)
			d.says(t, d.stderr, c.want)
			continue
		}
		if status != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %q %q, want 2 and %q", name, status, stdout, stderr, c.want)
		}
		d.says(t, d.stderr, `level=ERROR msg="the configuration is faulty: the one before runs on" err=.*`+c.want)
		if n := d.metric(t, "deltahook_config_last_reload_successful"); n != 0 {
			t.Errorf("%s: the metric says %v", name, n)
		}
	}
	set(`{"v":2}`)
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	write(t, dir, "deltahook.yaml", good)
	status, stdout, _ := deltahook(t, dir, "reload", "-o", "json")
	var done struct {
		Sources struct{ Added []string }
	}
	if err := json.Unmarshal([]byte(stdout), &done); err != nil || status != 0 || done.Sources.Added == nil {
		t.Errorf("status %d, %s: %v", status, stdout, err)
	}
	if n := d.metric(t, "deltahook_config_last_reload_successful"); n != 1 {
		t.Errorf("when it is mended the metric says %v", n)
	}
	d.stop(t)
	if status, _, stderr := deltahook(t, dir, "reload"); status != 1 || !strings.Contains(stderr, "no daemon runs") {
		t.Errorf("without a daemon: status %d, %s", status, stderr)
	}
}

// A folder that Kubernetes exchanges by a link is read anew by itself; so are a
// file that an editor renames into place, and a value's file. One that is faulty
// changes nothing.
func TestReloadByItself(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	other, setOther, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "_tmp"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	put := func(version, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version), "deltahook.yaml", text)
		link(version, "..data")
	}
	base := "store: " + filepath.Join(dir, "state.db") + configured(hooks, named("s", url))
	put("..1", base)
	link("..data/deltahook.yaml", "deltahook.yaml")
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	put("..2", base+named("other", other))
	d.says(t, d.stderr, `first answer remembered.* source=other`)
	put("..3", base+named("other", other)+"\n  bad: {}")
	d.says(t, d.stderr, `level=ERROR msg="the configuration is faulty.*sources.bad`)
	setOther(`{"v":2}`)
	if got, want := line(t, hooks.next(t)), `other.updated other 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	put("..4", base+named("more", other))
	d.says(t, d.stderr, `first answer remembered.* source=more`)
	// An editor: another file takes the place of the link.
	write(t, dir, "deltahook.yaml.swp", base+named("edited", other, `response: {ignore: ["${file:ignored}"]}`))
	write(t, dir, "ignored", "w")
	if err := os.Rename(filepath.Join(dir, "deltahook.yaml.swp"), filepath.Join(dir, "deltahook.yaml")); err != nil {
		t.Fatal(err)
	}
	d.says(t, d.stderr, `first answer remembered.* source=edited`)
	before := strings.Count(d.stderr.String(), "msg=reloaded")
	write(t, dir, "ignored", "v")
	d.says(t, d.stderr, fmt.Sprintf(`(?s)(msg=reloaded.*){%d}`, before+1))
	set(`{"v":2}`)
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	d.stop(t)
}

// A source that gets another name keeps its baseline and its numbers, and what
// waits of it comes before what is told under the new one.
func TestReloadRenames(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	var taking atomic.Bool
	hooks := newReceiver(t, func(delivery) int {
		if taking.Load() {
			return http.StatusOK
		}
		return http.StatusServiceUnavailable
	})
	dir := t.TempDir()
	config := func(source string) string {
		return strings.Replace(unwatched(hooks, source), "[1s, 1s, 1s, 1s]", "["+strings.Repeat("1s, ", 30)+"1s]", 1)
	}
	write(t, dir, "deltahook.yaml", config(named("old", url)))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	d.says(t, d.stderr, `endpoint fails`)
	write(t, dir, "deltahook.yaml", config(named("new", url, "was: old")))
	if said, want := reloads(t, dir), "sources renamed: old → new\nreloaded\n"; said != want {
		t.Errorf("reload says %q, want %q", said, want)
	}
	set(`{"v":3}`)
	for d.metric(t, "deltahook_deliveries_waiting") < 2 {
		time.Sleep(50 * time.Millisecond)
	}
	taking.Store(true)
	for _, want := range []string{`old.updated old 1 {"v":1} -> {"v":2}`, `new.updated old 2 {"v":2} -> {"v":3}`} {
		if got := line(t, hooks.next(t)); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	d.stop(t)

	// At a start it is the same, and what is said of before is no fault.
	write(t, dir, "deltahook.yaml", config(named("newest", url, "was: new")))
	d = start(t, binary(t), dir, "run")
	set(`{"v":4}`)
	if got, want := line(t, hooks.next(t)), `newest.updated old 3 {"v":3} -> {"v":4}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	d.stop(t)
}

// A kill at any moment of a reload that gives a source another name loses
// nothing of what is remembered.
func TestReloadKilled(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":0}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	last := ""
	write(t, dir, "deltahook.yaml", unwatched(hooks, named("s0", url)))
	d := start(t, plainBinary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	for i := 1; i <= rounds; i++ {
		write(t, dir, "deltahook.yaml", unwatched(hooks, named(fmt.Sprintf("s%d", i), url, fmt.Sprintf("was: s%d", i-1))))
		d.signal(t, syscall.SIGHUP)
		time.Sleep(time.Duration(i*i%13) * 2 * time.Millisecond)
		d.kill()
		set(fmt.Sprintf(`{"v":%d}`, i))
		d = start(t, plainBinary(t), dir, "run")
		d.Addr(t)
		want := fmt.Sprintf(`s%[2]d.updated s0 %[2]d {"v":%[1]d} -> {"v":%[2]d}`, i-1, i)
		now := hooks.next(t)
		for now.ID == last { // that it arrived was not stored before the kill
			now = hooks.next(t)
		}
		if got := line(t, now); got != want {
			t.Fatalf("told %s, want %s", got, want)
		}
		last = now.ID
	}
	d.stop(t)
}
