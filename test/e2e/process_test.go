package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// values is an API whose one answer is what was set last. It never waits.
func values(tb testing.TB, first string) (url string, set func(string), polls *atomic.Int64) {
	tb.Helper()
	var now atomic.Value
	now.Store(first)
	polls = new(atomic.Int64)
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		polls.Add(1)
		body([]byte(now.Load().(string)))(w, r)
	})
	tb.Cleanup(server.Close)
	return server.URL, func(text string) { now.Store(text) }, polls
}

// deltahook runs a command to its end.
func deltahook(tb testing.TB, dir string, args ...string) (status int, stdout, stderr string) {
	tb.Helper()
	p := start(tb, binary(tb), dir, args...)
	status = p.exit(tb, patience)
	return status, p.stdout.String(), p.stderr.String()
}

// oneSource is a source s with this schedule.
func oneSource(url, schedule string) string {
	return fmt.Sprintf(`
  s:
    schedule: "%s"
    request: {url: "%s", timeout: 60s}
`, schedule, url)
}

// A poll and an attempt that are under way at SIGTERM end well, and what the
// poll found is told after the next start at the latest.
func TestTerminateFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	release, entered := make(chan struct{}), make(chan delivery, 100)
	a := newAPI(t)
	hooks := newReceiver(t, func(d delivery) int {
		entered <- d
		<-release
		return http.StatusOK
	})
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(a.URL, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":1}`)))
	a.play(t, body([]byte(`{"v":2}`)))
	<-entered
	a.settled(t)
	d.signal(t, syscall.SIGTERM)
	d.says(t, d.stderr, `msg="ending: `)
	if status, text := d.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "shutting down") {
		t.Errorf("/readyz while it ends: %d %q", status, text)
	}
	a.play(t, body([]byte(`{"v":3}`)))
	close(release)
	if status := d.exit(t, patience); status != 0 {
		t.Errorf("after SIGTERM it ended with status %d, want 0", status)
	}
	d = start(t, binary(t), dir, "run")
	for i, want := range []string{`s.updated s 1 {"v":1} -> {"v":2}`, `s.updated s 2 {"v":2} -> {"v":3}`} {
		if got := line(t, hooks.next(t)); got != want {
			t.Errorf("webhook %d is %s, want %s", i, got, want)
		}
	}
	a.settled(t)
	if n := len(hooks.attempts()); n != 2 {
		t.Errorf("%d webhooks came, want 2: what was acknowledged comes once", n)
	}
	d.kill()
}

// Neither an API nor a receiver that hangs keeps the process from ending; the
// attempt is made again under the same id and with the same body.
func TestTerminateIsBounded(t *testing.T) {
	t.Parallel()
	release, entered := make(chan struct{}), make(chan delivery, 100)
	a := newAPI(t)
	hooks := newReceiver(t, func(d delivery) int {
		entered <- d
		<-release
		return http.StatusOK
	})
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", lasting(configured(hooks, oneSource(a.URL, "@every 1s"))))
	d := start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":1}`)))
	a.play(t, body([]byte(`{"v":2}`)))
	first := <-entered
	a.settled(t)
	begun := time.Now()
	d.signal(t, syscall.SIGTERM)
	// 10 s for what runs and 2 s to settle, and some for a busy machine; the
	// poll would wait for 60 s.
	if status := d.exit(t, patience); status != 0 {
		t.Errorf("after SIGTERM it ended with status %d, want 0", status)
	}
	if took := time.Since(begun); took < 9*time.Second {
		t.Errorf("it ended after %s, though what runs may take 10 s", took)
	}
	a.gone(t)
	close(release)
	start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":2}`)))
	a.settled(t)
	for range 2 { // the hung one is answered now, too, to nobody
		if got := hooks.next(t); got.ID != first.ID || !bytes.Equal(got.Body, first.Body) {
			t.Errorf("sent as %s %s, want %s %s", got.ID, got.Body, first.ID, first.Body)
		}
	}
	if n := len(hooks.attempts()); n != 2 {
		t.Errorf("%d attempts came, want 2", n)
	}
}

