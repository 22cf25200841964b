package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// unknownName is a faulty command line: nothing of that name is configured.
func unknownName[V any](what, name string, known map[string]V) error {
	text := fmt.Sprintf("no %s is called %q", what, name) + among(name, sortedNames(known))
	return &configs.Error{Faults: []configs.Located{{File: "deltahook", Text: text}}}
}

// maxNames is how many names an error lists.
const maxNames = 10

// among is the end of an error about a name: the one that it is probably a slip
// of, or those there are.
func among(name string, names []string) string {
	if near := configs.Closest(name, names); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	if len(names) == 0 {
		return ""
	}
	text := "; there are: " + strings.Join(names[:min(len(names), maxNames)], ", ")
	if more := len(names) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// lister gives the names of something that a daemon has.
type lister func(context.Context, *web.Client) ([]string, error)

// sourceNames are those of all its sources.
func sourceNames(ctx context.Context, c *web.Client) ([]string, error) {
	all, err := allSources(ctx, c, "")
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names, err
}

// allSources are its sources, of a state where one is given.
func allSources(ctx context.Context, c *web.Client, state web.Condition) (all []web.SourceState, err error) {
	for cursor := ""; ; {
		page, err := c.Sources(ctx, state, cursor, emitter.MaxPage)
		if err != nil {
			return all, err
		}
		all = append(all, page.Sources...)
		if page.Next == "" || page.Next == cursor {
			return all, nil
		}
		cursor = page.Next
	}
}

// endpointNames are those of all its endpoints.
func endpointNames(ctx context.Context, c *web.Client) ([]string, error) {
	all, err := c.Endpoints(ctx)
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Endpoint
	}
	return names, err
}

// misnamed is err, or that there is nothing of the name that was asked for, and
// what it may have been meant to be.
func misnamed(ctx context.Context, c *web.Client, what, name string, list lister, err error) error {
	if !errors.Is(err, web.ErrNotFound) {
		return err
	}
	names, failed := list(ctx, c)
	if failed != nil || slices.Contains(names, name) {
		return err
	}
	return fmt.Errorf("no %s is called %q%s", what, name, among(name, names))
}
