package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// Bounds of what a completion asks for.
const (
	completeWithin = 2 * time.Second
	completeAtOnce = 100
	completeMost   = 10_000
)

// complete has the shell complete with what a daemon knows; where none answers,
// with what the configuration has, if that knows it.
func (a *app) complete(cmd *cobra.Command, typed string, daemon lister, config func(*configs.Config) []string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	var names []string
	client, cfg, err := a.dial(ctx)
	if err == nil {
		defer client.Close()
		names, err = daemon(ctx, client)
	}
	if err != nil && cfg != nil && config != nil {
		names = config(cfg)
	}
	return offered(names, typed), cobra.ShellCompDirectiveNoFileComp
}

// offered are the names that begin with what was typed. One that would be
// another line for the shell, or a word about another one, is left out.
func offered(names []string, typed string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.HasPrefix(name, typed) || visible(name) != name || strings.Contains(name, "\t")
	})
	return names[:min(len(names), completeMost)]
}

// completeSources completes the name of a source.
func (a *app) completeSources(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, typed, sourceNames, func(cfg *configs.Config) []string { return sortedNames(cfg.Sources) })
}

// completeSource completes the name of a source as the value of a flag.
func (a *app) completeSource(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return a.completeSources(cmd, nil, typed)
}

// completeEndpoints completes the name of an endpoint.
func (a *app) completeEndpoints(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, typed, endpointNames, func(cfg *configs.Config) []string { return sortedNames(cfg.Endpoints) })
}

// completeEndpoint completes the name of an endpoint as the value of a flag.
func (a *app) completeEndpoint(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return a.completeEndpoints(cmd, nil, typed)
}

// configuredSources completes the name of a source for a command that goes by the
// configuration alone.
func (a *app) configuredSources(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.loadQuiet()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return offered(sortedNames(cfg.Sources), typed), cobra.ShellCompDirectiveNoFileComp
}

// configuredEndpoints is the same of endpoints.
func (a *app) configuredEndpoints(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.loadQuiet()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return offered(sortedNames(cfg.Endpoints), typed), cobra.ShellCompDirectiveNoFileComp
}

// completeWatch completes a watch key of the source that is the first argument,
// or that of --source.
func (a *app) completeWatch(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	source := ""
	if len(args) > 0 {
		source = args[0]
	} else if f := cmd.Flag("source"); f != nil {
		source = f.Value.String()
	}
	if source == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, typed, watchNames(source), func(cfg *configs.Config) []string {
		return cfg.Sources[source].Poll.Watch.Keys
	})
}

// watchNames are the watch keys of a source.
func watchNames(source string) lister {
	return func(ctx context.Context, c *web.Client) (keys []string, err error) {
		all, err := c.Watched(ctx, source)
		for _, k := range all {
			keys = append(keys, k.Key)
		}
		return keys, err
	}
}

// completeSourceAndKeys completes the name of a source, and then its watch keys.
func (a *app) completeSourceAndKeys(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeSources(cmd, args, typed)
	}
	keys, directive := a.completeWatch(cmd, args, typed)
	return slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(args[1:], key) }), directive
}

// completeItems completes the name of a source, and then the key of an item.
func (a *app) completeItems(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeSources(cmd, args, typed)
	case 1:
		return a.complete(cmd, typed, func(ctx context.Context, c *web.Client) (keys []string, err error) {
			page, err := c.Items(ctx, args[0], cmd.Flag("watch").Value.String(), differ.ItemFilter{Prefix: typed, Limit: completeAtOnce})
			for _, item := range page.Items {
				keys = append(keys, item.Key)
			}
			return keys, err
		}, nil)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeEvents completes the id of an event, of those that were told last.
func (a *app) completeEvents(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, typed, toldLast(func(e *emitter.EventRecord) string { return e.ID }), nil)
}

// completeType completes a type of events: of those that were told last or,
// where no daemon answers, those that the configuration names.
func (a *app) completeType(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, typed, toldLast(func(e *emitter.EventRecord) string { return e.Type }), func(cfg *configs.Config) (types []string) {
		for _, s := range cfg.Sources {
			types = append(types, s.Diff.Events.Keys()...)
		}
		slices.Sort(types)
		return slices.Compact(types)
	})
}

// toldLast are what names the events that were told last, each once.
func toldLast(name func(*emitter.EventRecord) string) lister {
	return func(ctx context.Context, c *web.Client) (names []string, err error) {
		page, err := c.Events(ctx, emitter.Filter{}, emitter.Page{Limit: completeAtOnce})
		for i := range page.Events {
			if one := name(&page.Events[i]); !slices.Contains(names, one) {
				names = append(names, one)
			}
		}
		return names, err
	}
}

// completeWords completes one of some words.
func completeWords[S ~string](words []S) cobra.CompletionFunc {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return cobra.FixedCompletions(texts, cobra.ShellCompDirectiveNoFileComp)
}

// wordsOf are words as a person reads them.
func wordsOf[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = fmt.Sprint(word)
	}
	return strings.Join(texts, ", ")
}
