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
	return steerError(s.Emitter.Pause(ctx, endpoint))
}

// Resume sends to an endpoint again.
func (s steered) Resume(ctx context.Context, endpoint string) error {
	return steerError(s.Emitter.Resume(ctx, endpoint))
}

// Drop makes dead letters of what waits at an endpoint.
func (s steered) Drop(ctx context.Context, endpoint string, before time.Time, dry bool) (int, error) {
	n, err := s.Emitter.Drop(ctx, endpoint, before, dry)
	return n, steerError(err)
}

// Test sends a test event to an endpoint.
func (s steered) Test(ctx context.Context, endpoint string) (emitter.Trial, error) {
	trial, err := s.Emitter.Test(ctx, endpoint)
	return trial, steerError(err)
}

func steerError(err error) error {
	switch {
	case errors.Is(err, emitter.ErrNoEndpoint):
		return refusal{err, web.ErrNotFound}
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
	return &cobra.Command{
		Use:     "pause ENDPOINT",
		GroupID: "steer",
		Short:   "Stop sending to an endpoint; what is told to it waits",
		Long: `Stop sending to an endpoint until 'deltahook resume', over restarts. Attempts
that are under way end. What is told to it waits, and nothing of it is lost.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], (*web.Client).Pause, "paused: what is told to it waits")
		},
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
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
			return a.steer(cmd.Context(), args[0], (*web.Client).Resume, "resumed: what waits is tried now")
		},
	}
}

func (a *app) steer(ctx context.Context, endpoint string, do func(*web.Client, context.Context, string) error, done string) error {
	return a.ask(ctx, func(ctx context.Context, c *web.Client) error {
		if err := do(c, ctx, endpoint); err != nil {
			return misnamed(ctx, c, "endpoint", endpoint, endpointNames, err)
		}
		_, err := fmt.Fprintf(a.out, "%s: %s\n", endpoint, done)
		return err
	})
}

func (a *app) dropCommand() *cobra.Command {
	var text string
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
				if yes {
					_, err = fmt.Fprintf(a.out, "%s: %d deliveries dropped; they are dead letters\n", args[0], n)
				} else {
					_, err = fmt.Fprintf(a.out, "%s: %d deliveries would become dead letters; --yes drops them\n", args[0], n)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&text, "before", "", "only what was committed before this: a time like 2026-11-23T10:00:00Z, or so long ago: 2h")
	cmd.Flags().BoolVar(&yes, "yes", false, "drop them")
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
