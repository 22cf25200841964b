// Command deltahook polls APIs, finds out what changed, and tells it by
// signed webhooks. See README.md, or run it with --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
)

// Exit statuses.
const (
	exitFailed = 1 // something failed at run time
	exitUsage  = 2 // a faulty configuration or command line
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal is a context that the first SIGINT or SIGTERM ends. By then
// nobody listens for the second, which therefore ends the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}

// run executes one command line and gives the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var faulty *configs.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFaultsShown):
		return exitUsage
	case errors.As(err, &faulty):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case !a.started:
		fmt.Fprintf(stderr, "deltahook: %s\nRun '%s --help' for usage.\n", visibleLines(err.Error()), cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "deltahook: %s\n", visibleLines(err.Error()))
		return exitFailed
	}
}

// app is what the commands share.
type app struct {
	out, err io.Writer
	config   string // path of --config; "": look for one
	remote   remote // the daemon that is asked
	started  bool   // the command line was good, and the command runs
}

// usage is the error of a faulty command line that cobra can't know of.
func (a *app) usage(format string, args ...any) error {
	a.started = false
	return fmt.Errorf(format, args...)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "deltahook",
		Short: "Poll APIs, find out what changed, tell it by signed webhooks",
		Long: `Deltahook asks APIs that can only be polled, compares each answer with the
snapshot that it keeps, and sends a signed webhook when something changed.

Start with 'deltahook demo': it needs no network and no configuration.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			// Cobra itself looks after them only when this has run.
			if err := cmd.ValidateRequiredFlags(); err != nil {
				return err
			}
			a.started = true
			return nil
		},
	}
	root.SetVersionTemplate("deltahook {{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.config, "config", "c", "",
		"configuration file or folder (default: $DELTAHOOK_CONFIG, or deltahook.yaml, .yml or .toml here)")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml", "toml")
	root.AddGroup(&cobra.Group{ID: "daemon", Title: "The daemon:"}, &cobra.Group{ID: "steer", Title: "See and steer a running daemon:"},
		&cobra.Group{ID: "told", Title: "What was told:"}, &cobra.Group{ID: "dry", Title: "Try a configuration:"},
		&cobra.Group{ID: "hooks", Title: "Try webhooks:"})
	root.AddCommand(a.reaching(
		a.statusCommand(), a.sourcesCommand(), a.itemsCommand(), a.pollNowCommand(), a.watchCommand(),
		a.holdsCommand(), a.releaseCommand(), a.discardCommand(),
		a.endpointsCommand(), a.pauseCommand(), a.resumeCommand(), a.dropCommand(), a.reloadCommand(),
		a.eventsCommand(), a.deliveriesCommand(), a.replayCommand(), a.healthcheckCommand(), a.backupCommand(),
	)...)
	root.AddCommand(
		a.runCommand(), a.demoCommand(), a.compactCommand(), a.fsckCommand(),
		a.initCommand(), a.checkCommand(), a.pollCommand(), a.diffCommand(), a.schemaCommand(),
		a.listenCommand(), a.sendCommand(), a.secretCommand(),
		a.versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	sayArguments(root)
	return root
}
