package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

func (a *app) sendCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "send ENDPOINT",
		GroupID:           "hooks",
		Short:             "Send a test event to an endpoint, once, and show what it answered",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEndpoints,
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
	settings, ok := cfg.Endpoints[name]
	if !ok {
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
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	event := differ.Event{
		ID: "evt_" + id.String(), Type: "deltahook.test", Source: "deltahook", Key: "test",
		Change: differ.Created, Revision: 1, Time: time.Now().UTC(), New: []byte(`{"message":"a test by deltahook send"}`),
	}
	body, err := endpoint.Render(&event)
	if err != nil {
		return err
	}
	show := &printer{w: a.out, hide: redactor}
	show.section("Sent", fmt.Sprintf("%s to %s (%s)", event.ID, name, endpoint.Host()))
	show.block(string(body))
	attempt := endpoint.Send(ctx, emitter.Delivery{
		Event: event.ID, Type: event.Type, Source: event.Source, Key: event.Key, Revision: event.Revision, Time: event.Time,
		Endpoint: name, Body: body,
	})
	verdict := emitter.Judge(attempt, settings.Policy(), 1, time.Now(), 0.5)
	if attempt.Status > 0 {
		show.section("Answer", fmt.Sprintf("status %d in %s", attempt.Status, attempt.Took.Round(time.Millisecond)))
		show.block(string(attempt.Response))
	}
	if verdict.State == emitter.Delivered {
		show.section("Outcome", "delivered")
		return show.err
	}
	if show.err != nil {
		return show.err
	}
	return fmt.Errorf("not delivered: %s", redactor.Text(verdict.Reason))
}
