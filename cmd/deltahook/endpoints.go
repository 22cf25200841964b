package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// steered is the emitter as the admin address sees it.
type steered struct{ *emitter.Emitter }

// Pause stops sending to an endpoint.
func (s steered) Pause(ctx context.Context, endpoint string) error {
	return steerError(endpoint, s.Emitter.Pause(ctx, endpoint))
}

// Resume sends to an endpoint again.
func (s steered) Resume(ctx context.Context, endpoint string) error {
	return steerError(endpoint, s.Emitter.Resume(ctx, endpoint))
}

// Drop makes dead letters of what waits at an endpoint.
func (s steered) Drop(ctx context.Context, endpoint string, before time.Time, dry bool) (int, error) {
	n, err := s.Emitter.Drop(ctx, endpoint, before, dry)
	return n, steerError(endpoint, err)
}

// Test sends a test event to an endpoint.
func (s steered) Test(ctx context.Context, endpoint string) (emitter.Trial, error) {
	trial, err := s.Emitter.Test(ctx, endpoint)
	return trial, steerError(endpoint, err)
}

func steerError(endpoint string, err error) error {
	switch {
	case errors.Is(err, emitter.ErrNoEndpoint):
		return refusal{fmt.Errorf("no endpoint is called %q", endpoint), web.ErrNotFound}
	case errors.Is(err, emitter.ErrDisabled), errors.Is(err, emitter.ErrBusy), errors.Is(err, emitter.ErrTesting):
		return refusal{err, web.ErrConflict}
	}
	return err
}

// shortTime is a time in a table; zero: nothing.
func shortTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *app) pauseCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "pause ENDPOINT",
		GroupID: "steer",
		Short:   "Stop sending to an endpoint; what is told to it waits",
		Long: `Stop sending to an endpoint until 'deltahook resume', over restarts. Attempts
that are under way end. What is told to it waits, and nothing of it is lost.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), (*web.Client).Pause, format, steering{args[0], true}, "paused: what is told to it waits")
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "resume ENDPOINT",
		GroupID: "steer",
		Short:   "Send to an endpoint again, and try at once what waits",
		Long: `End a pause of an endpoint, whatever caused it, and any wait that the receiver
asked for. What waits for its next attempt is tried at once, as fast as rate
and concurrency let it. That is of use also for an endpoint that isn't paused
but was mended.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), (*web.Client).Resume, format, steering{args[0], false}, "resumed: what waits is tried now")
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

// steering is what pause and resume say to programs.
type steering struct {
	Endpoint string `json:"endpoint"`
	Paused   bool   `json:"paused"`
}

func (a *app) steer(ctx context.Context, do func(*web.Client, context.Context, string) error, format string, now steering, done string) error {
	return a.ask(ctx, func(ctx context.Context, c *web.Client) error {
		if err := do(c, ctx, now.Endpoint); err != nil {
			return misnamed(ctx, c, "endpoint", now.Endpoint, endpointNames, err)
		}
		return a.say(format, now, "%s: %s", now.Endpoint, done)
	})
}

// dropping is what drop says to programs, in the names of the API.
type dropping struct {
	Endpoint string `json:"endpoint"`
	Dropped  int    `json:"dropped"`
	Dry      bool   `json:"dry_run,omitempty"` // they would be
}

func (a *app) dropCommand() *cobra.Command {
	var text, format string
	var yes bool
	cmd := &cobra.Command{
		Use:     "drop ENDPOINT",
		GroupID: "steer",
		Short:   "Make dead letters of what waits at an endpoint",
		Long: `Make dead letters of the deliveries that wait at an endpoint, configured or
not: they are not sent, are kept as long as dead letters are, and can be
replayed. Attempts that are under way are left alone. Without --yes it only
says how many they are.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := moment(text, time.Now())
			if err != nil {
				return a.usage("--before %w", err)
			}
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				n, err := a.drop(ctx, c, args[0], before, !yes)
				if err != nil {
					return misnamed(ctx, c, "endpoint", args[0], endpointNames, err)
				}
				line := "%s: %s dropped; now among the dead letters"
				if !yes {
					line = "%s: %s would go to the dead letters; --yes does it"
				}
				return a.say(format, dropping{args[0], n, !yes}, line, args[0], count(n, "delivery"))
			})
		},
	}
	cmd.Flags().StringVar(&text, "before", "", "only what was committed before this: a time like 2026-11-23T10:00:00Z, or so long ago: 2h")
	cmd.Flags().BoolVar(&yes, "yes", false, "drop them")
	a.outputFlag(cmd, &format)
	return cmd
}

// dropAsk is how often it is asked how far a drop is.
const dropAsk = 500 * time.Millisecond

// drop has the daemon drop, and shows how far it is.
func (a *app) drop(ctx context.Context, c *web.Client, endpoint string, before time.Time, dry bool) (int, error) {
	if dry {
		return c.Drop(ctx, endpoint, before, true)
	}
	total, err := c.Drop(ctx, endpoint, before, true)
	if err != nil {
		return 0, err
	}
	begun, _ := c.Endpoint(ctx, endpoint) // without it there is no bar
	asking, stop := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() {
		line := a.progress("drop", func(n int64) string { return strconv.FormatInt(n, 10) })
		defer line.end()
		for tick := time.NewTicker(dropAsk); ; {
			select {
			case <-asking.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			if now, err := c.Endpoint(asking, endpoint); err == nil {
				line.at(int64(max(0, begun.Waiting-now.Waiting)), int64(total))
			}
		}
	})
	n, err := c.Drop(ctx, endpoint, before, false)
	stop()
	shown.Wait()
	return n, err
}
