package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "run",
		GroupID: "daemon",
		Short:   "Run the daemon until it is told to end",
		Long: `Run the daemon: poll every source on its schedule, and deliver what changed.

SIGTERM or Ctrl-C ends it in order: no poll starts any more, those that run
get 10 seconds, attempts in flight are settled, and the rest waits in the
store for the next start. A second signal ends it at once; nothing is lost by
that either.

A configuration that has changed takes effect without a restart: by itself
(reload.watch), at SIGHUP, and by 'deltahook reload'. One that is faulty changes
nothing, and the log says what is wrong with it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			redactor := cfg.Redactor()
			log, level := newLogger(a.err, cfg.Log, redactor)
			return daemon(cmd.Context(), cfg, surroundings{redactor: redactor, log: log}, newReloader(a.path(), level), hangup)
		},
	}
}

// daemon is the process's life: it opens what the stages need, joins them,
// and runs them until ctx ends. Data flows poller -> differ -> store ->
// emitter; the end comes in the same order. reloads knows where the
// configuration came from, and is given the rest.
func daemon(ctx context.Context, cfg *configs.Config, in surroundings, reloads *reloader, hangup <-chan os.Signal) (err error) {
	log, registry := in.log, newRegistry()
	store, err := bolt.Open(cfg.Store, bolt.Options{Logger: log, Metrics: registry, Version: version})
	if err != nil {
		return storeAdvice(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	alerting := newAlerts(registry)
	in.tokens, in.access = store, alerting.access
	if in.tracer, err = newTracer(cfg.Tracing, log, in.redactor, registry); err != nil {
		return err
	}
	parts, err := assemble(cfg, in)
	if err != nil {
		return err
	}
	reloads.parts = parts
	defer func() { reloads.parts.close() }() // before the store: a refresh token may have to be stored yet

	live, last := &web.Live{}, &pulses{}
	about := newSelf(cfg, live)
	telling := emitter.New(parts.endpoints, heard{store, live}, emitter.Options{Logger: log, Registerer: registry, Health: alerting.health})
	diffing := differ.New(parts.diffed, store, telling, differ.Options{
		Logger: log, Registerer: registry, Wake: waking(telling, live), Coalesce: telling.Coalesces, Hide: in.redactor.Text,
		Told:   audience{nil, last, live}.told,
		Alerts: cfg.Alerts.To, FailingAfter: cfg.Alerts.SourceFailingAfter, StaleAfter: cfg.Alerts.SourceStaleAfter.Std(),
	})
	alerting.differ.Store(diffing)
	again := emitter.NewReplays(store, sortedNames(cfg.Endpoints), waking(telling, live), log)
	keys := &watches{}
	beating, ready := newHeart(registry, "store", "schedule", "clock"), readiness(ctx, store)
	admin := web.New(web.Options{
		Listen: cfg.Server.Listen, Store: cfg.Store, Token: cfg.Server.Token, Metrics: registry,
		Snapshots: store, Backups: backups{store}, Watches: keys, Holds: &holds{diffing, keys}, Archive: store, Replays: again, Endpoints: steered{telling},
		Logger: log, Ready: ready, Alive: beating.alive, Live: live, Sources: &seen{keys, diffing, store, last}, Daemon: about, Reloader: reloads,
	})
	if err := admin.Listen(ctx); err != nil {
		return err
	}
	marks, used, err := remembered(ctx, cfg, store, diffing, keys)
	if err != nil {
		return errors.Join(err, admin.Close())
	}
	polling := poller.New(parts.polled, marks, diffing, poller.Options{
		Logger: log, Metrics: registry, Usage: used, Ledger: store, Watches: diffing, Witness: audience{diffing, last, live}, Tracer: in.tracer})
	keys.poller.Store(polling)
	reloads.begin(cfg, in, registry, stages{store, polling, diffing, telling, again, admin, newSupervisor(log, beating.alive, ready), about, alerting, last})
	log.Info("deltahook runs", "version", version, "sources", len(parts.polled), "endpoints", len(parts.endpoints), "store", cfg.Store, "listen", admin.Addr())

	return reloads.together(ctx, beating, hangup)
}

// storeAdvice adds what to do to why a store could not be opened.
func storeAdvice(err error) error {
	switch {
	case errors.Is(err, bolt.ErrDamaged):
		return fmt.Errorf("%w: 'deltahook fsck' says what is damaged; restore a backup or, without one, 'deltahook fsck --repair'", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the user that runs deltahook (uid %d) must be able to write the file and its folder", err, os.Getuid())
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: make its folder, or name another one by 'store'", err)
	}
	return err
}

// together runs the stages until ctx ends. What serves the work ends after it:
// bookmarks are flushed and the admin address answers until the last poll and
// the last attempt are done.
func (r *reloader) together(ctx context.Context, beating *heart, hangup <-chan os.Signal) error {
	work, ctx := errgroup.WithContext(ctx)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	log, broken := r.in.log, make(chan error, 1)
	var service errgroup.Group
	service.Go(func() error {
		err := r.admin.Run(background)
		broken <- err
		return err
	})
	service.Go(func() error { return r.diffing.Run(background) })
	service.Go(func() error { return r.in.tracer.Run(background) })
	service.Go(func() error { return sweep(background, r.store, &r.running, log) })
	service.Go(func() error {
		return beating.run(background, beats{"store": r.store.Beat, "schedule": r.polling.Beat, "clock": r.diffing.Beat})
	})
	service.Go(func() error { return r.supervisor.run(background, ctx) })
	work.Go(func() error { return r.polling.Run(ctx) })
	work.Go(func() error { return r.telling.Run(ctx) })
	work.Go(func() error { return r.again.Run(ctx) })
	work.Go(func() error { return r.Run(ctx) })
	work.Go(func() error { return r.follow(ctx, hangup) })
	work.Go(func() error { return untilEnd(ctx, broken, log) })
	err := work.Wait()
	stop()
	err = errors.Join(err, service.Wait())
	log.Info("ended")
	return err
}

// untilEnd waits until the daemon is told to end, or nobody can reach it.
func untilEnd(ctx context.Context, broken <-chan error, log *slog.Logger) error {
	select {
	case err := <-broken:
		return fmt.Errorf("the admin address: %w", err)
	case <-ctx.Done():
		log.Info("ending: no new polls; what runs gets 10 seconds")
		return nil
	}
}

// remembered reads what the stages go on from.
func remembered(ctx context.Context, cfg *configs.Config, store *bolt.Store, diffing *differ.Differ, keys *watches) (
	marks map[string]poller.Bookmarks, used map[string]budget.Usage, err error,
) {
	if _, err := diffing.Rename(ctx, formerNames(cfg)); err != nil {
		return nil, nil, err
	}
	if _, err := store.Left(ctx, concerns(cfg)); err != nil {
		return nil, nil, err
	}
	if marks, err = diffing.Load(ctx); err != nil {
		return nil, nil, err
	}
	if err := diffing.LoadFeeds(ctx, keys.follow); err != nil {
		return nil, nil, err
	}
	used, err = store.Usage(ctx)
	return marks, used, err
}

// readiness says that the daemon is not ready once its end has begun, or
// while the store refuses what is written.
func readiness(ctx context.Context, store *bolt.Store) func() error {
	return func() error {
		switch {
		case ctx.Err() != nil:
			return errors.New("shutting down")
		case !store.Writes():
			return errors.New("the store cannot be written; the log says why")
		default:
			return nil
		}
	}
}

// When what is past its retention is removed: first when the start's work is
// done, more or less.
const (
	sweepFirst = 10 * time.Second
	sweepEvery = time.Hour
)

// sweep removes what is past its retention, soon and then hourly, until ctx ends: also what is
// remembered of sources that have not been configured for as long.
func sweep(ctx context.Context, store *bolt.Store, running *atomic.Pointer[configs.Config], log *slog.Logger) error {
	timer := time.NewTimer(sweepFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		cfg := running.Load()
		keep := cfg.Retention
		_, err := store.Left(ctx, concerns(cfg))
		n := 0
		if err == nil {
			n, err = store.Sweep(ctx, bolt.Retention{Events: keep.Events.Std(), Attempts: keep.Attempts.Std(), Dead: keep.Dead.Std()})
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("not all that is past its retention could be removed; trying again in an hour", "err", err)
		}
		if n > 0 {
			log.Debug("removed what was past its retention", "records", n)
		}
		timer.Reset(sweepEvery)
	}
}
