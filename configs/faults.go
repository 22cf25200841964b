package configs

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Located is one fault, or one warning, with its place.
type Located struct {
	File   string // as the user named it, or found in the folder that they named
	Line   int    // from 1; 0: the file as a whole
	Column int    // from 1, in characters; 0: the file as a whole
	Path   string // of the setting, names with odd characters in quotes; "": the file as a whole
	Text   string // what is wrong, without any secret
}

// String is FILE:LINE:COL: path: what is wrong.
func (l Located) String() string {
	var b strings.Builder
	b.WriteString(l.File)
	if l.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", l.Line, l.Column)
	}
	b.WriteString(": ")
	if l.Path != "" {
		b.WriteString(l.Path + ": ")
	}
	return b.String() + l.Text
}

// Error is everything that is wrong with a configuration, in the order of
// the files and of the lines in them.
type Error struct {
	Faults   []Located
	Warnings []Located

	// Store and Listen are what could be read of store and server.listen in
	// spite of the faults, and their defaults where that is nothing: enough
	// to look for a daemon that runs. Where a file's syntax is at fault
	// Listen is "", and so is Store where no file was found.
	Store, Listen string
}

// Error is one fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// tidy sorts faults by place and drops what is told twice: a fault in a
// default is found once for each source that has it.
func tidy(list []Located) []Located {
	slices.SortStableFunc(list, func(a, b Located) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column,
			strings.Compare(a.Path, b.Path), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(list)
}

// plain is a name that needs no quotes in a path.
var plain = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// dotted is a path as it is shown: sources."a.b".schedule.
func dotted(path []string) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = clip(p)
		if !plain.MatchString(p) {
			parts[i] = strconv.Quote(parts[i])
		}
	}
	return strings.Join(parts, ".")
}

// clip shortens text that is shown as it was found to 80 characters.
func clip(s string) string {
	const most = 80
	for i := range s {
		if i >= most {
			return s[:i] + "…"
		}
	}
	return s
}
