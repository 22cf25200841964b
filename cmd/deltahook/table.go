package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// table writes rows whose columns are aligned. On a terminal a line ends where
// the terminal does, as far as that cuts nothing but the last column, which is
// for free text; elsewhere all of it is written.
type table struct {
	out    io.Writer
	width  int // columns of the terminal; 0: there is none
	buffer bytes.Buffer
	cells  *tabwriter.Writer
}

// leastLast is how many characters of the last column are left at least.
const leastLast = 20

// table begins one with its headings.
func (a *app) table(headings ...string) *table { return newTable(a.out, columns(a.out), headings...) }

func newTable(out io.Writer, width int, headings ...string) *table {
	t := &table{out: out, width: width}
	t.cells = tabwriter.NewWriter(&t.buffer, 0, 0, 2, ' ', 0)
	t.line(headings)
	return t
}

// row adds a row; text of a stranger in it is made visible.
func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = strings.ReplaceAll(visible(fmt.Sprint(cell)), "\t", " ")
	}
	t.line(texts)
}

func (t *table) line(cells []string) { fmt.Fprintln(t.cells, strings.Join(cells, "\t")) }

// flush writes the table.
func (t *table) flush() error {
	if err := t.cells.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(t.out, t.trimmed())
	return err
}

// trimmed is what was aligned, less the spaces that end a line and what goes
// beyond the terminal.
func (t *table) trimmed() string {
	lines := strings.Split(t.buffer.String(), "\n")
	last := strings.LastIndex(lines[0], "  ") + 2
	most := max(t.width, utf8.RuneCountInString(lines[0][:last])+leastLast)
	for i, line := range lines {
		if lines[i] = strings.TrimRight(line, " "); t.width > 0 {
			lines[i] = clip(lines[i], most)
		}
	}
	return strings.Join(lines, "\n")
}
