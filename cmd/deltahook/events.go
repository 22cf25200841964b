package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) eventsCommand() *cobra.Command {
	var ask listing
	cmd := &cobra.Command{
		Use:     "events",
		GroupID: "told",
		Short:   "Show what was told, and to whom",
		Long: `Show events, the newest first, with what became of each at its endpoints: of
the running daemon or, where none runs, of its store. 'deltahook events show ID'
shows one with its payloads.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ask.check(a); err != nil {
				return err
			}
			return a.archive(cmd.Context(), func(ctx context.Context, of web.Archive) error { return a.listEvents(ctx, of, &ask) })
		},
	}
	ask.flags(a, cmd)
	cmd.AddCommand(a.showEventCommand())
	return cmd
}

func (a *app) showEventCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one event with its payloads",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: a.completeEvents,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.archive(cmd.Context(), func(ctx context.Context, of web.Archive) error {
				e, err := of.Event(ctx, args[0])
				if err != nil {
					return err
				}
				if format == formJSON {
					return a.print(e)
				}
				show := &printer{w: a.out}
				show.event(&e)
				for _, d := range e.Deliveries {
					show.section("Delivery", fmt.Sprintf("%d to %s: %s", d.Number, d.Endpoint, stateOf(&d)))
					show.payload(d.Payload)
				}
				return show.err
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) listEvents(ctx context.Context, of web.Archive, ask *listing) error {
	page, err := gather(ask, func(p emitter.Page) ([]emitter.EventRecord, emitter.Rest, error) {
		page, err := of.Events(ctx, ask.filter, p)
		return page.Events, page.Rest, err
	})
	if err != nil {
		return err
	}
	if ask.format == formJSON {
		return a.print(emitter.EventPage{Events: append([]emitter.EventRecord{}, page.list...), Rest: page.rest})
	}
	if len(page.list) > 0 {
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TIME\tEVENT\tTYPE\tSOURCE\tKEY\tREVISION\tTOLD TO")
		for _, e := range page.list {
			var to []string
			for _, d := range e.Deliveries {
				to = append(to, d.Endpoint+" "+string(d.State))
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n",
				e.Created.UTC().Format(time.RFC3339), e.ID, e.Type, unitOf(&e), visible(e.Key), e.Revision, strings.Join(to, ", "))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return a.printRest("events", len(page.list), page.rest)
}

// unitOf is an event's source, and its watch key where there is one.
func unitOf(e *emitter.EventRecord) string {
	if e.Watch == "" {
		return e.Source
	}
	return e.Source + "/" + visible(e.Watch)
}

// archive does something with what was told: by the daemon that runs with the
// configuration, or by its store where none runs.
func (a *app) archive(ctx context.Context, do func(context.Context, web.Archive) error) error {
	client, cfg, err := a.dial(ctx)
	if err == nil {
		defer client.Close()
		return a.explain(ctx, client, do(ctx, client))
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return err
	}
	store, err := bolt.Open(cfg.Store, bolt.Options{ReadOnly: true, Version: version})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: nothing was told yet", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, store), store.Close())
}

// listing is what a list is asked for.
type listing struct {
	filter       emitter.Filter
	state        string
	since, until string
	limit        int
	cursor       string
	format       string
}

// filterFlags adds the flags that say what is meant.
func (l *listing) filterFlags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.filter.Source, "source", "", "of this source")
	f.StringVar(&l.filter.Type, "type", "", "of this type, as shipment.delivered")
	f.StringVar(&l.filter.Key, "key", "", "of this item")
	f.StringVar(&l.filter.Watch, "watch", "", "of this watch key")
	f.StringVar(&l.filter.Endpoint, "endpoint", "", "to this endpoint")
	f.StringVar(&l.since, "since", "", "from then on: 2026-11-23T10:00:00Z, or 2h for two hours ago")
	f.StringVar(&l.until, "until", "", "before then")
	_ = cmd.RegisterFlagCompletionFunc("source", a.completeSource)
	_ = cmd.RegisterFlagCompletionFunc("type", a.completeType)
	for _, free := range []string{"key", "since", "until"} {
		_ = cmd.RegisterFlagCompletionFunc(free, cobra.NoFileCompletions)
	}
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	_ = cmd.RegisterFlagCompletionFunc("endpoint", a.completeEndpoint)
}

// byDeath has --since and --until say of what time of dead letters they are.
func byDeath(cmd *cobra.Command) {
	for _, name := range []string{"since", "until"} {
		cmd.Flags().Lookup(name).Usage += "; dead letters by when they died"
	}
}

func (l *listing) flags(a *app, cmd *cobra.Command) {
	l.filterFlags(a, cmd)
	f := cmd.Flags()
	f.StringVar(&l.state, "state", "", "only those in this state: "+wordsOf(emitter.States()))
	f.IntVar(&l.limit, "limit", emitter.DefaultPage, fmt.Sprintf("how many, at most %d", emitter.MaxPage))
	f.StringVar(&l.cursor, "cursor", "", "go on where a list before ended")
	_ = cmd.RegisterFlagCompletionFunc("state", completeWords(emitter.States()))
	a.outputFlag(cmd, &l.format)
}

// check reads what flags can't.
func (l *listing) check(a *app) error {
	if l.limit < 1 || l.limit > emitter.MaxPage {
		return a.usage("--limit %d: expected 1 to %d", l.limit, emitter.MaxPage)
	}
	l.filter.State = emitter.State(l.state)
	if l.state != "" && !slices.Contains(emitter.States(), l.filter.State) {
		return a.usage("--state %s: expected one of %s", l.state, wordsOf(emitter.States()))
	}
	return l.times(a)
}

// times reads --since and --until.
func (l *listing) times(a *app) (err error) {
	now := time.Now()
	if l.filter.Since, err = moment(l.since, now); err != nil {
		return a.usage("--since %w", err)
	}
	if l.filter.Until, err = moment(l.until, now); err != nil {
		return a.usage("--until %w", err)
	}
	return nil
}

// moment is a time, or so long ago; the zero time of "".
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	var ago units.Duration
	if ago.UnmarshalText([]byte(text)) != nil {
		return time.Time{}, fmt.Errorf("%s: expected a time such as 2026-11-23T10:00:00Z, or a duration such as 2h", text)
	}
	return now.Add(-ago.Std()), nil
}

// gathered is a part of a list.
type gathered[T any] struct {
	list []T
	rest emitter.Rest
}

// maxEmpty is how many pages are asked for that bring nothing: each has looked
// at some thousand records.
const maxEmpty = 200

// gather asks for as much of a list as is wanted: a page may be short, or empty,
// and not the last.
func gather[T any](ask *listing, get func(emitter.Page) ([]T, emitter.Rest, error)) (g gathered[T], err error) {
	p := emitter.Page{Cursor: ask.cursor}
	for range maxEmpty {
		p.Limit = ask.limit - len(g.list)
		list, rest, err := get(p)
		if err != nil {
			return g, err
		}
		g.list = append(g.list, list...)
		g.rest.Next, g.rest.Damaged = rest.Next, g.rest.Damaged+rest.Damaged
		if g.rest.Damage == "" {
			g.rest.Damage = rest.Damage
		}
		if p.Cursor = rest.Next; p.Cursor == "" || len(g.list) >= ask.limit {
			break
		}
	}
	return g, nil
}

// printRest says what there is beside a table.
func (a *app) printRest(what string, n int, rest emitter.Rest) error {
	if rest.Damaged > 0 {
		fmt.Fprintf(a.err, "%d %s are not shown, for they are damaged: %s\n", rest.Damaged, what, visible(rest.Damage))
	}
	switch {
	case rest.Next != "":
		fmt.Fprintf(a.err, "there may be more: --cursor %s\n", rest.Next)
	case n == 0:
		fmt.Fprintf(a.out, "no %s\n", what)
	}
	return nil
}
