package main

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// statusEvery is how often a supervisor without a watchdog is told how things
// stand.
const statusEvery = 10 * time.Second

// supervisor is systemd, where it started the daemon and wants to be told, by
// NOTIFY_SOCKET and WATCHDOG_USEC of the environment (sd_notify(3)). Without
// them nothing is said.
type supervisor struct {
	log   *slog.Logger
	alive func() error // a reason here keeps the watchdog from being fed
	ready func() error // a reason here is shown as the status
	every time.Duration
}

func newSupervisor(log *slog.Logger, alive, ready func() error) *supervisor {
	limit, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog of systemd is not fed", "err", err)
	}
	return &supervisor{log: log, alive: alive, ready: ready, every: cmp.Or(limit/4, statusEvery)}
}

// run says that the daemon is ready, then how it fares, and when work ends that
// it is stopping; until ctx ends.
func (s *supervisor) run(ctx, work context.Context) error {
	s.tell(sd.SdNotifyReady, s.status())
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	ending := work.Done()
	for {
		select {
		case <-ctx.Done():
			if ending != nil && work.Err() != nil { // both ended at once
				s.tell(sd.SdNotifyStopping, s.status())
			}
			return nil
		case <-ending:
			ending = nil
			s.tell(sd.SdNotifyStopping, s.status())
		case <-tick.C:
			if s.alive() == nil {
				s.tell(sd.SdNotifyWatchdog, s.status())
			} else {
				s.tell(s.status())
			}
		}
	}
}

// status is what `systemctl status` shows.
func (s *supervisor) status() string {
	if err := cmp.Or(s.alive(), s.ready()); err != nil {
		return "STATUS=" + err.Error()
	}
	return "STATUS=running"
}

// reloading says that the configuration is being read again; reloaded must
// follow.
func (s *supervisor) reloading() { s.tell(sd.SdNotifyReloading) }

// reloaded says that it has been.
func (s *supervisor) reloaded() { s.tell(sd.SdNotifyReady, s.status()) }

func (s *supervisor) tell(states ...string) {
	if _, err := sd.SdNotify(false, strings.Join(states, "\n")); err != nil {
		s.log.Debug("systemd cannot be told", "err", err)
	}
}
