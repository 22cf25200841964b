package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/poller"
)

// maxSaved is how large a saved answer may be.
const maxSaved = 1 << 30

func (a *app) diffCommand() *cobra.Command {
	var source, form string
	cmd := &cobra.Command{
		Use:     "diff OLD NEW --source NAME",
		GroupID: "dry",
		Short:   "Show what a source would tell between two saved answers",
		Long: `Take OLD, a saved answer of a source, as its first answer, and show what NEW
would change and tell, and why, rule by rule. A deletion is shown at once, however often the source
must confirm it. Nothing is asked, stored or sent.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			for _, path := range args {
				if _, err := os.Stat(path); err != nil {
					return a.usage("%s: %w", path, errors.Unwrap(err))
				}
			}
			return a.diff(cmd.Context(), cfg, source, form, args[0], args[1])
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "the source whose settings apply")
	a.outputFlag(cmd, &form)
	_ = cmd.MarkFlagRequired("source")
	_ = cmd.RegisterFlagCompletionFunc("source", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return a.configuredSources(cmd, nil, typed)
	})
	return cmd
}

func (a *app) diff(ctx context.Context, cfg *configs.Config, name, form, before, after string) error {
	s, err := sourceNamed(cfg, name)
	if err != nil {
		return err
	}
	confirm := s.Diff.Changes.ConfirmDeletes
	s.Diff.Changes.ConfirmDeletes = 1
	s.Diff.Changes.Baseline = differ.Baseline{}
	cfg.Sources[name] = s
	redactor := cfg.Redactor()
	dry, err := newDryRun(cfg, name, redactor)
	if err != nil {
		return err
	}
	defer dry.parts.close()

	d := dry.differ(mem.New())
	old, err := readSaved(dry.polled, before)
	if err != nil {
		return err
	}
	if err := d.Take(ctx, old); err != nil {
		return fmt.Errorf("%s is no answer of %s: %w", before, name, err)
	}
	now, err := readSaved(dry.polled, after)
	if err != nil {
		return err
	}
	outcome, err := d.Preview(ctx, now)
	if err != nil {
		return fmt.Errorf("%s would not be taken in, and would change nothing: %w", after, err)
	}
	if form == formJSON {
		doc := &dryJSON{Source: name}
		doc.take(outcome, redactor)
		return a.print(doc)
	}
	show := a.printer(form, redactor)
	show.confirm = confirm
	show.outcome(outcome)
	return show.err
}

func readSaved(s *poller.Source, path string) (*poller.Answer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxSaved+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxSaved {
		return nil, fmt.Errorf("%s is larger than 1 GiB", path)
	}
	answer, err := s.Read(body)
	if err != nil {
		return nil, fmt.Errorf("%s would be a failed poll, and would change nothing: %w", path, err)
	}
	return answer, nil
}
