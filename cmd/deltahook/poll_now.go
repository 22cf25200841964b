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
	var watch, wait, format string
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
				return a.pollNow(ctx, c, polledNow{Source: args[0], Watch: watch}, long.Std(), format)
			})
		},
	}
	cmd.Flags().StringVar(&watch, "watch", "", "only this watch key")
	cmd.Flags().StringVar(&wait, "wait", "", "wait so long for the poll to end, as 30s, and say how it went; status 1 where it failed")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	a.outputFlag(cmd, &format)
	return cmd
}

// polledNow is what poll-now says to programs.
type polledNow struct {
	Source    string `json:"source"`
	Watch     string `json:"watch,omitempty"`
	Ended     bool   `json:"ended"`           // false: it was not waited for, or not long enough
	Error     string `json:"error,omitempty"` // why it failed
	*web.Beat        // of a poll that has ended
}

func (a *app) pollNow(ctx context.Context, c *web.Client, p polledNow, wait time.Duration, format string) error {
	name := p.Source
	before, err := c.Source(ctx, name)
	if err == nil {
		err = c.Poll(ctx, name, p.Watch)
	}
	if err != nil {
		return misnamed(ctx, c, "source", name, sourceNames, err)
	}
	if wait == 0 {
		return a.say(format, p, "%s: is polled now", name)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	after, err := awaitPoll(ctx, c, name, before.Last)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%s: the poll has not ended after %s", name, wait)
	case err != nil:
		return err
	default:
		p.ended(&after)
		if p.Failed {
			err = fmt.Errorf("%s: the poll failed: %s", name, p.Error)
		}
	}
	if err != nil && format != formJSON {
		return err
	}
	if err != nil {
		return errors.Join(a.print(p), err)
	}
	return a.say(format, p, "%s: polled in %s, %s, %s", name, span(p.Took), count(p.Changes, "change"), count(p.Events, "event"))
}

// ended takes in how the poll went after which the source is as it is.
func (p *polledNow) ended(s *web.SourceState) {
	p.Ended, p.Beat = true, &web.Beat{At: s.Last, Took: s.Took, Failed: s.Failures > 0}
	if n := len(s.Pulse); n > 0 {
		p.Changes, p.Events = s.Pulse[n-1].Changes, s.Pulse[n-1].Events
	}
	if p.Failed {
		p.Error = s.Error
	}
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
