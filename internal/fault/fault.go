// Package fault gathers what is wrong with a configuration: all of it, each
// with the path of the setting, so that the loader can say file, line and
// column.
package fault

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong, or worth a warning, at one setting.
type Fault struct {
	Path    []string // from the root: keys of mappings, indices of lists in decimal
	Text    string   // what was found and what was expected
	Warning bool     // true: it works, but hardly as meant
}

// Report collects faults below one place. Copies made by At share the list.
// Make the first with New; it is not safe for concurrent use.
type Report struct {
	at   []string
	list *[]Fault
}

// New is an empty report at the root.
func New() Report { return Report{list: new([]Fault)} }

// At is the same report, at a setting further down.
func (r Report) At(path ...string) Report {
	return Report{at: append(slices.Clip(r.at), path...), list: r.list}
}

// Index is the same report, at element i of a list.
func (r Report) Index(i int) Report { return r.At(fmt.Sprint(i)) }

// Errorf adds a fault at this place.
func (r Report) Errorf(format string, args ...any) {
	*r.list = append(*r.list, Fault{Path: r.at, Text: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning at this place.
func (r Report) Warnf(format string, args ...any) {
	*r.list = append(*r.list, Fault{Path: r.at, Text: fmt.Sprintf(format, args...), Warning: true})
}

// OneOf reports a word that is none of those; empty is the default.
func (r Report) OneOf(word string, words ...string) {
	if word != "" && !slices.Contains(words, word) {
		r.Errorf("%q: expected %s", word, strings.Join(words, " or "))
	}
}

// All is everything reported so far, in the order of reporting.
func (r Report) All() []Fault { return *r.list }
