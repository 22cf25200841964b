package differ

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/deltahook/deltahook/poller"
)

// Options are what a Differ may be given; the zero value works.
type Options struct {
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: nothing is measured
	// Wake is called after each commit with the endpoints that have
	// something to send. It must not block. Nil: nobody is woken.
	Wake func(endpoints ...string)
	// Told is called after each commit of an answer with how much changed
	// and was told of a source; a silent baseline is no change. It must not
	// block. Nil: nobody wants to know.
	Told func(source string, changes, events int)
	// Coalesce says whether the updates that wait at an endpoint become one.
	// Nil: they never do.
	Coalesce func(endpoint string) bool
	// Alerts are the endpoints that are told of Deltahook's own events. None:
	// those are only logged.
	Alerts []string
	// After so many failed polls in a row source.failing is told; 0: never.
	FailingAfter int
	// After so long without a successful poll source.stale is told; 0: never.
	StaleAfter time.Duration
	// Hide takes secrets out of a text that is told. Nil: there are none.
	Hide func(string) string
}

// alone is the weight of who writes with nobody beside.
const alone = 1 << 30

// Differ takes answers in. Make it with New; its methods may be called
// concurrently, but those for one source only one at a time.
type Differ struct {
	sources  map[string]*Source
	store    Store
	renderer Renderer
	log      *slog.Logger
	wake     func(...string)
	told     func(source string, changes, events int)

	coalesces func(endpoint string) bool

	alerts  []string
	hide    func(string) string
	metrics *metrics
	hash    hasher

	mu       sync.Mutex
	memories map[string]*memory          // by unit, as what follows
	stored   map[string]poller.Bookmarks // as the store has them
	moved    map[string]Kept             // to be written by the next flush
	doubted  map[string]doubted          // what a commit had of it whose outcome is unknown
	reported map[*rule]time.Time         // when a rule's error was logged last
	standing map[string]standing         // of watch keys, by unit
	failing  map[*rule]string            // the unit that told that a rule cannot be evaluated
	holds    map[string]Hold             // by unit

	// writing keeps a flush, which has bookmarks from before, from
	// overtaking a commit of the same source: commits share it, a flush has
	// it alone.
	writing *semaphore.Weighted

	// present is shared by whatever goes by the sources that there are, from
	// before it takes any other lock; Update, which makes them others, has it
	// alone.
	present *semaphore.Weighted

	units locks // held from the comparison of a unit to the end of its commit
	feeds feeds // what items say of the watch keys of other sources

	now    func() time.Time // the clock on the wall
	clock  *clock
	quiets map[string]*quiet // by source, of those that expect changes; guarded by mu

	alerting *alerting
	tallies  tallies
}

// New is a Differ of sources over store. Call Load before the first Take.
func New(sources []*Source, store Store, renderer Renderer, o Options) *Differ {
	d := &Differ{
		sources: map[string]*Source{}, store: store, renderer: renderer,
		log: o.Logger, wake: o.Wake, told: o.Told, coalesces: o.Coalesce, alerts: o.Alerts, hide: o.Hide,
		metrics: newMetrics(o.Registerer), hash: hasher{maphash.MakeSeed()},
		memories: map[string]*memory{}, stored: map[string]poller.Bookmarks{}, moved: map[string]Kept{}, doubted: map[string]doubted{},
		reported: map[*rule]time.Time{}, standing: map[string]standing{}, failing: map[*rule]string{},
		holds: map[string]Hold{}, writing: semaphore.NewWeighted(alone), present: semaphore.NewWeighted(alone), units: newLocks(),
		now: time.Now, clock: newClock(), quiets: map[string]*quiet{}, alerting: newAlerting(o),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.told == nil {
		d.told = func(string, int, int) {}
	}
	if d.wake == nil {
		d.wake = func(...string) {}
	}
	for _, s := range sources {
		d.sources[s.name] = s
		if s.expect > 0 {
			d.quiets[s.name] = &quiet{}
		}
	}
	return d
}

// Load reads what is remembered of all sources and gives their bookmarks, by
// unit. Those of a source whose items are read in another way than before
// come without validators and cursor: its next answer must be a whole one.
func (d *Differ) Load(ctx context.Context) (map[string]poller.Bookmarks, error) {
	marks := map[string]poller.Bookmarks{}
	for state, err := range d.store.Load(ctx) {
		if err != nil {
			return nil, fmt.Errorf("loading what is remembered: %w", err)
		}
		d.adopt(state, marks)
	}
	return marks, nil
}

// adopt takes in what is remembered of a unit, and puts its bookmarks among
// marks. Nothing of its source is under way.
func (d *Differ) adopt(state State, marks map[string]poller.Bookmarks) {
	if isSubject(state.Source) {
		d.loadAlerts(state)
		return
	}
	src, ok := d.sources[state.Source]
	if !ok {
		return
	}
	unit, m := state.Unit(), remember(state)
	d.mu.Lock()
	d.memories[unit] = m
	d.stored[unit] = state.Bookmarks
	if state.Watch != "" {
		d.standing[unit] = standingOf(state.Bookmarks)
	}
	aside := src.keyed && state.Watch == "" // of before it had watch keys
	if !aside {
		d.unclaim(src, unit, m)
	}
	d.mu.Unlock()
	if aside {
		d.loadQuiet(src, state.Bookmarks, unit, m)
		return
	}
	marks[unit] = state.Bookmarks
	switch {
	case !src.reads(m):
		marks[unit] = anew(state.Bookmarks)
	case src.listens():
		marks[unit] = withoutValidators(state.Bookmarks)
	}
	d.count(state.Source, m)
	d.wind(unit, m)
	d.loadQuiet(src, state.Bookmarks, unit, m)
	d.showHold(unit, m)
}

// Take takes in one answer: it finds what changed, and commits what was seen
// together with what must be told. It returns when that is durable. The error
// is a *poller.Failure: of class items where the answer cannot be read, of
// class store where it could not be committed. In both cases nothing is
// forgotten, and the next answer is compared with what the store has.
//
// The answer of several watch keys is committed key by key, after all of it was
// read: where the store fails, each key was taken in as a whole or not at all.
func (d *Differ) Take(ctx context.Context, a *poller.Answer) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return storeFailure("waiting for", err)
	}
	defer leave()
	release, err := d.units.lock(ctx, a.Units()...)
	if err != nil {
		return storeFailure("waiting for", err)
	}
	defer release()
	outs, err := d.plans(ctx, a, false)
	if err != nil {
		return err
	}
	traced(ctx, outs)
	defer setBack(a, outs)
	if len(outs) == 1 {
		return d.finish(ctx, outs[0])
	}
	var all errgroup.Group
	all.SetLimit(commitsAtOnce)
	for _, out := range outs {
		all.Go(func() error { return d.finish(ctx, out) })
	}
	return all.Wait()
}

// setBack has the poller ask again for what an answer told that was not taken
// in: because it is held, or not confirmed yet.
func setBack(a *poller.Answer, outs []*outcome) {
	for _, out := range outs {
		switch {
		case !out.held && len(out.finding.pending) == 0:
		case len(outs) == 1:
			a.Bookmarks = out.marks
		default:
			a.Bookmarks = withoutValidators(a.Bookmarks)
		}
	}
}
