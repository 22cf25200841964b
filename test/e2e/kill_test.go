package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// What the kill test can be told by the environment: how often it kills, and
// the seed of a run that failed. The seed decides what the world, the receiver
// and the killer draw; what the scheduler makes of it is its own.
const (
	envKills = "DELTAHOOK_KILLS"
	envSeed  = "DELTAHOOK_KILL_SEED"
)

const (
	killSources = 36
	latestKill  = 400 * time.Millisecond
	toReload    = 300 * time.Millisecond // that a run lives longer where it is to reload
	checkEvery  = 20                     // kills after which the store's own check runs
	mostShown   = 50                     // violations
)

// TestKill kills the program by kill -9, hundreds of times, while the world
// changes and the receiver fails 30 % of the time, and starts it again on the
// same store at once. Then it lets it come to rest, and holds what was received
// against what the world was. At one endpoint updates coalesce, and often wait.
//
// A killed process loses what it did not write; what it wrote and did not sync
// the system keeps. So this is about the order of writes in the program; a
// power cut is what storetest's crash test is about.
func TestKill(t *testing.T) {
	newCampaign(t).endure()
}

// endure is the whole of a campaign.
func (c *campaign) endure() {
	t := c.t
	t.Helper()
	began := time.Now()
	for i := range c.kills {
		c.strike(i)
		if (i+1)%checkEvery == 0 {
			c.checkStore(false)
		}
	}
	killing := time.Since(began)
	c.rest()
	c.checkStore(true)
	c.silence()

	got := c.receiver.sightings()
	w := c.world.truth()
	w.superseded = c.superseded()
	found := violations(w, got)
	for _, v := range found[:min(len(found), mostShown)] {
		t.Error(v)
	}
	if len(found) > mostShown {
		t.Errorf("and %d more", len(found)-mostShown)
	}
	c.report(got, len(w.superseded), killing)
}

// TestKillAtFirstStart kills the program while it makes its store, at which it
// must be able to start again.
func TestKillAtFirstStart(t *testing.T) {
	seed, _ := killSeed(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	kills := 40
	if testing.Short() {
		kills = 5
	}
	for range kills {
		dir := t.TempDir()
		write(t, dir, "deltahook.yaml", `{store: deltahook.db, server: {listen: "127.0.0.1:0"}}`)
		p := launch(t, dir, 0)
		delay := time.Duration(rng.Int64N(int64(50 * time.Millisecond)))
		<-time.After(delay)
		p.kill()
		p = launch(t, dir, 1)
		if status, text := p.get(t, "/healthz"); status != 200 {
			t.Errorf("killed after %s (seed %d): /healthz answers %d %s", delay, seed, status, text)
		}
		p.stop(t)
	}
}

// campaign is one kill test.
type campaign struct {
	t        *testing.T
	dir      string
	seed     uint64
	kills    int
	rng      *rand.Rand
	world    *world
	receiver *moody
	edits    *edits        // nil: the configuration stays as it is
	starting time.Duration // what a start takes here
	run      int           // of the program: its starts are counted from 1
}

func newCampaign(t *testing.T) *campaign {
	t.Helper()
	seed, kills := killSeed(t)
	c := &campaign{t: t, dir: t.TempDir(), seed: seed, kills: kills, rng: rand.New(rand.NewPCG(seed, 3))}
	c.world = newWorld(t, seed, killSources)
	c.receiver = newMoody(t, seed)
	c.configure()
	c.starting = startingTime(t)
	return c
}

// startingTime is how long the program takes to run, with nothing to do.
func startingTime(t *testing.T) time.Duration {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", `{store: deltahook.db, server: {listen: "127.0.0.1:0"}}`)
	plainBinary(t) // which takes its time
	began := time.Now()
	p := launch(t, dir, 0)
	p.Addr(t)
	took := time.Since(began)
	p.kill()
	return took
}

func killSeed(t *testing.T) (seed uint64, kills int) {
	t.Helper()
	seed, kills = rand.Uint64(), 220
	if testing.Short() {
		kills = 20
	}
	var err error
	if text := os.Getenv(envSeed); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
	}
	if text := os.Getenv(envKills); text != "" {
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", envKills, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with %s=%d", envSeed, seed)
		}
	})
	return seed, kills
}

