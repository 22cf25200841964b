package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) replayCommand() *cobra.Command {
	var ask listing
	var order emitter.ReplayOrder
	var rate, settled, format string
	cmd := &cobra.Command{
		Use:     "replay [EVENT | NUMBER]",
		GroupID: "told",
		Short:   "Tell something again: dead letters, or what arrived",
		Long: `Put deliveries back into the queue of the running daemon: one event, to all its
endpoints or to --endpoint; one delivery, by its number; or all dead letters
that the filters say, in the order of their events, at a bounded rate. Each is
sent with the id and the body that it had, behind what waits of its item.

What waits already is left alone, so that the same replay can be run again
after it was stopped. Ctrl-C stops it; what was put back stays so.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeEvents,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.readReplay(args, &ask, &order, rate, settled); err != nil {
				return err
			}
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error { return a.replay(ctx, c, order, format) })
		},
	}
	ask.filterFlags(a, cmd)
	byDeath(cmd)
	f := cmd.Flags()
	f.BoolVar(&order.All, "all", false, "all there are, where no filter is given")
	f.StringVar(&ask.state, "state", "", "dead, delivered, expired, superseded or any: which of them (default: dead, and of one event or delivery any)")
	_ = cmd.RegisterFlagCompletionFunc("state", completeWords(replayStates))
	f.StringVar(&settled, "settled", "", "only what arrived or died before then (default: now)")
	f.StringVar(&rate, "rate", emitter.ReplayRate().String(), "how many are put back in a span of time")
	f.BoolVar(&order.Dry, "dry-run", false, "say how many, and put nothing back")
	a.outputFlag(cmd, &format)
	return cmd
}

// replayStates are what --state takes.
var replayStates = []emitter.State{emitter.Dead, emitter.Delivered, emitter.Expired, emitter.StateSuperseded, emitter.AnyState}

// readReplay makes an order of arguments and flags. What is wrong with it as a
// whole the daemon says.
func (a *app) readReplay(args []string, ask *listing, order *emitter.ReplayOrder, rate, settled string) (err error) {
	if err := ask.times(a); err != nil {
		return err
	}
	f := &ask.filter
	order.Endpoint, order.Source, order.Watch, order.Type, order.Key = f.Endpoint, f.Source, f.Watch, f.Type, f.Key
	order.Since, order.Until, order.State = f.Since, f.Until, emitter.State(ask.state)
	if order.Settled, err = moment(settled, time.Now()); err != nil {
		return a.usage("--settled %w", err)
	}
	if err := order.Rate.UnmarshalText([]byte(rate)); err != nil {
		return a.usage("--rate: %w", err)
	}
	if len(args) > 0 {
		number, err := strconv.ParseUint(args[0], 10, 64)
		if order.Delivery = number; err != nil {
			order.Event = args[0]
		}
	}
	if err := order.Check(); err != nil {
		return a.usage("%w", err)
	}
	return nil
}

// replay has the daemon replay, and waits for the end.
func (a *app) replay(ctx context.Context, c *web.Client, order emitter.ReplayOrder, format string) error {
	total := a.replayTotal(ctx, c, order)
	job, err := c.StartReplay(context.WithoutCancel(ctx), order) // it could not be stopped without its id
	shown := a.progress("replay", func(n int64) string { return strconv.FormatInt(n, 10) })
	for id := job.ID; err == nil && job.State == emitter.ReplayRunning; {
		job, err = c.Replay(ctx, id)
		if ctx.Err() != nil {
			job, err = c.StopReplay(context.WithoutCancel(ctx), id)
		}
		shown.at(int64(job.Replayed.Replayed), total)
	}
	shown.end()
	if err != nil {
		return err
	}
	if format == formJSON {
		err = a.print(job)
	} else {
		_, err = fmt.Fprintln(a.out, sumUp(&job))
	}
	switch {
	case err != nil:
		return err
	case job.State == emitter.ReplayFailed:
		return fmt.Errorf("the replay failed: %s", job.Error)
	case job.State == emitter.ReplayStopped:
		return fmt.Errorf("the replay was stopped; to go on: the same with --settled %s", job.Order.Settled.Format(time.RFC3339Nano))
	case job.Replayed.Replayed == 0 && (order.Event != "" || order.Delivery != 0):
		return errors.New("nothing was put back")
	}
	return nil
}

// replayTotal is how many a replay would put back, for the bar of a terminal; 0:
// nobody wants to know, or it takes too long to count.
func (a *app) replayTotal(ctx context.Context, c *web.Client, order emitter.ReplayOrder) int64 {
	if columns(a.err) == 0 || order.Dry || order.Event != "" || order.Delivery != 0 {
		return 0
	}
	order.Dry = true
	job, err := c.StartReplay(context.WithoutCancel(ctx), order)
	if err == nil && job.State == emitter.ReplayRunning {
		job, err = c.Replay(ctx, job.ID) // waits a few seconds
	}
	if err == nil && job.State == emitter.ReplayRunning {
		_, _ = c.StopReplay(context.WithoutCancel(ctx), job.ID)
	}
	if err != nil || job.State != emitter.ReplayDone {
		return 0
	}
	return int64(job.Replayed.Replayed)
}

// sumUp says what a replay came to.
func sumUp(job *emitter.ReplayJob) string {
	text := fmt.Sprintf("%d put back", job.Replayed.Replayed)
	if job.Order.Dry {
		text = fmt.Sprintf("%d would be put back", job.Replayed.Replayed)
	}
	parts := []string{text}
	for _, part := range []struct {
		n    int
		text string
	}{
		{job.Waiting, "wait already"},
		{job.Unsendable, "cannot be sent, for their payload could not be made"},
		{job.Superseded, "were superseded: a later update tells of them"},
		{job.Unconfigured, "are to endpoints that are not configured"},
		{job.Damaged, "are damaged: " + visible(job.Damage)},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	return strings.Join(parts, "; ")
}
