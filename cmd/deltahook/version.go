package main

import (
	"context"
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
			cfg, err := a.loadQuiet()
			if err != nil {
				return err
			}
			if err := probe(cmd.Context(), cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, "ok")
			return err
		},
	}
}

// probe asks the admin address, or the socket beside the store where that is
// off.
func probe(ctx context.Context, cfg *configs.Config) error {
	if cfg.Server.Listen != "" {
		return web.Probe(ctx, cfg.Server.Listen)
	}
	client, err := web.Dial(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ready(ctx)
}
