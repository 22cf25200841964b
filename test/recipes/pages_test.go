package recipes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/configs/recipes"
)

var (
	// variable is a line of the list at the top of a recipe, with an example
	// of its value where it has one.
	variable = regexp.MustCompile(`(?m)^#   ([A-Z_]+)  +(.*)$`)
	example  = regexp.MustCompile(`(?:^|: )(https?://[^\s,]+|[^\s:,…]+)(?:,|$)`)
	command  = regexp.MustCompile("(?m)^deltahook (.*)$")
)

// TestPages does what the page of each recipe says: it writes the recipe and
// checks it, with the examples of its own top as values, which is no reason to
// warn; and the page has its summary, its variables and what it is checked by.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, r := range recipes.All() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			if r.Summary == "" || strings.HasSuffix(r.Summary, ".") || len(r.Summary) > 100 {
				t.Errorf("the summary is %q", r.Summary)
			}
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", "recipes", r.Name+".md"))
			if err != nil {
				t.Fatal(err)
			}
			page := string(text)
			if !strings.HasPrefix(page, "# "+r.Name+"\n\n"+r.Summary+".\n") {
				t.Error("the page does not begin with the summary")
			}
			if !strings.Contains(page, "\n## What was checked\n\nAs of ") || !strings.Contains(page, "](https://") {
				t.Error("the page does not say what was checked when, or links to no page of the vendor")
			}
			top, _, _ := strings.Cut(string(r.Text), "\n# More:")
			vars, _, _ := strings.Cut(top, "\n# Requests:")
			var env []string
			for _, m := range variable.FindAllStringSubmatch(vars, -1) {
				if !strings.Contains(page, "| `"+m[1]+"` | "+m[2]+" |\n") {
					t.Errorf("the page's table lacks %s as the recipe has it", m[1])
				}
				env = append(env, m[1]+"="+value(m[1], m[2]))
			}
			_, block, _ := strings.Cut(page, "```sh\n")
			block, _, _ = strings.Cut(block, "```")
			commands := command.FindAllStringSubmatch(block, -1)
			if len(commands) != 3 {
				t.Fatalf("the page has %d commands", len(commands))
			}
			dir := t.TempDir()
			for _, c := range commands[:2] {
				if status, out, log := deltahook(t, dir, env, strings.Fields(c[1])...); status != 0 || strings.Contains(out+log, "(warning)") {
					t.Errorf("%s: status %d\n%s%s", c[0], status, out, log)
				}
			}
			if source := strings.TrimPrefix(commands[2][1], "poll "); !strings.Contains(string(r.Text), "\n  "+source+":\n    schedule:") {
				t.Errorf("%s: the recipe has no such source", commands[2][0])
			}
		})
	}
}

// value is what a reader sets a variable to: the example of its description.
func value(name, description string) string {
	switch {
	case name == "WEBHOOK_URL":
		return "https://receiver.example/hook"
	case name == "WEBHOOK_SECRET":
		return whsec
	}
	if i := strings.LastIndex(description, ": "); i >= 0 {
		description = description[i:]
	}
	if m := example.FindStringSubmatch(description); m != nil {
		return m[1]
	}
	return "some-" + strings.ToLower(name)
}
