package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/configs"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// unknownName is a faulty command line: nothing of that name is configured.
func unknownName[V any](what, name string, known map[string]V) error {
	text := "no " + what + " " + name + " is configured"
	if len(known) > 0 {
		text += "; there are: " + strings.Join(sortedNames(known), ", ")
	}
	return &configs.Error{Faults: []configs.Located{{File: "deltahook", Text: text}}}
}
