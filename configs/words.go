package configs

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/santhosh-tekuri/jsonschema/v6"
	objection "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/deltahook/deltahook/internal/units"
)

// quantity is a kind of value that the schema names by a title.
type quantity struct {
	wrong  string             // follows the value that is none
	beyond string             // follows one that is too much
	read   func(string) error // refuses what is none
}

var quantities = map[string]quantity{
	"duration": {
		"is not a duration such as 30s, 5m, 2h or 7d", "is longer than 146 years",
		func(s string) error { var d units.Duration; return d.UnmarshalText([]byte(s)) },
	},
	"size": {
		"is not a size such as 512KiB or 10MiB", "is too large a size",
		func(s string) error { var d units.Size; return d.UnmarshalText([]byte(s)) },
	},
	"percentage": {
		"is not a percentage such as 20%", "is not a percentage such as 20%",
		func(s string) error { var d units.Percent; return d.UnmarshalText([]byte(s)) },
	},
	"rate": {
		"is not a rate such as 5/s, 1400/10s or 250/day", "is too large a rate",
		func(s string) error { var d units.Rate; return d.UnmarshalText([]byte(s)) },
	},
}

// shapes say what was expected where the schema allows several shapes.
var shapes = map[string]string{
	"path or paths": "a path or a list of paths",
	"share":         "a percentage such as 50% or a number of items",
	"plain value":   "text, a number, true or false",

	"name" + orMapping:  "a name or a mapping",
	"word" + orMapping:  "silent, emit or {last: N}",
	"token" + orMapping: "a token or a mapping",
}

// empties say what an empty list or mapping would mean, by the last name of
// its path, and what to do instead.
var empties = map[string]string{
	"to":   "names nobody; leave it out for all endpoints",
	"on":   "names no kind of change; leave it out for all",
	"pick": "picks nothing; leave it out for the whole item",
}

// nouns are the schema's types in words.
var nouns = map[string]string{
	"null": "nothing", "boolean": "true or false", "object": "a mapping", "array": "a list",
	"number": "a number", "integer": "a whole number", "string": "text",
}

// misfit reports one objection of the schema in words.
func (l *loader) misfit(e *jsonschema.ValidationError) {
	path := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *objection.AdditionalProperties: // told by unknown
	case *objection.PropertyNames: // told by checkValues
	case *objection.Required:
		for _, name := range k.Missing {
			if at := down(path, name); !l.isCovered(at) {
				l.fault(at, "is missing")
			}
		}
	default:
		if n := l.at(path); n != nil && !l.isCovered(path) {
			l.fault(path, l.wrong(n, e, schemaAt(path)))
		}
	}
}

// badName says what a name may be made of.
func badName(name string, s *jsonschema.Schema) string {
	switch {
	case name == "":
		return "a name is empty"
	case s.Title == "status":
		return fmt.Sprintf("%q is not a status from 100 to 599", clip(name))
	case s.Pattern == nil:
		return fmt.Sprintf("a name of more than %d characters", *s.MaxLength)
	}
	most := 64
	if strings.Contains(s.Pattern.String(), "127") {
		most = 128
	}
	return fmt.Sprintf("%q is not a name: up to %d letters, digits, _, . and -, the first of them a letter or a digit", clip(name), most)
}

