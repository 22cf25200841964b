package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/store/bolt"
)

func (a *app) compactCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "compact",
		GroupID: "daemon",
		Short:   "Make the store's file smaller, while no daemon runs",
		Long: `Write the store's file anew, without the space that is free in it. A store
reuses what is freed and seldom needs this: after a backlog that was large once,
or after 'retention' was made shorter.

The daemon must be stopped. The new file is made beside the old one, which needs
room for it, compared with it, and put in its place when it is durable; until
then the old one stays as it is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			return a.compact(cmd.Context(), cfg.Store, format)
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

// compacted is what compact says to programs.
type compacted struct {
	File   string `json:"file"`
	Before int64  `json:"before"` // bytes
	After  int64  `json:"after"`
}

func (a *app) compact(ctx context.Context, path, format string) error {
	before, after, err := bolt.Compact(ctx, path, nil)
	if errors.Is(err, bolt.ErrInUse) {
		return fmt.Errorf("%w: stop the daemon first, a file that is in use is not exchanged", err)
	}
	if err != nil {
		return err
	}
	return a.say(format, compacted{path, before, after}, "%s: %s, was %s", path, size(after), size(before))
}

// size is a number of bytes in the largest unit that leaves one before the
// point.
func size(n int64) string {
	for _, u := range []struct {
		of   int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.of {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.of), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
