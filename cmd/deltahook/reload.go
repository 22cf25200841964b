package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

// reloader has another configuration take the place of the one that runs.
// Everything that can fail comes first; then the stages go on with the new one.
//
//	load -> compare -> compile -> poller.Update( differ.Update( emitter.Update ) ) -> the rest
//
// There is one reload at a time: whoever asks meanwhile shares the next one.
type reloader struct {
	path  string // that the configuration is read from; "": there is none to read
	level *slog.LevelVar
	in    surroundings
	stages
	metrics reloadMetrics
	parts   *parts // of running; belongs to Run while it runs

	running atomic.Pointer[configs.Config]
	read    atomic.Pointer[string] // stamp of the files when they were read last

	wake  chan struct{} // somebody asks; holds one
	ended chan struct{} // closed when Run has ended
	mu    sync.Mutex
	next  *round // that those who ask now share; nil: nobody does
}

// stages are what a reload has go by another configuration.
type stages struct {
	store      *bolt.Store
	polling    *poller.Poller
	diffing    *differ.Differ
	telling    *emitter.Emitter
	again      *emitter.Replays
	admin      *web.Server
	supervisor *supervisor
	self       *self
	alerts     *alerts
	pulses     *pulses
}

func newReloader(path string, level *slog.LevelVar) *reloader {
	return &reloader{path: path, level: level, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// begin takes up what runs, before Run and follow.
func (r *reloader) begin(cfg *configs.Config, in surroundings, registry prometheus.Registerer, s stages) {
	r.in, r.stages, r.metrics = in, s, newReloadMetrics(registry)
	r.running.Store(cfg)
	stamp := cfg.Stamp(r.path)
	r.read.Store(&stamp)
}

// round is one reload with those who wait for it.
type round struct {
	ended chan struct{}
	done  web.Reloaded
	err   error
}

// reloadMetrics have the names that Prometheus gives its own.
type reloadMetrics struct {
	successful, at prometheus.Gauge
}

func newReloadMetrics(r prometheus.Registerer) reloadMetrics {
	m := reloadMetrics{
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deltahook_config_last_reload_successful", Help: "1: what was read last of the configuration runs; 0: it was faulty."}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "deltahook_config_last_reload_success_timestamp_seconds", Help: "When the configuration that runs was taken up."}),
	}
	r.MustRegister(m.successful, m.at)
	m.note(nil)
	return m
}

func (m *reloadMetrics) note(err error) {
	if err != nil {
		m.successful.Set(0)
		return
	}
	m.successful.Set(1)
	m.at.SetToCurrentTime()
}

// Why nothing is reloaded.
var (
	errReloadEnding    = errors.New("the daemon ends: nothing is reloaded any more")
	errNothingToReload = errors.New("this configuration was not read from a file")
)

// Reload returns when the configuration that is there now runs, or it is known
// why it does not. It is web.Reloader's.
func (r *reloader) Reload(ctx context.Context) (web.Reloaded, error) {
	if r.path == "" {
		return web.Reloaded{}, refusal{errNothingToReload, web.ErrConflict}
	}
	r.mu.Lock()
	if r.next == nil {
		r.next = &round{ended: make(chan struct{})}
	}
	mine := r.next
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	select {
	case <-mine.ended:
		return mine.done, mine.err
	case <-r.ended:
		return web.Reloaded{}, refusal{errReloadEnding, web.ErrConflict}
	case <-ctx.Done():
		return web.Reloaded{}, ctx.Err()
	}
}

// Run reloads when it is asked to, until ctx ends. One that is under way then
// is given up, or done.
func (r *reloader) Run(ctx context.Context) error {
	defer close(r.ended)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
		r.mu.Lock()
		now := r.next
		r.next = nil
		r.mu.Unlock()
		if now == nil || ctx.Err() != nil {
			continue
		}
		r.supervisor.reloading()
		now.done, now.err = r.reload(ctx)
		r.supervisor.reloaded()
		r.tell(ctx, now)
		close(now.ended)
	}
}

// tell logs what came of a reload.
func (r *reloader) tell(ctx context.Context, now *round) {
	if now.err != nil && ctx.Err() != nil {
		return // it ends
	}
	r.metrics.note(now.err)
	r.self.reloaded(now.done, now.err)
	log := r.in.log
	faulty, isFaulty := errors.AsType[*web.Faulty](now.err)
	switch d := now.done; {
	case isFaulty:
		for _, text := range faulty.Faults {
			log.Error("the configuration is faulty: the one before runs on", "err", text)
		}
	case now.err != nil:
		log.Error("the configuration cannot be taken up: the one before runs on", "err", now.err)
	default:
		for _, text := range d.Warnings {
			log.Warn("the configuration is odd", "warning", text)
		}
		if said := saidOf(&d, maxNames); len(said) > 0 {
			log = log.With("changes", strings.Join(said, "; "))
		}
		log.Info("reloaded", "sources_added", len(d.Sources.Added), "sources_removed", len(d.Sources.Removed),
			"sources_changed", len(d.Sources.Changed), "endpoints_added", len(d.Endpoints.Added),
			"endpoints_removed", len(d.Endpoints.Removed), "endpoints_changed", len(d.Endpoints.Changed))
	}
}

// reload reads the configuration and has it take the place of the one that
// runs. An error says that nothing was changed.
func (r *reloader) reload(ctx context.Context) (web.Reloaded, error) {
	before := r.running.Load()
	stamp := before.Stamp(r.path)
	r.read.Store(&stamp)
	after, err := configs.Load(r.path, os.LookupEnv)
	if err != nil {
		return web.Reloaded{}, faultsOf(err)
	}
	r.in.redactor.Know(after.Secrets()...) // before anything can be told of it
	d := configs.Compare(before, after)
	if len(d.Restart) > 0 {
		return web.Reloaded{}, faultsOf(&configs.Error{Faults: d.Restart})
	}
	next, readdressed, err := r.parts.reassemble(after, r.in, &d)
	if err != nil {
		return web.Reloaded{}, err
	}
	setup := differ.Setup{
		Sources: next.diffed, Readdressed: readdressed, Renamed: d.Renamed, Endpoints: sortedNames(after.Endpoints),
		Alerts: after.Alerts.To, FailingAfter: after.Alerts.SourceFailingAfter, StaleAfter: after.Alerts.SourceStaleAfter.Std(),
		Swap: func() { r.telling.Update(next.endpoints) },
	}
	if _, err = r.store.Left(ctx, concerns(after)); err == nil {
		err = r.polling.Update(ctx, next.polled, func(ctx context.Context) (map[string]poller.Bookmarks, error) {
			return r.diffing.Update(ctx, setup)
		})
	}
	if err != nil {
		next.client.Close()
		return web.Reloaded{}, err
	}
	r.again.Update(sortedNames(after.Endpoints))
	r.admin.SetToken(after.Server.Token)
	_ = r.level.UnmarshalText([]byte(after.Log.Level))
	r.running.Store(after)
	r.self.runs(after)
	r.pulses.keep(func(source string) bool { _, there := after.Sources[source]; return there })
	r.parts.client.Close() // what nothing shares any more
	r.alerts.runs(after)
	r.parts = next
	if before.Stamp(r.path) == stamp { // nothing was written while it was read
		stamp = after.Stamp(r.path) // it may be made of other files
		r.read.Store(&stamp)
	}
	return summary(&d, after), nil
}

// concerns says of a name under which there is a state whether it is of
// something that is configured.
func concerns(cfg *configs.Config) func(string) bool {
	return differ.Concerns(
		func(name string) bool { _, there := cfg.Sources[name]; return there },
		func(name string) bool { _, there := cfg.Endpoints[name]; return there })
}

// formerNames are those that sources say they had, by the names that they have.
func formerNames(cfg *configs.Config) map[string]string {
	was := map[string]string{}
	for name, s := range cfg.Sources {
		if s.Was != "" {
			was[name] = s.Was
		}
	}
	return was
}

func faultsOf(err error) error {
	faulty, is := errors.AsType[*configs.Error](err)
	if !is {
		return err
	}
	f := &web.Faulty{}
	for _, one := range faulty.Faults {
		f.Faults = append(f.Faults, one.String())
	}
	return f
}

func summary(d *configs.Difference, after *configs.Config) web.Reloaded {
	list := func(n configs.Names) web.Reconfigured {
		some := func(names []string) []string { return append([]string{}, names...) }
		return web.Reconfigured{Added: some(n.Added), Removed: some(n.Removed), Changed: some(n.Changed)}
	}
	done := web.Reloaded{Sources: list(d.Sources), Endpoints: list(d.Endpoints), Renamed: d.Renamed, Warnings: []string{}}
	for _, w := range after.Warnings {
		done.Warnings = append(done.Warnings, w.String())
	}
	return done
}
