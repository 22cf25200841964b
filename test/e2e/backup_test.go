package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/store/bolt"
)

// TestBackupUnderKills has backups taken all the time while the program is
// killed again and again. Those that came are whole and go on; the store loses
// nothing; and nothing is left of those that did not come.
func TestBackupUnderKills(t *testing.T) {
	c := newCampaign(t)
	c.kills = min(c.kills, 40)
	c.settleIn()
	taken, broken := 0, 0
	for i := range c.kills {
		ended := make(chan int, 1)
		target := filepath.Join("copies", fmt.Sprint(i, ".db"))
		if i == 0 {
			if err := os.Mkdir(filepath.Join(c.dir, "copies"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		killed := c.rng.IntN(4) == 0
		delay := time.Duration(c.rng.Int64N(int64(latestKill)))
		go func() {
			<-time.After(delay)
			p := startEnv(t, plainBinary(t), c.dir, []string{"RUN=0"}, "backup", target)
			if killed {
				<-time.After(delay / 4)
				p.kill()
				<-p.done
				ended <- -1
				return
			}
			<-p.done
			ended <- p.cmd.ProcessState.ExitCode()
		}()
		c.strike(i)
		if <-ended == 0 {
			taken++
			continue
		}
		broken++
		if _, err := os.Stat(filepath.Join(c.dir, target)); err == nil && !killed {
			t.Errorf("backup %d failed, and is there", i)
		}
	}
	if taken < 3 || broken < 3 {
		t.Errorf("%d backups came and %d did not: the test says little", taken, broken)
	}
	t.Logf("seed %d: %d backups came, %d did not", c.seed, taken, broken)
	c.checkStore(false)
	c.rest()
	c.checkStore(true)
	for _, v := range violations(c.world.truth(), c.receiver.sightings()) {
		t.Error(v)
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "*.backup")); err != nil || len(left) > 0 {
		t.Errorf("beside the store are %q (%v)", left, err)
	}
	c.checkCopies()
}

// checkCopies opens each copy to write, checks it, and has a program go on from
// one of them.
func (c *campaign) checkCopies() {
	c.t.Helper()
	copies, err := filepath.Glob(filepath.Join(c.dir, "copies", "*.db"))
	if err != nil || len(copies) == 0 {
		c.t.Fatalf("copies: %q, %v", copies, err)
	}
	for _, path := range copies {
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			c.t.Fatal(err)
		}
		if err := s.Check(c.t.Context()); err != nil {
			c.t.Errorf("%s: %v", path, err)
		}
		if err := s.Close(); err != nil {
			c.t.Error(err)
		}
	}
	restored := copies[rand.IntN(len(copies))]
	if err := os.Rename(restored, filepath.Join(c.dir, "deltahook.db")); err != nil {
		c.t.Fatal(err)
	}
	p := c.launch()
	c.await(p, "all sources to be polled after the restore", c.world.asks)
	c.await(p, "the queue to be empty", func() bool { return p.metric(c.t, "deltahook_deliveries_waiting") == 0 })
	p.stop(c.t)
	c.inspect(p)
	c.checkStore(true)
}

// TestRestore says what a restore means for receivers: what waited at the time
// of the backup comes under the id that it had, whether it arrived since or not;
// what was seen since is found again, under a new id.
func TestRestore(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"v":1}`)
	var down atomic.Bool
	down.Store(true)
	hooks := newReceiver(t, func(delivery) int {
		if down.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	dir := t.TempDir()
	patient := strings.Replace(configured(hooks, oneSource(url, "@every 1s")), "schedule: [", "schedule: ["+strings.Repeat("1s, ", 60), 1)
	write(t, dir, "deltahook.yaml", patient)
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	d.says(t, d.stderr, "endpoint fails")
	status, stdout, stderr := deltahook(t, dir, "backup", "copy.db")
	if status != 0 || !strings.Contains(stdout, "copy.db: ") {
		t.Fatalf("backup: status %d\n%s%s", status, stdout, stderr)
	}
	down.Store(false)
	first := hooks.next(t)
	set(`{"v":3}`)
	second := hooks.next(t)
	if want := `s.updated s 2 {"v":2} -> {"v":3}`; line(t, second) != want {
		t.Fatalf("told %s, want %s", line(t, second), want)
	}
	d.stop(t)
	before := len(hooks.attempts())
	if err := os.Rename(filepath.Join(dir, "copy.db"), filepath.Join(dir, "deltahook.db")); err != nil {
		t.Fatal(err)
	}
	d = start(t, binary(t), dir, "run")
	again, found := hooks.next(t), hooks.next(t)
	if again.ID != first.ID || string(again.Body) != string(first.Body) {
		t.Errorf("what waited came as %s %s, it was %s %s", again.ID, again.Body, first.ID, first.Body)
	}
	if found.ID == second.ID || line(t, found) != line(t, second) {
		t.Errorf("what was seen since came as %s %s, it was %s %s", found.ID, line(t, found), second.ID, line(t, second))
	}
	d.stop(t)
	if n := len(hooks.attempts()) - before; n != 2 {
		t.Errorf("%d webhooks came after the restore, want 2", n)
	}
}

// TestBackupRefusals asks for backups that must not be.
func TestBackupRefusals(t *testing.T) {
	t.Parallel()
	url, _, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@every 1s")))
	refused := func(want string, args ...string) {
		t.Helper()
		status, stdout, stderr := deltahook(t, dir, append([]string{"backup"}, args...)...)
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("backup %q: status %d, want 1 and %q:\n%s%s", args, status, want, stdout, stderr)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
			t.Errorf("backup %q leaves %q", args, left)
		}
	}
	refused("does not exist", "copy.db") // there is no store yet
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	write(t, dir, "copy.db", "precious")
	refused("is there already; --force replaces it", "copy.db")
	refused("is the store itself", "--force", "deltahook.db")
	refused("is not a file", "--force", ".")
	refused("no such file", filepath.Join("none", "copy.db"))
	if got := string(content(t, dir, "copy.db")); got != "precious" {
		t.Errorf("what was there is %q", got)
	}
	var wg sync.WaitGroup
	for range 2 { // beside the daemon, one after the other or not at all
		wg.Go(func() {
			p := start(t, binary(t), dir, "backup", "--force", "copy.db")
			<-p.done
		})
	}
	wg.Wait()
	s, err := bolt.Open(filepath.Join(dir, "copy.db"), bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	d.stop(t)
	status, stdout, stderr := deltahook(t, dir, "backup", "-o", "json", "alone.db")
	if status != 0 || !strings.Contains(stdout, `"sha256": "`) {
		t.Errorf("without a daemon: status %d\n%s%s", status, stdout, stderr)
	}
	info, err := os.Stat(filepath.Join(dir, "alone.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if status, stdout, stderr = deltahook(t, dir, "backup", "-"); status != 0 || int64(len(stdout)) != info.Size() {
		t.Errorf("to standard output: status %d, %d bytes, want %d\n%s", status, len(stdout), info.Size(), stderr)
	}
}