// A second signal ends the process at once, and loses nothing.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(a.URL, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":1}`)))
	a.settled(t)
	d.signal(t, syscall.SIGTERM)
	d.says(t, d.stderr, `msg="ending: `)
	d.signal(t, syscall.SIGTERM)
	// One that waits for its poll ends by itself, with status 0.
	if status := d.exit(t, patience); status != -1 {
		t.Errorf("it ended with status %d, want the signal to end it", status)
	}
	a.gone(t)
	start(t, binary(t), dir, "run")
	a.play(t, body([]byte(`{"v":2}`)))
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// A store and an address have one owner. The second process says so and goes,
// and the first one does not notice.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")

	status, _, stderr := deltahook(t, dir, "run") // which has patience to end
	if status != 1 || !strings.Contains(stderr, "in use by another deltahook") || !strings.Contains(stderr, "deltahook.db") {
		t.Errorf("on a store in use: status %d, and it says %s", status, stderr)
	}

	taken := strings.Replace(configured(hooks, oneSource(url, "@every 1s")), "127.0.0.1:0", d.Addr(t), 1)
	write(t, dir, "taken.yaml", "store: other.db\n"+taken)
	status, _, stderr = deltahook(t, dir, "run", "-c", "taken.yaml")
	if status != 1 || !strings.Contains(stderr, d.Addr(t)) || !strings.Contains(stderr, "address already in use") {
		t.Errorf("on an address in use: status %d, and it says %s", status, stderr)
	}

	set(`{"v":2}`)
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if status, stdout, stderr := deltahook(t, dir, "poll", "s"); status != 0 || !strings.Contains(stdout, "the running daemon") {
		t.Errorf("the first one's socket no longer serves: status %d, %s%s", status, stdout, stderr)
	}
	d.stop(t)
}

