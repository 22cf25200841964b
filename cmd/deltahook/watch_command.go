package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/web"
)

// Bounds of what is read of watch keys, and asked for at once.
const (
	maxWatchLine  = 64 << 10  // bytes of a line
	maxWatchLines = 1_000_000 // of standard input
	watchesAtOnce = 1000
)

func (a *app) watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "watch",
		GroupID: "steer",
		Short:   "Add, remove and show the watch keys of a source",
		Long: `Add, remove and show the keys that a source is polled for, in the running daemon.
Keys that are added so are kept over restarts.`,
	}
	cmd.AddCommand(
		a.changeWatchCommand("add SOURCE KEY…", "Have a source polled for keys",
			func(keys []string) web.WatchOrder { return web.WatchOrder{Add: keys} }),
		a.changeWatchCommand("rm SOURCE KEY…", "Have a source polled for keys no more, which were added so",
			func(keys []string) web.WatchOrder { return web.WatchOrder{Remove: keys} }),
		a.listWatchCommand(),
	)
	return cmd
}

func (a *app) listWatchCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "ls SOURCE",
		Short: "Show the watch keys of a source, and where they come from",
		Long: `Show the watch keys of a source: config, file, items (of another source) or api
say where each comes from; one that is retired is not polled any more.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				keys, err := c.Watched(ctx, args[0])
				if err != nil {
					return misnamed(ctx, c, "source", args[0], sourceNames, err)
				}
				return a.showWatches(args[0], keys, format)
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) showWatches(source string, keys []web.WatchKey, format string) error {
	if format == formJSON {
		return a.print(append([]web.WatchKey{}, keys...))
	}
	if len(keys) == 0 {
		_, err := fmt.Fprintf(a.out, "no watch keys of %s\n", source)
		return err
	}
	table := a.table("KEY", "STATE", "FROM")
	for _, k := range keys {
		state := "watched"
		if k.Retired {
			state = "retired"
		}
		table.row(k.Key, state, strings.Join(k.From, ", "))
	}
	return table.flush()
}

// changeWatchCommand adds keys, or removes them.
func (a *app) changeWatchCommand(use, short string, order func([]string) web.WatchOrder) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `. - reads keys from standard input, one a line. Each key
is worked on by itself: those that are refused are told on standard error, and
the exit status is 1.`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: a.completeSourceAndKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := watchKeys(args[1:], cmd.InOrStdin())
			if err != nil {
				return err
			}
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				result, err := a.changeWatches(ctx, c, args[0], keys, order)
				if err != nil {
					return misnamed(ctx, c, "source", args[0], sourceNames, err)
				}
				return a.showChanged(args[0], result, format)
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

// watchKeys are the keys that are named, each once, in their order.
func watchKeys(args []string, in io.Reader) (keys []string, err error) {
	seen := map[string]bool{}
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for _, arg := range args {
		if arg != "-" {
			add(arg)
			continue
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxWatchLine)
		for lines.Scan() {
			if key := strings.TrimSpace(lines.Text()); key != "" {
				add(key)
			}
			if len(keys) > maxWatchLines {
				return nil, fmt.Errorf("standard input has more than %d keys", maxWatchLines)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("reading keys from standard input: %w", err)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("standard input has no key")
	}
	return keys, nil
}

// changeWatches has the daemon work on keys, some at a time.
func (a *app) changeWatches(ctx context.Context, c *web.Client, source string, keys []string, order func([]string) web.WatchOrder,
) (all web.WatchResult, err error) {
	shown := a.progress("watch keys", func(n int64) string { return fmt.Sprint(n) })
	defer shown.end()
	total := int64(len(keys))
	all.Refused = []web.RefusedWatch{}
	for some := range slices.Chunk(keys, watchesAtOnce) {
		result, err := c.ChangeWatches(ctx, source, order(some))
		if err != nil {
			if n := doneOf(&all); n > 0 {
				err = fmt.Errorf("after %d of %d keys: %w", n, total, err)
			}
			return all, err
		}
		all.Added, all.Known, all.Removed = all.Added+result.Added, all.Known+result.Known, all.Removed+result.Removed
		all.Failed, all.Refused = all.Failed+result.Failed, append(all.Refused, result.Refused...)
		shown.at(int64(doneOf(&all)), total)
	}
	return all, nil
}

// doneOf is how many keys were worked on.
func doneOf(r *web.WatchResult) int { return r.Added + r.Known + r.Removed + r.Failed }

func (a *app) showChanged(source string, r web.WatchResult, format string) error {
	slices.SortFunc(r.Refused, func(x, y web.RefusedWatch) int { return strings.Compare(x.Key, y.Key) })
	if format == formJSON {
		if err := a.print(r); err != nil {
			return err
		}
	} else {
		for _, refused := range r.Refused {
			fmt.Fprintf(a.err, "%.100q: %s\n", refused.Key, visible(refused.Reason))
		}
		var parts []string
		for _, part := range []struct {
			n    int
			text string
		}{{r.Added, "added"}, {r.Known, "known already"}, {r.Removed, "removed"}} {
			if part.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
			}
		}
		if len(parts) > 0 {
			if _, err := fmt.Fprintf(a.out, "%s: %s\n", source, strings.Join(parts, ", ")); err != nil {
				return err
			}
		}
	}
	if r.Failed > 0 {
		return fmt.Errorf("%s: refused: %s", source, count(r.Failed, "watch key"))
	}
	return nil
}