// launch starts the program as its n-th run.
func launch(t *testing.T, dir string, n int) *process {
	t.Helper()
	p := &process{
		cmd:    exec.Command(plainBinary(t), "run", "--config", "deltahook.yaml"),
		stdout: newOutput(), stderr: newOutput(), done: make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), fmt.Sprintf("RUN=%d", n))
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit status is read from the state
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// settleIn lets the program live until a webhook came and each source's first
// answer was taken in, and kills it: there is a store then, and events are in it.
func (c *campaign) settleIn() {
	c.t.Helper()
	p := c.launch()
	c.await(p, "the first webhooks", func() bool { return len(c.receiver.sightings()) > 0 && c.world.asks() })
	p.kill()
}

// launch starts the program's next run.
func (c *campaign) launch() *process {
	c.t.Helper()
	c.run++
	c.world.begin()
	return launch(c.t, c.dir, c.run)
}

// strike starts the program and kills it: 3 times of 8 just after an answer
// with a change, while it is committed, 2 just after a webhook, while that is
// settled, and 3 at any instant.
func (c *campaign) strike(i int) {
	forget(c.world.news)
	forget(c.receiver.came)
	p := c.launch()
	defer func() { c.inspect(p) }()
	// Where a start takes long, lives are longer: some end within it, as
	// elsewhere, and the others get to work.
	most := c.lifetime(i)
	most += time.Duration(float64(c.starting) * min(1, float64(most)/float64(latestKill)))
	if c.edits != nil {
		most += toReload + c.starting
	}
	life, end := context.WithTimeout(c.t.Context(), most)
	defer end()
	latest := life.Done()
	if c.edits != nil {
		c.edit(p, latest)
	}
	switch c.rng.IntN(8) {
	case 0, 1, 2:
		c.count(p, c.world.news, 1+c.rng.IntN(6), latest)
	case 3, 4:
		c.count(p, c.receiver.came, 1+c.rng.IntN(12), latest)
	default:
		select {
		case <-latest:
		case <-p.done:
		}
	}
	select {
	case <-p.done:
		c.t.Fatalf("run %d ended by itself, with status %d:\n%s", c.run, p.cmd.ProcessState.ExitCode(), tail(p.stderr.String()))
	default:
		p.kill()
	}
}

// lifetime is how long a run lives at most. A few live long enough to write
// their bookmarks, which is done every 5 seconds, and to confirm deletions.
func (c *campaign) lifetime(i int) time.Duration {
	switch {
	case i%50 == 49:
		return 5*time.Second + time.Duration(c.rng.Int64N(int64(500*time.Millisecond)))
	case i%10 == 9:
		return time.Second + time.Duration(c.rng.Int64N(int64(time.Second)))
	default:
		return time.Duration(c.rng.Int64N(int64(latestKill)))
	}
}

// count waits for n moments, and then for up to 1.5 ms: that is about what a
// commit takes.
func (c *campaign) count(p *process, moments <-chan struct{}, n int, latest <-chan struct{}) {
	for range n {
		select {
		case <-moments:
		case <-latest:
			return
		case <-p.done:
			return
		}
	}
	select {
	case <-time.After(time.Duration(c.rng.Int64N(int64(1500 * time.Microsecond)))):
	case <-p.done:
	}
}

// inspect holds that a run had nothing to complain of but what was done to it.
func (c *campaign) inspect(p *process) {
	c.t.Helper()
	said := p.stderr.String()
	for _, word := range []string{"level=ERROR", "panic", "could not be evaluated", "dead letter", "store:", "former name"} {
		if strings.Contains(said, word) {
			c.t.Errorf("run %d says %q:\n%s", c.run, word, tail(said))
		}
	}
}

// rest lets the program come to rest: nothing fails any more, and each change
// is told. Then it ends in order.
func (c *campaign) rest() {
	c.t.Helper()
	c.world.settle()
	c.receiver.soothe()
	if c.edits != nil {
		c.edits.rest()
	}
	c.configure()
	p := c.launch()
	c.await(p, "all sources to be polled", c.world.asks)
	c.world.touch()
	c.await(p, "all changes to be told", func() bool {
		for _, v := range violations(c.world.truth(), c.receiver.sightings()) {
			if strings.HasPrefix(v, "lost") {
				return false
			}
		}
		return true
	})
	c.await(p, "the queue to be empty", func() bool { return p.metric(c.t, "deltahook_deliveries_waiting") == 0 })
	p.stop(c.t)
	c.inspect(p)
}

