package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFsckKilled damages a store that the program made, kills fsck --repair at
// any moment, again and again, and wants that the damaged file stays as it was
// until a repair is whole. Then the program goes on from it.
func TestFsckKilled(t *testing.T) {
	c := newCampaign(t)
	c.kills = 6
	c.settleIn()
	for i := range c.kills {
		c.strike(i)
	}
	path := filepath.Join(c.dir, "deltahook.db")
	if status, stdout, stderr := c.command("fsck"); status != 0 || !strings.Contains(stdout, "whole, ") {
		t.Fatalf("fsck after kills: status %d\n%s%s", status, stdout, stderr)
	}
	damaged, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Payloads alone have this: all of some sources, wherever they stand.
	damaged = []byte(strings.ReplaceAll(string(damaged), `"type":"src0`, `"type":"src!`))
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := c.command("fsck")
	if status != 1 || !strings.Contains(stdout, "record: bodies record of event") || !strings.Contains(stderr, "fsck --repair") {
		t.Fatalf("fsck: status %d\n%s%s", status, stdout, stderr)
	}
	for range 30 {
		p := startEnv(t, plainBinary(t), c.dir, []string{"RUN=0"}, "fsck", "--repair")
		select {
		case <-p.done:
		case <-time.After(time.Duration(c.rng.Int64N(int64(80 * time.Millisecond)))):
			p.kill()
			<-p.done
		}
		now, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(now) == string(damaged) {
			continue
		}
		if status, stdout, _ := c.command("fsck"); status != 0 {
			t.Fatalf("neither the damaged file nor a whole one is there:\n%s", stdout)
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// JSON has them all; the text shows 50, and how many there are is chance.
	status, stdout, stderr = c.command("fsck", "--repair", "-o", "json")
	if status != 0 || !strings.Contains(stdout, "has no payload any more") || !strings.Contains(stdout, `"deltahook.db.damaged-`) {
		t.Fatalf("fsck --repair: status %d\n%s%s", status, stdout, stderr)
	}
	if status, stdout, _ := c.command("fsck", "--repair", "-o", "json"); status != 0 || strings.Contains(stdout, `"repaired"`) {
		t.Errorf("a whole store is repaired: status %d\n%s", status, stdout)
	}
	if _, err := os.Stat(path + ".repair"); err == nil {
		t.Error("a part of a new file is left")
	}
	p := c.launch()
	c.await(p, "all sources to be polled", c.world.asks)
	p.stop(t)
	if status, stdout, _ := c.command("fsck"); status != 0 {
		t.Errorf("after the program went on:\n%s", stdout)
	}
}

// command runs a command beside the campaign.
func (c *campaign) command(args ...string) (status int, stdout, stderr string) {
	c.t.Helper()
	p := startEnv(c.t, plainBinary(c.t), c.dir, []string{"RUN=0"}, args...)
	status = p.exit(c.t, patience)
	return status, p.stdout.String(), p.stderr.String()
}
