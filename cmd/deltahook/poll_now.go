package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/internal/web"
)

// askEvery is how often it is asked whether a poll has ended.
const askEvery = 200 * time.Millisecond

func (a *app) pollNowCommand() *cobra.Command {
	var watch, wait string
	cmd := &cobra.Command{
		Use:     "poll-now SOURCE",
		GroupID: "steer",
		Short:   "Have the daemon poll a source at once",
		Long: `Have the running daemon poll a source at once, or one of its watch keys; its
schedule goes on as before. What changed is told, as ever: 'deltahook poll' is
the command that only looks. Refused are a source that is disabled, that is
being polled, or that is to be left alone for a while.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			var long units.Duration
			if wait != "" {
				if err := long.UnmarshalText([]byte(wait)); err != nil {
					return a.usage("--wait: %w", err)
				}
			}
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				return a.pollNow(ctx, c, args[0], watch, long.Std())
			})
		},
	}
	cmd.Flags().StringVar(&watch, "watch", "", "only this watch key")
	cmd.Flags().StringVar(&wait, "wait", "", "wait so long for the poll to end, as 30s, and say how it went; status 1 where it failed")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	return cmd
}

func (a *app) pollNow(ctx context.Context, c *web.Client, name, watch string, wait time.Duration) error {
	before, err := c.Source(ctx, name)
	if err == nil {
		err = c.Poll(ctx, name, watch)
	}
	if err != nil {
		return misnamed(ctx, c, "source", name, sourceNames, err)
	}
	if wait == 0 {
		_, err := fmt.Fprintf(a.out, "%s: is polled now\n", name)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	after, err := awaitPoll(ctx, c, name, before.Last)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the poll has not ended after %s", name, wait)
	case err != nil:
		return err
	case after.Failures > 0:
		return fmt.Errorf("%s: the poll failed: %s", name, after.Error)
	}
	last := web.Beat{}
	if n := len(after.Pulse); n > 0 {
		last = after.Pulse[n-1]
	}
	_, err = fmt.Fprintf(a.out, "%s: polled in %s, %d changes, %d events\n", name, span(after.Took), last.Changes, last.Events)
	return err
}

// awaitPoll waits until a poll has ended that had not before.
func awaitPoll(ctx context.Context, c *web.Client, name string, before time.Time) (web.SourceState, error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		s, err := c.Source(ctx, name)
		if err != nil || !s.Running && s.Last.After(before) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
	}
}
