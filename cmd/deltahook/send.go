package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/emitter"
)

func (a *app) sendCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:               "send ENDPOINT",
		GroupID:           "hooks",
		Short:             "Send a test event to an endpoint, once, and show what it answered",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.configuredEndpoints,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			return a.send(cmd.Context(), cfg, args[0], format)
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) send(ctx context.Context, cfg *configs.Config, name, format string) error {
	if _, ok := cfg.Endpoints[name]; !ok {
		return unknownName("endpoint", name, cfg.Endpoints)
	}
	redactor := cfg.Redactor()
	vault := &vault{path: cfg.Store}
	defer func() { _ = vault.Close() }() // what was stored is durable
	parts, err := assemble(cfg, surroundings{redactor: redactor, tokens: vault})
	if err != nil {
		return err
	}
	defer parts.close()
	endpoint, err := parts.endpoint(name)
	if err != nil {
		return err
	}
	trial, err := endpoint.Try(ctx, "a test by deltahook send")
	if err != nil {
		return err
	}
	if format == formJSON {
		err = a.print(trial)
	} else {
		show := &printer{w: a.out, hide: redactor}
		show.trial(&trial)
		err = show.err
	}
	if err == nil && !trial.Delivered {
		err = fmt.Errorf("not delivered: %s", redactor.Text(trial.Reason))
	}
	return err
}

// trial writes what was sent, and what came of it.
func (p *printer) trial(trial *emitter.Trial) {
	p.section("Sent", fmt.Sprintf("%s to %s (%s)", trial.Event, trial.Endpoint, trial.Host))
	p.block(string(trial.Payload))
	if attempt := trial.Attempt; attempt.Status > 0 {
		took := time.Duration(attempt.Took * float64(time.Second)).Round(time.Millisecond)
		p.section("Answer", fmt.Sprintf("status %d in %s", attempt.Status, took))
		p.block(attempt.Response)
	}
	if trial.Delivered {
		p.section("Outcome", "delivered")
	}
}
