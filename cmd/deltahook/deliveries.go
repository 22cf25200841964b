package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) deliveriesCommand() *cobra.Command {
	var ask listing
	var dead bool
	cmd := &cobra.Command{
		Use:     "deliveries",
		GroupID: "told",
		Short:   "Show deliveries: what waits, what arrived, dead letters",
		Long: `Show deliveries, the newest first (dead letters by when they died): of the
running daemon or, where none runs, of its store. 'deltahook deliveries show
NUMBER' shows one with its payload and its attempts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dead {
				ask.state = cmp.Or(ask.state, string(emitter.Dead))
			}
			if err := ask.check(a); err != nil {
				return err
			}
			return a.archive(cmd.Context(), func(ctx context.Context, of web.Archive) error { return a.listDeliveries(ctx, of, &ask) })
		},
	}
	ask.flags(a, cmd)
	byDeath(cmd)
	cmd.Flags().StringVar(&ask.filter.Event, "event", "", "of the event with this id")
	cmd.Flags().BoolVar(&dead, "dead", false, "dead letters: --state dead")
	cmd.AddCommand(a.showDeliveryCommand())
	return cmd
}

func (a *app) listDeliveries(ctx context.Context, of web.Archive, ask *listing) error {
	page, err := gather(ask, func(p emitter.Page) ([]emitter.DeliveryRecord, emitter.Rest, error) {
		page, err := of.Deliveries(ctx, ask.filter, p)
		return page.Deliveries, page.Rest, err
	})
	if err != nil {
		return err
	}
	if ask.format == formJSON {
		return a.print(emitter.DeliveryPage{Deliveries: append([]emitter.DeliveryRecord{}, page.list...), Rest: page.rest})
	}
	what, at := "deliveries", "QUEUED"
	if ask.filter.State == emitter.Dead {
		what, at = "dead letters", "DIED"
	}
	if len(page.list) > 0 {
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NUMBER\t"+at+"\tENDPOINT\tSTATE\tATTEMPTS\tTYPE\tSOURCE\tKEY\tEVENT")
		for _, d := range page.list {
			when := d.Queued
			if ask.filter.State == emitter.Dead {
				when = d.Settled
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.Number, when.UTC().Format(time.RFC3339), d.Endpoint,
				d.State, d.Attempts, d.Event.Type, unitOf(d.Event), visible(d.Event.Key), d.Event.ID)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return a.printRest(what, len(page.list), page.rest)
}

func (a *app) showDeliveryCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show one delivery with its payload and its last attempts",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return a.usage("%q is not the number of a delivery", args[0])
			}
			return a.archive(cmd.Context(), func(ctx context.Context, of web.Archive) error { return a.showDelivery(ctx, of, number, format) })
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) showDelivery(ctx context.Context, of web.Archive, number uint64, format string) error {
	d, err := of.Delivery(ctx, number)
	if err != nil {
		return err
	}
	tried, err := of.Attempts(ctx, number, emitter.Page{})
	if err != nil {
		return err
	}
	if format == formJSON {
		return a.print(struct {
			emitter.DeliveryRecord
			Tried []emitter.AttemptRecord `json:"tried"` // the last first
		}{d, tried.Attempts})
	}
	show := &printer{w: a.out}
	show.section("Delivery", fmt.Sprintf("%d to %s: %s", d.Number, d.Endpoint, stateOf(&d)))
	show.event(d.Event)
	for _, t := range tried.Attempts {
		show.attempt(&t)
	}
	if tried.Next != "" {
		show.more("… and earlier ones")
	}
	show.section("Payload", "")
	show.payload(d.Payload)
	return show.err
}

// stateOf says where a delivery stands.
func stateOf(d *emitter.DeliveryRecord) string {
	text := string(d.State)
	switch {
	case d.State == emitter.Waiting && d.Attempts > 0:
		text += ", next attempt at " + d.Due.UTC().Format(time.RFC3339)
	case !d.Settled.IsZero():
		text += " since " + d.Settled.UTC().Format(time.RFC3339)
	}
	if d.SupersededBy != 0 {
		text += fmt.Sprintf(" by %d, which is of event %s", d.SupersededBy, d.SupersededByEvent)
	}
	if d.ReplayOf != 0 {
		text += fmt.Sprintf(", a replay of %d", d.ReplayOf)
	}
	if d.ReplayedBy != 0 {
		text += fmt.Sprintf(", replayed by %d", d.ReplayedBy)
	}
	return text
}

// event writes what an event is of.
func (p *printer) event(e *emitter.EventRecord) {
	p.section("Event", e.ID+" "+e.Type)
	if e.Key == "" && e.Change == "" {
		p.more("of %s", unitOf(e))
	} else {
		p.more("%s of %s, %s, revision %d", e.Key, unitOf(e), e.Change, e.Revision)
	}
	p.more("seen %s, committed %s", e.Time.UTC().Format(time.RFC3339), e.Created.UTC().Format(time.RFC3339))
}

func (p *printer) payload(payload []byte) {
	var pretty bytes.Buffer
	if json.Indent(&pretty, payload, "", "  ") != nil {
		pretty.Reset()
		pretty.Write(payload)
	}
	p.block(pretty.String())
}

// attempt writes one attempt, or why the delivery ended without one.
func (p *printer) attempt(a *emitter.AttemptRecord) {
	if a.End {
		p.section("End", a.At.UTC().Format(time.RFC3339))
		p.more("%s", cmp.Or(a.Reason, string(a.Error)))
		return
	}
	text := fmt.Sprintf("%d at %s, %s", a.Attempt, a.At.UTC().Format(time.RFC3339), time.Duration(a.Took*float64(time.Second)).Round(time.Millisecond))
	if a.Status != 0 {
		text += fmt.Sprintf(": %d %s", a.Status, http.StatusText(a.Status))
	}
	p.section("Attempt", text)
	if a.Reason != "" {
		p.more("%s", a.Reason)
	} else if a.Error != "" {
		p.more("%s", a.Error)
	}
	if a.Response != "" {
		p.block(a.Response)
	}
}
