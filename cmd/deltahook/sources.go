package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

// seen is what the poller, the differ and the store know of sources, as the
// admin address shows it. The poller may still be starting.
type seen struct {
	watches *watches
	differ  *differ.Differ
	archive differ.Archive
	pulses  *pulses
}

// Sources are all that are configured, by name.
func (s *seen) Sources() []web.SourceState {
	p := s.watches.poller.Load()
	if p == nil {
		return nil
	}
	held := map[string][]differ.HeldUnit{}
	for _, h := range s.differ.Holds() {
		held[h.Source] = append(held[h.Source], h)
	}
	all, tallies := p.Statuses(), s.differ.Tallies()
	shown := make([]web.SourceState, len(all))
	for i := range all {
		shown[i] = shownSource(&all[i], tallies[all[i].Source], held[all[i].Source])
	}
	return shown
}

// Source is one of them, with its last polls.
func (s *seen) Source(name string) (web.SourceState, error) {
	status, err := s.status(name)
	if err != nil {
		return web.SourceState{}, err
	}
	held := slices.DeleteFunc(s.differ.Holds(), func(h differ.HeldUnit) bool { return h.Source != name })
	state := shownSource(&status, s.differ.Tally(name), held)
	state.Pulse = s.pulses.shown(name)
	return state, nil
}

func (s *seen) status(name string) (poller.Status, error) {
	p := s.watches.poller.Load()
	if p == nil {
		return poller.Status{}, errStarting
	}
	status, ok := p.Status(name)
	if !ok {
		return status, noSource(name)
	}
	return status, nil
}

func noSource(name string) error {
	return refusal{fmt.Errorf("no source is called %q", name), web.ErrNotFound}
}

func shownSource(s *poller.Status, t differ.Tally, held []differ.HeldUnit) web.SourceState {
	shown := web.SourceState{
		Name: s.Source, Schedule: s.Schedule, Timezone: s.Timezone, Host: s.Host, Limit: s.Limit,
		Running: s.Polling, Last: s.Ended, Took: s.Took.Seconds(), Next: s.Next.UTC(), Waiting: s.Waiting,
		Failures: s.Failures, FailingSince: s.FailingSince.UTC(), Error: s.LastError, Advice: s.Advice(),
		Baseline: t.Since.UTC(), Items: t.Items, Watches: s.Watches, Holds: held,
	}
	switch {
	case s.Disabled:
		shown.State = web.SourceDisabled
	case s.Failures > 0:
		shown.State = web.SourceFailing
	case len(held) > 0:
		shown.State = web.SourceHeld
	case t.Since.IsZero():
		shown.State = web.SourceNew
	default:
		shown.State = web.SourceOK
	}
	return shown
}

// Poll has a source, or one of its watch keys, polled at once.
func (s *seen) Poll(_ context.Context, name, watch string) error {
	p := s.watches.poller.Load()
	if p == nil {
		return errStarting
	}
	err := p.PollNow(name, watch)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, poller.ErrNoSource):
		return noSource(name)
	case errors.Is(err, poller.ErrNotWatched):
		return refusal{fmt.Errorf("%s: %w", name, err), web.ErrNotFound}
	}
	return refusal{fmt.Errorf("%s is not polled now: %w", name, err), web.ErrConflict}
}

// unit is whose items are meant.
func (s *seen) unit(name, watch string) (string, error) {
	status, err := s.status(name)
	switch {
	case err != nil:
		return "", err
	case watch == "" && status.Watches > 0:
		return "", refusal{fmt.Errorf("%s is polled for watch keys: say whose items by watch (--watch KEY)", name), web.ErrInvalid}
	case watch != "":
		if _, err := s.watches.WatchedKey(name, watch); err != nil {
			return "", err
		}
	}
	return poller.Unit(name, watch), nil
}

// Items lists the items of a source, or of one of its watch keys.
func (s *seen) Items(ctx context.Context, name, watch string, f differ.ItemFilter) (differ.ItemPage, error) {
	unit, err := s.unit(name, watch)
	if err != nil {
		return differ.ItemPage{}, err
	}
	return s.archive.ListItems(ctx, unit, f)
}

// Item gives one of them.
func (s *seen) Item(ctx context.Context, name, watch, key string) (differ.Item, error) {
	unit, err := s.unit(name, watch)
	if err != nil {
		return differ.Item{}, err
	}
	item, err := s.archive.Item(ctx, unit, key)
	if errors.Is(err, differ.ErrNoItem) {
		of := "source " + name
		if watch != "" {
			of = fmt.Sprintf("watch key %.100q of %s", watch, of)
		}
		err = refusal{fmt.Errorf("%s has no item %.100q", of, key), web.ErrNotFound}
	}
	return item, err
}

// Revisions lists its changes, the last one first.
func (s *seen) Revisions(ctx context.Context, name, watch, key string, before uint64, n int) ([]differ.Revision, error) {
	unit, err := s.unit(name, watch)
	if err != nil {
		return nil, err
	}
	return s.archive.Revisions(ctx, unit, key, before, n)
}