// wrong says what is wrong with a value.
func (l *loader) wrong(n *node, e *jsonschema.ValidationError, s *jsonschema.Schema) string {
	title := titled(s)
	if n.kind == list && len(n.index) == 0 && title == "path or paths" {
		return "the list is empty"
	}
	if q, ok := quantities[title]; ok && (n.kind == text || n.kind == number) {
		return l.shown(n) + " " + q.wrong
	}
	switch k := e.ErrorKind.(type) {
	case *objection.Type:
		return expected(l, n, either(k.Want))
	case *objection.AnyOf, *objection.OneOf:
		if words, ok := shapes[title]; ok {
			return expected(l, n, words)
		}
		return expected(l, n, "a "+title)
	case *objection.Enum:
		return l.notOneOf(n, k.Want)
	case *objection.Pattern:
		return l.shown(n) + " has not the form that is expected here"
	case *objection.Minimum:
		return fmt.Sprintf("%s is less than %s", l.shown(n), exact(k.Want))
	case *objection.Maximum:
		return fmt.Sprintf("%s is more than %s", l.shown(n), exact(k.Want))
	case *objection.MinLength:
		return "is empty"
	case *objection.MinItems:
		if k.Got == 0 {
			return isEmpty(e.InstanceLocation)
		}
		return fmt.Sprintf("has %d elements; at least %d are expected", k.Got, k.Want)
	case *objection.MinProperties:
		return isEmpty(e.InstanceLocation)
	case *objection.MaxItems:
		return fmt.Sprintf("has %d elements; at most %d are allowed", k.Got, k.Want)
	}
	return "does not fit the schema (" + strings.Join(e.ErrorKind.KeywordPath(), " ") + ")"
}

// isEmpty says what is wrong with an empty list or mapping.
func isEmpty(path []string) string {
	if path[0] == "alerts" {
		return "names nobody; leave it out, or name endpoints"
	}
	if what, ok := empties[path[len(path)-1]]; ok {
		return what
	}
	return "is empty"
}

// either joins the types that are wanted.
func either(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = nouns[t]
	}
	return strings.Join(words, " or ")
}

// expected says what should stand where n stands.
func expected(l *loader, n *node, want string) string {
	switch n.kind {
	case null:
		return want + " was expected, nothing is given"
	case text:
		if want == nouns["object"] || want == nouns["array"] {
			// It may be what should stand within: a URL, a token, a form.
			return want + " was expected, not text"
		}
		if n.written != "" || n.private {
			return want + " was expected, not " + l.shown(n)
		}
		return want + " was expected, not the text " + l.shown(n)
	case mapping:
		return want + " was expected, not a mapping"
	case list:
		return want + " was expected, not a list"
	case number:
		if want == "text" {
			return "text was expected, not a number: put it in quotes"
		}
		return want + " was expected, not the number " + l.shown(n)
	}
	if want == "text" {
		return "text was expected, not true or false: put it in quotes"
	}
	return want + " was expected, not " + l.shown(n)
}

// notOneOf lists the values that would have been right.
func (l *loader) notOneOf(n *node, want []any) string {
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = fmt.Sprint(w)
	}
	hint := ""
	if n.kind == text && n.written == "" && !n.private {
		hint = didYouMean(Closest(n.text, names))
	}
	return fmt.Sprintf("%s is not one of %s%s", l.shown(n), strings.Join(names, ", "), hint)
}

// exact is a bound as it is written.
func exact(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return r.RatString()
}

// shown is a scalar as it may be shown: never what a secret is, nor what ${…}
// stands for.
func (l *loader) shown(n *node) string {
	switch {
	case n.private:
		return "<secret>"
	case n.written != "":
		return "the value of " + clip(n.written)
	case n.kind == text:
		return strconv.Quote(clip(n.text))
	}
	return clip(n.text)
}

// didYouMean is the end of a fault's text; "" where there is no guess.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", name)
}

// Closest is the name that s is most probably a slip of; "": none is near.
func Closest(s string, names []string) string {
	best, distance := "", max(1, min(3, len(s)/2))+1
	if len(s) > 100 {
		return ""
	}
	for _, name := range names {
		d := levenshtein.Distance(strings.ToLower(s), strings.ToLower(name), nil)
		if d < distance {
			best, distance = name, d
		}
	}
	return best
}

// nearest is the key that an unknown one is meant to be, and how it is
// written from there: a slip of a key of this mapping, or a key of a mapping
// in it.
func nearest(name string, s *jsonschema.Schema) (near, where string) {
	known := keys(s)
	if near := Closest(name, known); near != "" {
		return near, near
	}
	for _, k := range known {
		if inner := below(s, k); slices.Contains(keys(inner), name) {
			return "", k + "." + name
		}
	}
	return "", ""
}
