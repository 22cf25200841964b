package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKillReload is TestKill while the configuration is edited and reloaded at
// any moment: sources get another name, another schedule, go and come back, and
// the endpoints are made anew. What is promised is the same.
func TestKillReload(t *testing.T) {
	c := newCampaign(t)
	if os.Getenv(envKills) == "" {
		c.kills /= 4 // each run lives longer
	}
	c.edits = &edits{rng: rand.New(rand.NewPCG(c.seed, 5)), of: map[string]*edited{}}
	c.endure()
	t.Logf("%d edits, %d names, %d of them taken up by a reload, %d by a start",
		c.edits.made, c.edits.names, c.edits.reloads, c.edits.starts)
	if c.edits.reloads < c.kills/8 {
		t.Error("too few reloads: the test says little")
	}
}

// edits is what a person does to the configuration. Nil: nothing.
type edits struct {
	rng *rand.Rand
	of  map[string]*edited // by the name of a source in the world

	audit int  // the number of the settings of the endpoint audit
	open  bool // no process is known to have taken the last one up

	made, names, reloads, starts int
}

// edited is what was done to a source.
type edited struct {
	names int  // it has the name NAME-rN, and was NAME-rN-1
	slow  bool // it has another schedule
	away  bool // it is not there
}

// next makes one edit. A source gets no other name before the last one was
// taken up: it says only which it had before.
func (e *edits) next(sources []string) {
	e.made++
	e.audit += e.rng.IntN(2)
	for _, name := range sources {
		s := e.of[name]
		if s == nil {
			s = &edited{}
			e.of[name] = s
		}
		switch e.rng.IntN(12) {
		case 0:
			s.slow = !s.slow
		case 1, 2:
			if !e.open && !s.away {
				s.names++
				e.names++
			}
		case 3:
			s.away = true
		case 4, 5, 6:
			s.away = false
		}
	}
	e.open = true
}

// rest makes the last edit: all sources are there.
func (e *edits) rest() {
	for _, s := range e.of {
		s.away = false
	}
}

// source gives the name of a source, and what its settings are begun with.
func (e *edits) source(name string) (now, settings string, there bool) {
	if e == nil || e.of[name] == nil {
		return name, "", true
	}
	s := e.of[name]
	at := func(n int) string {
		if n == 0 {
			return name
		}
		return fmt.Sprint(name, "-r", n)
	}
	var b strings.Builder
	if s.names > 0 {
		fmt.Fprintf(&b, "    was: %s\n", at(s.names-1))
	}
	if s.slow {
		b.WriteString("    schedule: \"@every 1100ms\"\n")
	}
	return at(s.names), b.String(), !s.away
}

// endpoint gives the settings of audit that edits change.
func (e *edits) endpoint() string {
	if e == nil {
		return "concurrency: 2"
	}
	return fmt.Sprintf("concurrency: %d, order: %s, headers: {X-Run: \"${RUN}\", X-Edit: \"%d\"}",
		1+e.audit%3, []string{"item", "endpoint"}[e.audit/2%2], e.audit)
}

// edit edits the configuration while a run lives, up to three times, and has it
// reloaded.
func (c *campaign) edit(p *process, latest <-chan struct{}) {
	c.t.Helper()
	if !c.sees(p, "msg=\"deltahook runs\"", 1, latest) {
		return
	}
	if c.edits.open {
		c.edits.open = false
		c.edits.starts++
	}
	for reloads := range 1 + c.rng.IntN(3) {
		c.edits.next(c.world.names())
		c.configure()
		p.signal(c.t, syscall.SIGHUP)
		if c.rng.IntN(3) == 0 { // killed while it reloads
			return
		}
		if !c.sees(p, "msg=reloaded", reloads+1, latest) {
			return
		}
		c.edits.open = false
		c.edits.reloads++
	}
}

// sees waits until a run has logged something so often.
func (c *campaign) sees(p *process, text string, times int, latest <-chan struct{}) bool {
	for strings.Count(p.stderr.String(), text) < times {
		select {
		case <-p.done:
			return false
		case <-latest:
			return false
		case <-time.After(2 * time.Millisecond): // the next look
		}
	}
	return true
}

// configure writes the configuration as an editor does that is careful: what is
// read is one or the other.
func (c *campaign) configure() {
	c.t.Helper()
	path := write(c.t, c.dir, "edited.yaml", c.world.config(c.receiver.URL, c.edits))
	if err := os.Rename(path, filepath.Join(c.dir, "deltahook.yaml")); err != nil {
		c.t.Fatal(err)
	}
}

// names are the sources of the world.
func (w *world) names() (all []string) {
	for name := range w.sources {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
