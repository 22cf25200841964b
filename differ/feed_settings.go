package differ

import (
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
)

// FeedSettings is which items of another source name watch keys. They are
// watched as long as the items are remembered.
type FeedSettings struct {
	// Name of the other source.
	Source string `yaml:"source" json:"source" jsonschema:"required"`
	// gjson path in what is remembered of an item (new) of the watch key; a
	// list gives several.
	Path string `yaml:"path" json:"path" jsonschema:"required"`
	// An expression over new, key, source and watch: which items count.
	// Default: all.
	When string `yaml:"when" json:"when,omitempty"`
}

// Given reports whether there is anything in it.
func (s FeedSettings) Given() bool { return s != FeedSettings{} }

// feedEnv is what when may name, of items of which these fields are picked.
func feedEnv(picked []string) expr.Env {
	rules, env := ruleEnv(picked), expr.Env{}
	for _, name := range []string{"new", "key", "source", "watch"} {
		env[name] = rules[name]
	}
	return env
}

// compile makes of the settings what a Source needs; nil where there are none.
// fields are those that the other source picks; nil: any.
func (s FeedSettings) compile(r fault.Report, fields []string) *origin {
	if !s.Given() {
		return nil
	}
	o := &origin{from: s.Source, path: s.Path, rule: &rule{event: "watch.from"}}
	if s.Source == "" {
		r.At("source").Errorf("is missing: the name of the source whose items name the keys")
	}
	checkPath(r.At("path"), s.Path)
	if s.When != "" {
		program, err := expr.CompileBool(s.When, feedEnv(fields))
		if err != nil {
			r.At("when").Errorf("%v", err)
		}
		o.rule.when = program
	}
	return o
}

// CheckFeeds reports what is wrong with watch.from between sources; r is at
// `sources`. from has the settings of those that have any, read those of all
// that there are.
func CheckFeeds(r fault.Report, from map[string]FeedSettings, read map[string]ResponseSettings) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		s, at := from[name], r.At(name, "watch", "from")
		other, there := read[s.Source]
		switch {
		case s.Source == name:
			at.At("source").Errorf("the source itself: its keys would come of its own items")
		case !there:
			continue // who knows the names tells it
		}
		if circle := circleOf(name, from); len(circle) > 2 && name == slices.Min(circle) {
			at.At("source").Errorf("a circle: %s", strings.Join(circle, " <- "))
		}
		s.checkFields(at, other)
	}
}

// circleOf is the way from a source over those that name its keys back to it;
// nil: it does not lead there.
func circleOf(name string, from map[string]FeedSettings) []string {
	way := []string{name}
	for at := from[name].Source; len(way) <= len(from); at = from[at].Source {
		way = append(way, at)
		if at == name {
			return way
		}
	}
	return nil
}

// checkFields reports names that are not among the picked fields.
func (s FeedSettings) checkFields(r fault.Report, other ResponseSettings) {
	fields := slices.Concat(other.Pick.Keys(), other.Carry.Keys())
	if len(other.Pick) == 0 {
		return
	}
	if first, plain := firstName(s.Path); plain && !slices.Contains(fields, first) {
		r.At("path").Errorf("%q is not among the fields that response.pick of %s names%s", first, s.Source, meant(first, fields))
	}
	untyped, typed := fault.New(), fault.New()
	if s.compile(untyped, nil); len(untyped.All()) > 0 {
		return // told already
	}
	s.compile(typed, fields)
	for _, f := range typed.All() {
		r.At(f.Path...).Errorf("%s", f.Text)
	}
}

// firstName is the name that a path begins with. Where it begins with anything
// else, or with a pattern, it is not plain.
func firstName(path string) (name string, plain bool) {
	end := strings.IndexAny(path, ".|")
	if end < 0 {
		end = len(path)
	}
	name = path[:end]
	return name, name != "" && !strings.ContainsAny(name, `\*?#@!{[(`)
}

// meant proposes the field that a misspelt name is nearest to.
func meant(name string, fields []string) string {
	best, distance := "", 3
	for _, f := range fields {
		if d := levenshtein.Distance(name, f, nil); d < distance {
			best, distance = f, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean \"" + best + "\"?)"
}
