package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/web"
)

func (a *app) statusCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "status",
		GroupID: "steer",
		Short:   "Show how the daemon fares, in a few numbers",
		Long: `Show the daemon's version and store, how many sources and endpoints are in which
state, what waits, what died and what is held, what came of the last reload, and
what is odd about the configuration that runs. 'deltahook healthcheck' is the
command for probes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				s, err := c.Status(ctx)
				if err != nil {
					return err
				}
				if format == formJSON {
					return a.print(s)
				}
				return a.showStatus(&s)
			})
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) showStatus(s *web.Status) error {
	show := &printer{w: a.out, indent: 12}
	show.section("Deltahook", fmt.Sprintf("%s, up %s, since %s", s.Version, span(s.Uptime), shortTime(s.Started)))
	ready := "yes"
	if !s.Ready {
		ready = "no: " + s.Reason
	}
	show.section("Ready", ready)
	store := s.Store.Path
	if s.Store.Size > 0 {
		store += ", " + size(s.Store.Size)
	}
	show.section("Store", store)
	if r := s.Reload; r != nil {
		text := "at " + shortTime(r.At)
		if r.Error != "" {
			text += " failed, and changed nothing:"
		}
		show.section("Reload", text)
		if r.Error != "" {
			show.block(r.Error)
		}
	}
	show.section("Sources", tally(s.Sources))
	show.section("Items", fmt.Sprint(s.Items))
	show.section("Endpoints", tally(s.Endpoints))
	show.section("Deliveries", fmt.Sprintf("%d waiting, %s", s.Waiting, count(s.Dead, "dead letter")))
	show.section("Held", count(s.Holds, "answer"))
	for i, text := range s.Warnings {
		if i == 0 {
			show.section("Warnings", text)
		} else {
			show.more("%s", text)
		}
	}
	return show.err
}

// tally is how many are in which state: first those that want a person, last
// those that are ok.
func tally[S ~string](by map[S]int) string {
	if len(by) == 0 {
		return "none"
	}
	var parts []string
	order := []string{"failing", "held", "paused", "new", "disabled", "ok"}
	for _, state := range slices.SortedFunc(maps.Keys(by), func(a, b S) int {
		return cmp.Compare(slices.Index(order, string(a)), slices.Index(order, string(b)))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", by[state], state))
	}
	return strings.Join(parts, ", ")
}

// span is a number of seconds as a person reads it.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	text := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	if days := int(d.Hours()) / 24; days > 0 {
		text = fmt.Sprintf("%dd%dh", days, int(d.Hours())%24)
	}
	return text
}
