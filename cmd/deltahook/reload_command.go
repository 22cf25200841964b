package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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
	lines := saidOf(&done, math.MaxInt)
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.out, visible(line)); err != nil {
			return err
		}
	}
	text := "reloaded"
	if len(lines) == 0 {
		text += ": no source and no endpoint is another"
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// saidOf is what a reload changed, a line of each kind with at most so many
// names.
func saidOf(done *web.Reloaded, most int) (lines []string) {
	for _, n := range done.Named() {
		line := n.Kind + "s " + n.Did + ": " + strings.Join(n.Names[:min(len(n.Names), most)], ", ")
		if more := len(n.Names) - most; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, line)
	}
	return lines
}
