package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/store/bolt"
)

func (a *app) fsckCommand() *cobra.Command {
	var repair bool
	var format string
	cmd := &cobra.Command{
		Use:     "fsck [FILE]",
		GroupID: "daemon",
		Short:   "Read all of a store and say what is damaged, while no daemon runs",
		Long: `Read every page and every record of the store, or of FILE, a backup for instance,
and say what is damaged or contradicts itself. It ends with status 1 where there
is anything. The file is only read.

--repair writes a new file of what is whole: queues and counts are made anew,
and what can't be read is left out and named. The new file takes the old one's
place when it is checked and durable; the old one is kept beside it. A backup, if
there is one that is not too old, is better.

A daemon that runs has the store to itself: take a 'deltahook backup', which is
read through, or stop it first.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var path string
			if len(args) > 0 {
				path = args[0]
			} else {
				cfg, err := a.load()
				if err != nil {
					return err
				}
				path = cfg.Store
			}
			return a.fsck(cmd.Context(), path, repair, format)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "write the store anew from what is whole of it")
	a.outputFlag(cmd, &format)
	return cmd
}

// examined is what fsck says to programs.
type examined struct {
	File string `json:"file"`
	*bolt.Findings
	Repaired *bolt.Repaired `json:"repaired,omitempty"`
}

func (a *app) fsck(ctx context.Context, path string, repair bool, format string) error {
	shown := a.progress("fsck", func(n int64) string { return strconv.FormatInt(n, 10) + " records" })
	found, err := bolt.Examine(ctx, path, shown.at)
	shown.end()
	if err != nil {
		return stopFirst(err)
	}
	said := examined{File: path, Findings: found}
	var failed error
	switch {
	case !found.Damaged():
	case repair:
		if said.Repaired, err = bolt.Repair(ctx, path, nil); err != nil {
			failed = stopFirst(err)
		}
	default:
		failed = fmt.Errorf("%s is damaged: %s. Restore a backup; without one, 'deltahook fsck --repair' makes a new store of what is whole",
			path, countFaults(found))
	}
	if format == formJSON {
		err = a.print(said)
	} else {
		err = a.showFindings(said)
	}
	return errors.Join(err, failed)
}

func stopFirst(err error) error {
	if errors.Is(err, bolt.ErrInUse) {
		return fmt.Errorf("%w: stop the daemon first, or take a 'deltahook backup', which is read through", err)
	}
	return err
}

// countFaults is how many faults there are, in words.
func countFaults(f *bolt.Findings) string {
	words := []string{}
	for _, w := range []struct {
		kind bolt.FaultKind
		text string
	}{
		{bolt.FaultFile, "of the file as a whole"},
		{bolt.FaultPage, "pages, and what is in them"},
		{bolt.FaultRecord, "records"},
		{bolt.FaultIndex, "entries of queues and counts, which can be made anew"},
	} {
		if n := f.Counts[w.kind]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, w.text))
		}
	}
	return strings.Join(words, "; ")
}

// mostShown is how many faults are shown of each list.
const mostShown = 50

func (a *app) showFindings(said examined) error {
	if !said.Damaged() {
		_, err := fmt.Fprintf(a.out, "%s: whole, %s, %s\n", said.File, size(said.Size), count(sum(said.Records), "record"))
		return err
	}
	lines := make([]string, 0, len(said.Faults))
	for _, f := range said.Faults {
		lines = append(lines, string(f.Kind)+": "+f.Text)
	}
	a.showSome(lines, sum(said.Counts))
	if said.Repaired == nil {
		return nil
	}
	return a.showRepaired(said.File, said.Repaired)
}

// showRepaired says what is left of a store, and what is not.
func (a *app) showRepaired(file string, r *bolt.Repaired) error {
	fmt.Fprintf(a.out, "\n%s: repaired, %s, was %s; the damaged file is %s\n", file, size(r.After), size(r.Before), r.Kept)
	fmt.Fprintf(a.out, "kept %s: %s\n", count(sum(r.Records), "record"), keptOf(r.Records))
	if r.Records["items"] == 0 {
		fmt.Fprintln(a.out, "NO ITEM IS LEFT: a source takes in its next answer as the first. Restore a backup, if there is one")
	}
	if r.Records["deliveries"] == 0 {
		fmt.Fprintln(a.out, "NO DELIVERY IS LEFT: what waited is not told. Restore a backup, if there is one")
	}
	if len(r.Lost) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing was lost")
		return err
	}
	if r.Revived > 0 {
		fmt.Fprintf(a.out, "made anew from what else is known of them, to be sent: %s\n", count(r.Revived, "delivery"))
	}
	fmt.Fprintln(a.out, "left out:")
	a.showSome(r.Lost, sum(r.Counts))
	return nil
}

// keptOf says how many records are of what a person knows; the others are lists
// and counts of those.
func keptOf(records map[string]int) string {
	words := []string{}
	for _, of := range []struct{ bucket, one string }{
		{"items", "item"}, {"revisions", "change"},
		{"events", "event"}, {"deliveries", "delivery"}, {"attempts", "attempt"},
	} {
		words = append(words, count(records[of.bucket], of.one))
	}
	return strings.Join(words, ", ")
}

func (a *app) showSome(lines []string, of int) {
	for _, line := range lines[:min(len(lines), mostShown)] {
		fmt.Fprintf(a.out, "  %s\n", visible(line))
	}
	if more := of - mostShown; more > 0 {
		fmt.Fprintf(a.out, "  and %d more; -o json has up to 1,000\n", more)
	}
}

func sum[K comparable](counts map[K]int) (n int) {
	for _, c := range slices.Collect(maps.Values(counts)) {
		n += c
	}
	return n
}
