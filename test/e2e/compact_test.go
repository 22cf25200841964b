package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCompactUnderKills has the store compacted between the lives of a program
// that is killed, and compact killed too, at any moment. The file is whole after
// each, nothing is lost or told under two ids, and nothing is left beside it.
func TestCompactUnderKills(t *testing.T) {
	c := newCampaign(t)
	c.kills = min(c.kills, 20)
	path := filepath.Join(c.dir, "deltahook.db")
	c.settleIn()
	began := time.Now()
	if status, _, stderr := c.command("compact"); status != 0 {
		t.Fatalf("compact: status %d\n%s", status, stderr)
	}
	latest := max(2*time.Since(began), 20*time.Millisecond)
	ended, killed := 0, 0
	for i := range c.kills {
		c.strike(i)
		began := time.Now()
		p := startEnv(t, plainBinary(t), c.dir, []string{"RUN=0"}, "compact")
		select {
		case <-p.done:
			ended++
			latest = max(min(latest, 2*time.Since(began)), time.Millisecond) // the first may have been slow
		case <-time.After(time.Duration(c.rng.Int64N(int64(latest)))):
			p.kill()
			<-p.done
			killed++
		}
		if status, stdout, stderr := c.command("fsck"); status != 0 {
			t.Fatalf("fsck after compact %d: status %d\n%s%s", i, status, stdout, stderr)
		}
	}
	t.Logf("seed %d: %d ended, %d were killed", c.seed, ended, killed)
	if killed < 3 {
		t.Errorf("%d were killed: the test says little", killed)
	}
	if status, _, stderr := c.command("compact"); status != 0 {
		t.Errorf("compact: status %d\n%s", status, stderr)
	}
	if _, err := os.Stat(path + ".compact"); err == nil {
		t.Error("a part of a new file is left")
	}
	c.rest()
	c.checkStore(true)
	for _, v := range violations(c.world.truth(), c.receiver.sightings()) {
		t.Error(v)
	}
}
