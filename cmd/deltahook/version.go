package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/web"
)

// version is set by the build, from git.
var version = "dev"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "deltahook %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		GroupID: "dry",
		Short:   "Print the JSON Schema of the configuration, for editors",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(configs.Schema())
			return err
		},
	}
}

func (a *app) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "healthcheck",
		GroupID: "daemon",
		Short:   "Ask the daemon of this configuration whether it lives (for containers)",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.remote.server != "" {
				if err := a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error { return c.Alive(ctx) }); err != nil {
					return err
				}
				_, err := fmt.Fprintln(a.out, "ok")
				return err
			}
			var store, listen string
			cfg, err := a.loadQuiet()
			faulty, isFaulty := errors.AsType[*configs.Error](err)
			switch {
			case err == nil:
				store, listen = cfg.Store, cfg.Server.Listen
			case isFaulty:
				// The daemon runs on what was there when it started:
				// an edit that went wrong since is no reason to end it.
				store, listen = faulty.Store, faulty.Listen
			default:
				return err
			}
			if failed := probe(cmd.Context(), store, listen); failed != nil {
				return cmp.Or(err, failed)
			}
			_, err = fmt.Fprintln(a.out, "ok")
			return err
		},
	}
}

// probe asks on the socket beside the store, and on the admin address where
// nobody is there or none may be asked. "" is not asked.
func probe(ctx context.Context, store, listen string) error {
	err := errors.New("there is nothing to ask")
	if store != "" {
		var client *web.Client
		if client, err = web.Dial(ctx, store); err == nil {
			defer client.Close()
			return client.Alive(ctx)
		}
	}
	if listen != "" {
		return web.Probe(ctx, listen)
	}
	return err
}
