package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

func (a *app) checkCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "check",
		GroupID: "dry",
		Short:   "Say what is wrong with the configuration, or what it would run and when",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format == formJSON {
				return a.checkForPrograms()
			}
			return a.check()
		},
	}
	a.outputFlag(cmd, &format)
	return cmd
}

func (a *app) check() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	redactor := cfg.Redactor()
	parts, err := assemble(cfg, surroundings{redactor: redactor})
	if err != nil {
		return err
	}
	defer parts.close()

	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	now := time.Now()
	fmt.Fprintln(w, "SOURCE\tSCHEDULE\tNEXT\tREQUEST")
	for _, s := range parts.polled {
		settings := cfg.Sources[s.Name()].Poll
		next := "disabled"
		if !settings.Disabled {
			at := s.Schedule().Next(now)
			if zone, err := time.LoadLocation(settings.Timezone); err == nil {
				at = at.In(zone)
			}
			next = fmt.Sprintf("%s (in %s)", at.Format("2006-01-02 15:04:05 MST"), at.Sub(now).Round(time.Second))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name(), settings.Schedule, next, shownURL(settings.Request.URL, redactor))
	}
	a.checkWatches(w, cfg)
	fmt.Fprintln(w, "\nENDPOINT\tFORMAT\tSIGNED\tTO")
	for _, e := range parts.endpoints {
		settings := cfg.Endpoints[e.Name()]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Name(), cmp.Or(settings.Format, "standard"), signed(settings), secret.Host(settings.URL))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	read := cfg.Files[0]
	if n := len(cfg.Files); n > 1 {
		read = fmt.Sprintf("%s (%d files)", cfg.Dir, n)
	}
	_, err = fmt.Fprintf(a.out, "\n%s: %s, %s, no faults\n", read, count(len(parts.polled), "source"), count(len(parts.endpoints), "endpoint"))
	return err
}

// checkWatches shows how many keys sources are polled for, as far as that is
// known before they run, and for how many their limits have room.
func (a *app) checkWatches(w io.Writer, cfg *configs.Config) {
	polled := map[string]poller.Settings{}
	for name, s := range cfg.Sources {
		polled[name] = s.Poll
	}
	head := "\nWATCH\tKEYS\tIN A REQUEST\tLIMIT\n"
	for _, name := range sortedNames(polled) {
		keys := polled[name].Watch
		if keys.Describe() == "" {
			continue
		}
		room := cmp.Or(poller.Room(name, cfg.Limits, polled), cmp.Or(polled[name].Limit, "none"))
		fmt.Fprintf(w, "%s%s\t%s\t%d\t%s\n", head, name, keys.Describe(), max(1, keys.Batch), room)
		head = ""
	}
}

// shownURL is what may be shown of a request's URL; one that begins with an
// expression has no place to show.
func shownURL(text string, redactor *secret.Redactor) string {
	fixed, _, varies := strings.Cut(text, "{{")
	switch {
	case !varies:
		return redactor.URL(text)
	case fixed == "":
		return "(an expression)"
	default:
		return redactor.URL(fixed) + "…"
	}
}

func signed(s emitter.Settings) string {
	switch {
	case s.Disabled:
		return "disabled"
	case s.Signature == "none" || len(s.Secrets) == 0:
		return "no"
	case s.Signature == "github":
		return "github"
	case len(s.Secrets) == 1:
		return "yes"
	default:
		return fmt.Sprintf("%d secrets", len(s.Secrets))
	}
}
