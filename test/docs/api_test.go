package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

var (
	// operation is one in the table of docs/api.md.
	operation = regexp.MustCompile("`((?:GET|POST|PUT|DELETE) /[^`]*)`")
	// parameter is what stands for a part of a path, there and in openapi.yaml.
	parameter = regexp.MustCompile(`\{[^}]*\}|\b[A-Z]+\b`)
)

// TestAPITableHasEveryOperation holds the table of docs/api.md to the operations
// that openapi.yaml has, each once; a test of internal/web holds that to the
// routes.
func TestAPITableHasEveryOperation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "internal/web/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var there []string
	for path, methods := range doc.Paths {
		for method := range methods {
			if method != "parameters" {
				there = append(there, strings.ToUpper(method)+" "+parameter.ReplaceAllString(strings.TrimPrefix(path, "/api/v1"), "*"))
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/api.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range operation.FindAllStringSubmatch(cells[1], -1) {
				method, path, _ := strings.Cut(m[1], " ")
				listed = append(listed, method+" "+parameter.ReplaceAllString(path, "*"))
			}
		}
	}
	slices.Sort(there)
	slices.Sort(listed)
	if len(there) < 30 || !slices.Equal(there, listed) {
		t.Errorf("the table of docs/api.md has\n%s\nopenapi.yaml has\n%s", strings.Join(listed, "\n"), strings.Join(there, "\n"))
	}
}
