package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
)

func (a *app) sendCommand() *cobra.Command {
	return &cobra.Command{
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
			return a.send(cmd.Context(), cfg, args[0])
		},
	}
}

func (a *app) send(ctx context.Context, cfg *configs.Config, name string) error {
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
	show := &printer{w: a.out, hide: redactor}
	trial, err := endpoint.Try(ctx, "a test by deltahook send")
	if err != nil {
		return err
	}
	show.section("Sent", fmt.Sprintf("%s to %s (%s)", trial.Event, name, trial.Host))
	show.block(string(trial.Payload))
	if attempt := trial.Attempt; attempt.Status > 0 {
		took := time.Duration(attempt.Took * float64(time.Second)).Round(time.Millisecond)
		show.section("Answer", fmt.Sprintf("status %d in %s", attempt.Status, took))
		show.block(attempt.Response)
	}
	if trial.Delivered {
		show.section("Outcome", "delivered")
		return show.err
	}
	if show.err != nil {
		return show.err
	}
	return fmt.Errorf("not delivered: %s", redactor.Text(trial.Reason))
}
