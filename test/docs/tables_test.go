package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// delimiter is the line below the header of a table.
var delimiter = regexp.MustCompile(`^\|( *:?-+:? *\|)+$`)

// TestTablesAreWhole holds that each table begins with a header: one that a
// blank line tears goes on as raw pipes. Rows have as many cells as that.
func TestTablesAreWhole(t *testing.T) {
	tables := 0
	for _, p := range pages(t) {
		cells, fenced := 0, false // of the table that the line before belongs to
		lines := append(strings.Split(p.text, "\n"), "")
		for i, line := range lines {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			if fenced || !strings.HasPrefix(line, "|") {
				cells = 0
				continue
			}
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			switch {
			case cells == 0 && !delimiter.MatchString(lines[i+1]):
				t.Errorf("%s:%d: a row of a table without a header", p.path, i+1)
			case cells == 0:
				tables++
			case n != cells:
				t.Errorf("%s:%d: a row of %d cells in a table of %d", p.path, i+1, n-1, cells-1)
			}
			cells = n
		}
	}
	if tables < 50 {
		t.Errorf("only %d tables were found", tables)
	}
}
