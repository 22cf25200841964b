// Package recipes holds a configuration for each of a number of APIs, to start
// from: `deltahook init NAME` writes one. They are the files NAME.yaml beside
// this one; a test plays each of them through the daemon (test/recipes).
package recipes

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Recipe is a configuration to start from.
type Recipe struct {
	Name    string
	Summary string // one line, without a full stop: what it tells
	Text    []byte // YAML, commented
	Shows   string // what it is a recipe of: an API, or a receiver
}

// What a recipe shows.
const (
	API      = "api"      // an API, told as Standard Webhooks
	Receiver = "receiver" // a chat, or Zapier, with a text of its own
)

// receivers are the recipes that show one.
var receivers = []string{"discord", "slack", "teams", "zapier"}

// All are the recipes: those of APIs by name, then those of receivers.
func All() []Recipe {
	paths, err := fs.Glob(files, "*.yaml") // which has no other errors than of the pattern
	if err != nil {
		panic(fmt.Sprintf("recipes: %v", err))
	}
	var apis, others []Recipe
	for _, path := range paths {
		text, err := files.ReadFile(path)
		if err != nil {
			panic(fmt.Sprintf("recipes: %s is embedded and can't be read: %v", path, err))
		}
		first, _, _ := strings.Cut(string(text), "\n")
		r := Recipe{strings.TrimSuffix(path, ".yaml"), strings.TrimPrefix(first, "# "), text, API}
		if slices.Contains(receivers, r.Name) {
			r.Shows = Receiver
			others = append(others, r)
			continue
		}
		apis = append(apis, r)
	}
	return append(apis, others...)
}