// The admin address says that the process lives, is ready, and how it fares;
// healthcheck asks it.
func TestAdminAddress(t *testing.T) {
	t.Parallel()
	url, _, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	config := strings.Replace(configured(hooks, oneSource(url, "@every 1s")), "127.0.0.1:0", loopback.Free(t), 1)
	write(t, dir, "deltahook.yaml", config)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, text := d.get(t, path); status != http.StatusOK || text != "ok\n" {
			t.Errorf("%s answers %d %q", path, status, text)
		}
	}
	for name, want := range map[string]float64{
		"deltahook_sources": 1, "deltahook_sources_failing": 0, "deltahook_items": 1,
		"deltahook_deliveries_waiting": 0, "deltahook_dead_letters": 0,
	} {
		if n := d.metric(t, name); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
	if status, stdout, stderr := deltahook(t, dir, "healthcheck"); status != 0 || stdout != "ok\n" {
		t.Errorf("healthcheck: status %d, %s%s", status, stdout, stderr)
	}
	// What is edited meanwhile concerns the next start.
	for name, bad := range map[string]string{
		"a faulty source": strings.Replace(config, "@every 1s", "@every 0s", 1),
		"another address": strings.Replace(config, "listen: \"127", "listen: \"128", 1),
		"broken syntax":   config + "\n{[",
	} {
		if bad == config {
			t.Fatalf("%s: nothing was edited in\n%s", name, config)
		}
		write(t, dir, "deltahook.yaml", bad)
		if status, stdout, stderr := deltahook(t, dir, "healthcheck"); status != 0 || stdout != "ok\n" {
			t.Errorf("healthcheck beside %s: status %d, %s%s", name, status, stdout, stderr)
		}
	}
	write(t, dir, "deltahook.yaml", config)
	d.stop(t)
	if status, _, stderr := deltahook(t, dir, "healthcheck"); status != 1 || stderr == "" {
		t.Errorf("healthcheck when it has ended: status %d, %s", status, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "deltahook.db.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A dry run shows what would be told, beside the daemon and without it, and
// leaves no trace: the change is told afterwards as if nobody had looked.
func TestPollChangesNothing(t *testing.T) {
	t.Parallel()
	url, set, polls := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@yearly")))

	shows := func(when, from string) {
		t.Helper()
		before, asked := polls.Load(), content(t, dir, "deltahook.db")
		status, stdout, stderr := deltahook(t, dir, "poll", "s")
		if status != 0 || !strings.Contains(stdout, from) {
			t.Fatalf("poll %s: status %d, want a snapshot %s:\n%s%s", when, status, from, stdout, stderr)
		}
		if n := polls.Load() - before; n != 1 {
			t.Errorf("poll %s asked %d times", when, n)
		}
		if !bytes.Equal(content(t, dir, "deltahook.db"), asked) {
			t.Errorf("poll %s changed the store", when)
		}
		if strings.Contains(from, "no store") {
			return
		}
		for _, want := range []string{"s     updated  1         s.created  updated is not in on", "s.updated  told", `"op": "replace"`, `"value": 2`} {
			if !strings.Contains(stdout, want) {
				t.Errorf("poll %s does not show %s:\n%s", when, want, stdout)
			}
		}
	}
	shows("before the first start", "there is no store yet")

	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	shows("beside the daemon", "1 item at version 1, in the running daemon")
	d.stop(t)
	shows("without the daemon", "1 item at version 1, in the store")
	shows("a second time", "1 item at version 1, in the store")
	if n := len(hooks.attempts()); n != 0 {
		t.Errorf("%d webhooks were sent", n)
	}

	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@every 1s")))
	start(t, binary(t), dir, "run")
	if got, want := line(t, hooks.next(t)), `s.updated s 1 {"v":1} -> {"v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// content is a file's, nil where there is none.
func content(tb testing.TB, dir, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return text
}

// send and listen try an endpoint without a daemon.
func TestSendAndListen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, play := range []struct {
		name         string
		args         []string
		status       int
		heard, shown string // by listen, by send
		signature    string
	}{
		{"the same secret", []string{"--secret", whsec}, 0, "signature verified, answered 200", "delivered", "standard"},
		{"no secret", nil, 0, "not verified: no --secret given, answered 200", "delivered", "standard"},
		{"as GitHub", []string{"--secret", "any text", "--secret", whsec}, 0, "signature verified, answered 200", "delivered", "github"},
		{"as GitHub with another", []string{"--secret", "any text"}, 1, "answered 401", "not delivered: the receiver answered 401", "github"},
		{
			"another secret",
			[]string{"--secret", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
			1, "answered 401", "not delivered: the receiver answered 401", "standard",
		},
		{
			"a receiver that fails", []string{"--secret", whsec, "--fail", "500"},
			1, "signature verified, answered 500", "not delivered: the receiver answered 500", "standard",
		},
	} {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			l := start(t, binary(t), dir, append([]string{"listen", "--addr", "127.0.0.1:0"}, play.args...)...)
			url := l.says(t, l.stdout, `listening on (http://127\.0\.0\.1:\d+/)`)[1]
			name := strings.ReplaceAll(play.name, " ", "-") + ".yaml"
			write(t, dir, name, fmt.Sprintf(`
endpoints: {hook: {url: "%shook", secrets: [%s], signature: %s}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`, url, whsec, play.signature))
			status, stdout, stderr := deltahook(t, dir, "send", "hook", "-c", name)
			if status != play.status || !strings.Contains(stdout+stderr, play.shown) {
				t.Errorf("send: status %d, want %d and %q:\n%s%s", status, play.status, play.shown, stdout, stderr)
			}
			l.says(t, l.stdout, `deltahook\.test  deltahook/test  created, revision 1  evt_\S+  .*`+play.heard)
			if strings.Contains(stdout+stderr+l.stdout.String(), whsec) {
				t.Error("the secret is shown")
			}
			l.stop(t)
		})
	}
}

// The demo needs nothing, shows verified webhooks, and leaves nothing behind,
// whether it is told to end or was told when.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"TMPDIR=" + tmp}
	if status := startEnv(t, binary(t), dir, env, "demo", "--for", "3s").exit(t, patience); status != 0 {
		t.Errorf("after its time it ended with status %d, want 0", status)
	}
	p := startEnv(t, binary(t), dir, env, "demo")
	pages := p.says(t, p.stdout, `shows at (http://127\.0\.0\.1:\d+/)\n`)[1]
	p.says(t, p.stdout, "✓ verified") // it answers from then on
	resp, err := http.Get(pages)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("its pages: %s", resp.Status)
	}
	for _, shown := range []string{"parcel.moved", "answered 503, to show that it comes again"} {
		p.says(t, p.stdout, shown)
	}
	p.stop(t)
	p.says(t, p.stdout, "webhooks received and verified")
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %q behind (%v)", left, err)
	}
}