// silence starts the program once more: it must have nothing to tell.
func (c *campaign) silence() {
	c.t.Helper()
	before := len(c.receiver.sightings())
	p := c.launch()
	c.await(p, "all sources to be polled", c.world.asks)
	p.stop(c.t)
	c.inspect(p)
	if late := c.receiver.sightings()[before:]; len(late) > 0 {
		c.t.Errorf("when all was told, run %d sent %d more; the first is %s: %s", c.run, len(late), late[0].id, late[0].body)
	}
}

// await waits until cond, but no longer than twice patience: what was not
// reached, the checker names better.
func (c *campaign) await(p *process, what string, cond func() bool) {
	c.t.Helper()
	deadline := time.After(2 * patience)
	for !cond() {
		select {
		case <-p.done:
			c.t.Fatalf("run %d ended while the test waited for %s:\n%s", c.run, what, tail(p.stderr.String()))
		case <-deadline:
			c.t.Errorf("waited in vain for %s", what)
			return
		case <-time.After(50 * time.Millisecond): // the next look
		}
	}
}

// checkStore opens the store that a run left behind and has it check itself:
// every checksum, and that no record contradicts another. It is the one place
// where this package looks inside.
func (c *campaign) checkStore(rested bool) {
	c.t.Helper()
	s, err := bolt.Open(filepath.Join(c.dir, "deltahook.db"), bolt.Options{ReadOnly: true})
	if err != nil {
		c.t.Fatalf("after run %d: %v", c.run, err)
	}
	defer s.Close()
	if err := s.Check(c.t.Context()); err != nil {
		c.t.Errorf("after run %d: %v", c.run, err)
	}
	for _, name := range []string{"shop", "audit", "wiki"} {
		e, err := s.Endpoint(c.t.Context(), name)
		if err != nil {
			c.t.Fatal(err)
		}
		if e.Dead > 0 || rested && e.Waiting > 0 {
			c.t.Errorf("after run %d endpoint %s has %d deliveries that wait and %d dead letters", c.run, name, e.Waiting, e.Dead)
		}
	}
}

// superseded are the ids of events whose place another one took at wiki, as the
// store says. None of them may have been tried.
func (c *campaign) superseded() map[string]bool {
	c.t.Helper()
	s, err := bolt.Open(filepath.Join(c.dir, "deltahook.db"), bolt.Options{ReadOnly: true})
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	ids, page := map[string]bool{}, emitter.Page{Limit: emitter.MaxPage}
	for {
		some, err := s.Deliveries(c.t.Context(), emitter.Filter{State: emitter.StateSuperseded}, page)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, d := range some.Deliveries {
			if ids[d.Event.ID] = true; d.Endpoint != "wiki" || d.Attempts > 0 {
				c.t.Errorf("superseded is %+v", d)
			}
		}
		if page.Cursor = some.Next; page.Cursor == "" {
			return ids
		}
	}
}

// report tells how much the test was about, and fails where that is too
// little to mean anything.
func (c *campaign) report(got []sighting, superseded int, killing time.Duration) {
	c.t.Helper()
	events, taken, again := map[string]bool{}, map[string]int{}, 0
	for _, s := range got {
		events[s.id] = true
		if taken[s.endpoint+s.id] > 0 {
			again++
		}
		if s.acked {
			taken[s.endpoint+s.id]++
		}
	}
	c.t.Logf("seed %d: %d kills in %s; %d events, %d deliveries, %d attempts, %d of them repeats of what was taken, and %d superseded; %s",
		c.seed, c.kills, killing.Round(time.Millisecond), len(events), len(taken), len(got), again, superseded, c.receiver)
	if len(taken) < 5*c.kills {
		c.t.Errorf("only %d deliveries in %d kills: the test says little", len(taken), c.kills)
	}
	if superseded < c.kills/10 {
		c.t.Errorf("only %d deliveries were superseded in %d kills: the test says little", superseded, c.kills)
	}
}

func forget(c <-chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}
