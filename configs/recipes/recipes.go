// Package recipes holds a configuration for each of a number of APIs, to start
// from: `deltahook init NAME` writes one. They are the files NAME.yaml beside
// this one; a test plays each of them through the daemon (test/recipes).
package recipes

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Recipe is a configuration to start from.
type Recipe struct {
	Name    string
	Summary string // one line, without a full stop: what it tells
	Text    []byte // YAML, commented
}

// All are the recipes, by name.
func All() []Recipe {
	paths, err := fs.Glob(files, "*.yaml") // which has no other errors than of the pattern
	if err != nil {
		panic(fmt.Sprintf("recipes: %v", err))
	}
	all := make([]Recipe, len(paths))
	for i, path := range paths {
		text, err := files.ReadFile(path)
		if err != nil {
			panic(fmt.Sprintf("recipes: %s is embedded and can't be read: %v", path, err))
		}
		first, _, _ := strings.Cut(string(text), "\n")
		all[i] = Recipe{strings.TrimSuffix(path, ".yaml"), strings.TrimPrefix(first, "# "), text}
	}
	return all
}
