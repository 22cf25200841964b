package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) reloadCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:     "reload",
		GroupID: "steer",
		Short:   "Have the daemon read its configuration anew",
		Long: `Have the running daemon read its configuration anew, and show what that changed.
What is the same goes on undisturbed. A configuration that is faulty changes
nothing: its faults are shown, and the exit status is 2.

It is the daemon that reads, with its environment and from where it was started.
SIGHUP does the same, and so does a change of the files, unless reload.watch is
false.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				done, err := c.Reload(ctx)
				if faulty, ok := errors.AsType[*web.Faulty](err); ok {
					return a.refused(faulty, form)
				}
				if err != nil {
					return err
				}
				if form == formJSON {
					return a.print(done)
				}
				return a.showReload(done)
			})
		},
	}
	a.outputFlag(cmd, &form)
	return cmd
}

// refused shows faults as check does; to programs in the names of the API.
func (a *app) refused(f *web.Faulty, form string) error {
	if form == formJSON {
		return cmp.Or(a.print(map[string][]string{"faults": f.Faults}), errFaultsShown)
	}
	for _, text := range f.Faults {
		fmt.Fprintln(a.err, visible(text))
	}
	return errFaultsShown
}

// errFaultsShown ends a command as a faulty configuration does, whose faults were
// shown.
var errFaultsShown = errors.New("the configuration is faulty: the one before runs on")

func (a *app) showReload(done web.Reloaded) error {
	for _, text := range done.Warnings {
		fmt.Fprintf(a.err, "%s (warning)\n", visible(text))
	}
	none := true
	for _, part := range []struct {
		what string
		of   web.Reconfigured
	}{{"source", done.Sources}, {"endpoint", done.Endpoints}} {
		for _, line := range []struct {
			word  string
			names []string
		}{{"added", part.of.Added}, {"removed", part.of.Removed}, {"changed", part.of.Changed}} {
			if len(line.names) == 0 {
				continue
			}
			none = false
			shown := make([]string, len(line.names))
			for i, name := range line.names {
				shown[i] = name
				if was := done.Renamed[name]; was != "" && part.what == "source" && line.word == "added" {
					shown[i] += " (was " + was + ")"
				}
			}
			if _, err := fmt.Fprintf(a.out, "%ss %s: %s\n", part.what, line.word, visible(strings.Join(shown, ", "))); err != nil {
				return err
			}
		}
	}
	text := "reloaded"
	if none {
		text += ": no source and no endpoint is another"
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}
