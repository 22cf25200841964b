package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/web"
)

// holds is the differ as the admin address sees it, and the poller, which asks
// at once when something was decided. Both may still be starting.
type holds struct {
	differ  *differ.Differ
	watches *watches
}

// Holds are those there are.
func (h *holds) Holds() []differ.HeldUnit { return h.differ.Holds() }

// Decide stores a decision, and has the source polled.
func (h *holds) Decide(ctx context.Context, source, watch string, state differ.HoldState) error {
	err := h.differ.Decide(ctx, source, watch, state)
	if errors.Is(err, differ.ErrNoHold) {
		return refusal{fmt.Errorf("%s: %w", source, err), web.ErrNotFound}
	}
	if p := h.watches.poller.Load(); p != nil && err == nil {
		_ = p.PollNow(source, watch) // otherwise its schedule brings it
	}
	return err
}

func (a *app) holdsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "holds",
		GroupID: "steer",
		Short:   "Show the answers that are held",
		Long: `Show which sources have an answer that is held: it would delete or tell more
than max_deletes and max_events let pass unseen. Nothing of it is told, and
what is remembered stays, until it is released or discarded, or until the API
gives an answer that passes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				list, err := c.Holds(ctx)
				if err != nil {
					return err
				}
				return a.showHolds(list, format)
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) showHolds(list []differ.HeldUnit, format string) error {
	if format == formJSON {
		return a.print(append([]differ.HeldUnit{}, list...))
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing is held")
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tWATCH\tSTATE\tSINCE\tREASON\tITEMS\tCREATED\tUPDATED\tDELETED\tEVENTS")
	for _, h := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d of %d\t%d\t%d\t%d\t%d\n", h.Source, visible(h.Watch), h.State,
			h.Since.Format(time.RFC3339), h.Reason, h.Listed, h.Known, h.Created, h.Updated, h.Deleted, h.Events)
	}
	return table.Flush()
}

func (a *app) releaseCommand() *cobra.Command {
	var watch, format string
	var silently bool
	cmd := &cobra.Command{
		Use:     "release SOURCE",
		GroupID: "steer",
		Short:   "Let an answer that is held be taken in and told",
		Long: `Say that an answer which is held is right. The source is polled at once, and
its answer is taken in, if it deletes and tells no more than what was held and
a tenth; one that goes beyond that is held anew.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			state := differ.Released
			if silently {
				state = differ.ReleasedSilently
			}
			return a.decide(cmd.Context(), decided{args[0], watch, state}, format)
		},
	}
	cmd.Flags().StringVar(&watch, "watch", "", "the watch key, where the source has some")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	cmd.Flags().BoolVar(&silently, "silently", false, "take it in without telling anything")
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) discardCommand() *cobra.Command {
	var watch, format string
	cmd := &cobra.Command{
		Use:     "discard SOURCE",
		GroupID: "steer",
		Short:   "Pass over an answer that is held, and all that are like it",
		Long: `Say that an answer which is held is wrong. What is remembered stays, and
answers like it are passed over without another word until one comes that
passes.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), decided{args[0], watch, differ.Discarded}, format)
		},
	}
	cmd.Flags().StringVar(&watch, "watch", "", "the watch key, where the source has some")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	a.outputFlag(cmd, &format)
	return cmd
}

// decided is a decision about what is held, as it is said to programs.
type decided struct {
	Source string           `json:"source"`
	Watch  string           `json:"watch,omitempty"`
	State  differ.HoldState `json:"state"`
}

func (a *app) decide(ctx context.Context, d decided, format string) error {
	return a.ask(ctx, func(ctx context.Context, c *web.Client) error {
		if err := c.Decide(ctx, d.Source, d.Watch, d.State); err != nil {
			return misnamed(ctx, c, "source", d.Source, sourceNames, err)
		}
		text := map[differ.HoldState]string{
			differ.Released:         "released: it is polled now, and what was held is told",
			differ.ReleasedSilently: "released: it is polled now, and what was held is taken in without a word",
			differ.Discarded:        "discarded: what is remembered stays",
		}[d.State]
		return a.say(format, d, "%s: %s", d.Source, text)
	})
}

// heldText says what an answer that is held would have done.
func heldText(h *differ.HeldUnit) string {
	text := fmt.Sprintf("an answer is held by %s: %d created, %d updated, %d deleted of %s, %s",
		h.Reason, h.Created, h.Updated, h.Deleted, count(h.Known, "item"), count(h.Events, "event"))
	if h.Watch != "" {
		text += ", of watch key " + h.Watch
	}
	return text
}
