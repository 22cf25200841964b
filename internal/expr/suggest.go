package expr

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// maxListed bounds the names that an error lists where none is near.
const maxListed = 8

// suggest adds to an error about an unknown name the one that was probably
// meant.
func suggest(e *Error, err error, tree *parser.Tree, config *conf.Config) {
	if name, ok := strings.CutPrefix(e.Text, `unknown name "`); ok {
		name = strings.TrimSuffix(name, `"`)
		e.Text += didYouMean(name, slices.Concat(
			slices.Sorted(maps.Keys(config.Env.Fields)),
			slices.Sorted(maps.Keys(config.Functions)),
			slices.Sorted(maps.Keys(config.Builtins))))
	}
	if name, ok := strings.CutPrefix(e.Text, `unknown field "`); ok && tree != nil {
		name = strings.TrimSuffix(name, `"`)
		fields := fieldsAt(tree.Node, err)
		if hint := didYouMean(name, fields); hint != "" {
			e.Text += hint
		} else if len(fields) > 0 && len(fields) <= maxListed {
			e.Text += fmt.Sprintf(" (there are %s)", strings.Join(fields, ", "))
		}
	}
}

// didYouMean is " (did you mean …?)" about the nearest name, the first of
// several that are equally near; "" where none is near.
func didYouMean(name string, names []string) string {
	best, least := "", 1+maxWrong(name)
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// maxWrong allows one wrong letter in each three begun, but never all.
func maxWrong(name string) int { return min((len(name)+2)/3, len(name)-1) }

// distance is the number of wrong letters; two letters swapped count once.
func distance(a, b string) int {
	d := levenshtein.Distance(a, b, nil)
	if d == 2 && sameLetters(a, b) {
		return 1
	}
	return d
}

func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// fieldsAt are the fields of the map, or of the struct, in which the field that err is about was
// looked for.
func fieldsAt(root ast.Node, err error) []string {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return nil
	}
	finder := &memberFinder{at: fe.Location}
	ast.Walk(&root, finder)
	if finder.found == nil {
		return nil
	}
	nature := finder.found.Node.Nature()
	if nature.Type != nil && nature.Type.Kind() == reflect.Struct {
		var fields []string
		for field := range nature.Type.Fields() {
			if name := field.Tag.Get("expr"); name != "" {
				fields = append(fields, name)
			}
		}
		return fields
	}
	if nature.TypeData == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(nature.Fields))
}

// memberFinder finds the a.b of which b is at a location.
type memberFinder struct {
	at    file.Location
	found *ast.MemberNode
}

// Visit is called by ast.Walk with each node.
func (f *memberFinder) Visit(node *ast.Node) {
	if m, ok := (*node).(*ast.MemberNode); ok && m.Property.Location() == f.at {
		f.found = m
	}
}
