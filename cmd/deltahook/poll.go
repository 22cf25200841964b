package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

func (a *app) pollCommand() *cobra.Command {
	var watch, form string
	cmd := &cobra.Command{
		Use:     "poll SOURCE",
		GroupID: "dry",
		Short:   "Ask a source once and show what would be told; change nothing",
		Long: `Ask a source once, from its stored cursor on if it has one, and show the request
(secrets hidden), the shape of the answer, its items, what differs from the
stored snapshot, why each item makes an event or none, rule by rule, and the
events and payloads that would be sent. Nothing is stored and nothing is sent.
It works beside a running daemon; 'deltahook poll-now' has that one poll, and
tell.

There is one exception: where the source's token is asked for with a refresh
token, and the answer has a new one, that is stored, or access would be lost.
A running daemon keeps such tokens to itself; then the poll fails.

A source with watch keys is asked for one of them: that of --watch, or the
first there is, in the list, in the file, or among those that the daemon or
the store knows.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.configuredSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			return a.poll(cmd.Context(), cfg, args[0], watch, form)
		},
	}
	a.outputFlag(cmd, &form)
	cmd.Flags().StringVar(&watch, "watch", "", "the watch key to ask for")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	return cmd
}

func (a *app) poll(ctx context.Context, cfg *configs.Config, name, watch, form string) error {
	redactor := cfg.Redactor()
	dry, err := newDryRun(cfg, name, redactor)
	if err != nil {
		return err
	}
	defer dry.close()
	if err := a.pickWatch(ctx, cfg, dry, watch); err != nil {
		return err
	}
	show := a.printer(form, redactor)
	show.confirm = 1 // the snapshot's own count confirms

	snapshot, err := freeze(ctx, cfg, dry.polled.Unit())
	if err != nil {
		return err
	}
	d := dry.differ(snapshot)
	stored, err := d.Load(ctx)
	if err != nil {
		return err
	}
	// As the daemon would ask, but for the validators: a 304 would show nothing.
	marks := poller.Bookmarks{Cursor: stored[dry.polled.Unit()].Cursor}
	preview, err := dry.polled.Preview(marks)
	if err != nil {
		return err
	}
	show.request(preview)
	start := time.Now()
	answer, err := dry.polled.Ask(ctx, marks)
	if err := dry.vault.Close(); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("the poll failed, and would have changed nothing: %w", err)
	}
	took := time.Since(start)
	show.answer(answer, took)
	show.section("Snapshot", snapshot.String())
	outcome, err := d.Preview(ctx, answer)
	if err != nil {
		return fmt.Errorf("the answer is not taken in, and changes nothing: %w", err)
	}
	if form == formJSON {
		doc := &dryJSON{Source: name, Snapshot: &snapshotJSON{snapshot.state.Version, len(snapshot.items)}}
		doc.asked(preview, answer, took, redactor)
		doc.take(outcome, redactor)
		return a.print(doc)
	}
	show.outcome(outcome)
	return show.err
}

// dryRun is one source with everything that its events go through.
type dryRun struct {
	parts  *parts
	vault  *vault
	polled *poller.Source
	diffed *differ.Source
}

func newDryRun(cfg *configs.Config, name string, redactor *secret.Redactor) (*dryRun, error) {
	if _, err := sourceNamed(cfg, name); err != nil {
		return nil, err
	}
	vault := &vault{path: cfg.Store}
	parts, err := assemble(cfg, surroundings{redactor: redactor, tokens: vault})
	if err != nil {
		return nil, err
	}
	for i, s := range parts.polled {
		if s.Name() == name {
			return &dryRun{parts, vault, s, parts.diffed[i]}, nil
		}
	}
	return nil, fmt.Errorf("source %s is configured and was not assembled", name)
}

// close ends what the run had open.
func (r *dryRun) close() {
	r.parts.close()
	_ = r.vault.Close() // what was stored is durable
}

// differ is a differ of the one source over store, rendering as the daemon
// would.
func (r *dryRun) differ(store differ.Store) *differ.Differ {
	return differ.New([]*differ.Source{r.diffed}, store, emitter.New(r.parts.endpoints, nil, emitter.Options{}), differ.Options{})
}
