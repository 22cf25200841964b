package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) sourcesCommand() *cobra.Command {
	var state, format string
	cmd := &cobra.Command{
		Use:     "sources [NAME]",
		GroupID: "steer",
		Short:   "Show how the sources fare: state, last and next poll, failures, holds",
		Long: `Show the sources of the running daemon: ok, new (never answered), failing, held
(an answer waits for a decision), or disabled in the configuration; when they
were polled last and are polled next, how many items they have, and what is
wrong. With a name, one of them, with what to do about it and its last polls.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if state != "" && !slices.Contains(sourceStates, web.Condition(state)) {
				return a.usage("--state %s: expected one of %s", state, wordsOf(sourceStates))
			}
			if state != "" && len(args) > 0 {
				return a.usage("--state is for the list: leave it out, or the name")
			}
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				if len(args) > 0 {
					return a.showSource(ctx, c, args[0], format)
				}
				return a.listSources(ctx, c, web.Condition(state), format)
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those in this state: "+wordsOf(sourceStates))
	_ = cmd.RegisterFlagCompletionFunc("state", completeWords(sourceStates))
	a.outputFlag(cmd, &format)
	return cmd
}

// sourceStates are the states of a source.
var sourceStates = []web.Condition{web.SourceOK, web.SourceNew, web.SourceFailing, web.SourceHeld, web.SourceDisabled}

func (a *app) listSources(ctx context.Context, c *web.Client, state web.Condition, format string) error {
	all, err := allSources(ctx, c, state)
	if err != nil {
		return err
	}
	if format == formJSON {
		return a.print(append([]web.SourceState{}, all...))
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.out, "no sources")
		return err
	}
	table := a.table("SOURCE", "STATE", "ITEMS", "WATCHES", "LAST POLL", "TOOK", "NEXT POLL", "REASON")
	for i := range all {
		s := &all[i]
		took := ""
		if !s.Last.IsZero() {
			took = span(s.Took)
		}
		table.row(s.Name, s.State, s.Items, s.Watches, shortTime(s.Last), took, nextPoll(s), sourceReason(s))
	}
	return table.flush()
}

// nextPoll is when a source is polled next.
func nextPoll(s *web.SourceState) string {
	if s.Running {
		return "now"
	}
	return shortTime(s.Next)
}

// sourceReason is what is wrong with a source, in a line.
func sourceReason(s *web.SourceState) string {
	switch {
	case s.Failures > 0:
		return s.Error
	case len(s.Holds) == 1:
		return heldText(&s.Holds[0])
	case len(s.Holds) > 1:
		return fmt.Sprintf("%d answers are held", len(s.Holds))
	case s.Waiting != "":
		return "waits for " + s.Waiting
	}
	return ""
}

func (a *app) showSource(ctx context.Context, c *web.Client, name, format string) error {
	s, err := c.Source(ctx, name)
	if err != nil {
		return misnamed(ctx, c, "source", name, sourceNames, err)
	}
	if format == formJSON {
		return a.print(s)
	}
	show := &printer{w: a.out}
	show.source(&s)
	show.beats(s.Pulse)
	return show.err
}

// source writes how a source fares, and what to do about it.
func (p *printer) source(s *web.SourceState) {
	p.section("Source", fmt.Sprintf("%s: %s", s.Name, s.State))
	schedule := "schedule " + s.Schedule
	if s.Timezone != "" {
		schedule += ", " + s.Timezone
	}
	p.more("%s", schedule)
	if s.Host != "" {
		p.more("asks %s", s.Host)
	}
	if s.Limit != "" {
		p.more("under the limit %s", s.Limit)
	}
	p.section("Polls", pollsText(s))
	if s.Waiting != "" {
		p.more("waits for %s", s.Waiting)
	}
	if s.Failures > 0 {
		p.section("Failing", fmt.Sprintf("since %s, %d in a row", shortTime(s.FailingSince), s.Failures))
		p.block(s.Error)
		if s.Advice != "" {
			p.more("What to do: %s", s.Advice)
		}
	}
	for i := range s.Holds {
		h := &s.Holds[i]
		p.section("Held", fmt.Sprintf("%s, since %s", h.State, shortTime(h.Since)))
		p.more("%s", heldText(h))
		which := s.Name
		if h.Watch != "" {
			which += " --watch " + h.Watch
		}
		p.more("What to do: look at the API, then deltahook release %s, or deltahook discard %s", which, which)
	}
	items := fmt.Sprint(s.Items)
	if !s.Baseline.IsZero() {
		items += ", the first answer remembered at " + shortTime(s.Baseline)
	}
	p.section("Items", items)
	if s.Watches > 0 {
		p.section("Watches", count(s.Watches, "key"))
	}
}

// pollsText says when a source was polled, and is.
func pollsText(s *web.SourceState) string {
	text := "none since the start"
	if !s.Last.IsZero() {
		text = fmt.Sprintf("the last %s, took %s", shortTime(s.Last), span(s.Took))
	}
	switch {
	case s.Running:
		text += "; one runs now"
	case !s.Next.IsZero():
		text += fmt.Sprintf("; the next %s (in %s)", shortTime(s.Next), max(0, time.Until(s.Next)).Round(time.Second))
	}
	return text
}

// shownBeats is how many of the last polls are shown.
const shownBeats = 10

// beats writes the last polls, the last one first.
func (p *printer) beats(all []web.Beat) {
	for i, b := range slices.Backward(all) {
		if len(all)-i > shownBeats {
			break
		}
		text := fmt.Sprintf("%s  %s, %s, took %s", shortTime(b.At), count(b.Changes, "change"), count(b.Events, "event"), span(b.Took))
		if b.Failed {
			text = fmt.Sprintf("%s  failed, took %s", shortTime(b.At), span(b.Took))
		}
		if i == len(all)-1 {
			p.section("Latest", text)
		} else {
			p.more("%s", text)
		}
	}
}
