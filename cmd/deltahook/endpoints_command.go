package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) endpointsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "endpoints [NAME]",
		GroupID: "steer",
		Short:   "Show how the endpoints fare, and what waits for them",
		Long: `Show the endpoints: ok, failing (nothing arrived for five minutes), paused, or
disabled in the configuration; since when, and why; how many deliveries wait,
and how many are dead letters; how it is sent to: in which format and order, how
many attempts at once, at most at which rate. With a name, one of them, with what
to do about it.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				if len(args) > 0 {
					return a.showEndpoint(ctx, c, args[0], format)
				}
				all, err := c.Endpoints(ctx)
				if err != nil {
					return err
				}
				if format == formJSON {
					return a.print(all)
				}
				return a.showEndpoints(all)
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) showEndpoints(all []emitter.EndpointStatus) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.out, "no endpoints")
		return err
	}
	table := a.table("ENDPOINT", "STATE", "SINCE", "WAITING", "DEAD", "HELD UNTIL", "FORMAT", "ORDER", "AT ONCE", "RATE", "REASON")
	for _, e := range all {
		atOnce := ""
		if e.Concurrency > 0 {
			atOnce = strconv.Itoa(e.Concurrency)
		}
		table.row(e.Endpoint, endpointState(&e), shortTime(e.Begun()), e.Waiting, e.Dead, shortTime(e.Hold), e.Format, e.Order, atOnce, e.Rate, e.Reason)
	}
	return table.flush()
}

// endpointState is its state, and why where it is paused.
func endpointState(e *emitter.EndpointStatus) string {
	if e.State == emitter.ConditionPaused {
		return fmt.Sprintf("%s (%s)", e.State, e.Pause)
	}
	return string(e.State)
}

func (a *app) showEndpoint(ctx context.Context, c *web.Client, name, format string) error {
	e, err := c.Endpoint(ctx, name)
	if err != nil {
		return misnamed(ctx, c, "endpoint", name, endpointNames, err)
	}
	if format == formJSON {
		return a.print(e)
	}
	show := &printer{w: a.out}
	show.endpoint(&e)
	return show.err
}

// endpoint writes how an endpoint fares, and what to do about it.
func (p *printer) endpoint(e *emitter.EndpointStatus) {
	state := fmt.Sprintf("%s: %s", e.Endpoint, endpointState(e))
	if begun := e.Begun(); !begun.IsZero() {
		state += " since " + shortTime(begun)
	}
	p.section("Endpoint", state)
	if e.Host != "" {
		p.more("at %s", e.Host)
		p.more("format %s, order %s, %d at once", e.Format, e.Order, e.Concurrency)
	}
	if e.Rate.N > 0 {
		p.more("at most %s", e.Rate)
	}
	if e.Coalesce {
		p.more("updates of an item that wait become one")
	}
	if !e.Last.IsZero() {
		p.section("Attempts", "the last "+shortTime(e.Last))
	}
	if e.Failed > 0 {
		p.section("Failed", fmt.Sprintf("%d in a row, since %s", e.Failed, shortTime(e.FailedSince)))
	}
	if e.Reason != "" {
		p.block(e.Reason)
	}
	switch {
	case e.Pause == emitter.PauseManual:
		p.more("What to do: deltahook resume %s", e.Endpoint)
	case e.Pause != "":
		p.more("What to do: mend the receiver, then deltahook resume %s", e.Endpoint)
	case e.State == emitter.ConditionFailing:
		p.more("What to do: mend the receiver; deltahook send %s tries it, deltahook resume %s hastens what waits", e.Endpoint, e.Endpoint)
	}
	if !e.Hold.IsZero() {
		p.section("Held", "nothing is sent before "+shortTime(e.Hold))
	}
	p.section("Waiting", count(e.Waiting, "delivery"))
	if e.Waiting > 0 {
		p.more("deltahook deliveries --state waiting --endpoint %s", e.Endpoint)
	}
	p.section("Dead", count(e.Dead, "dead letter"))
	if e.Dead > 0 {
		p.more("deltahook deliveries --dead --endpoint %s; deltahook replay --endpoint %s", e.Endpoint, e.Endpoint)
	}
}
