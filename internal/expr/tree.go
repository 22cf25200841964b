package expr

import (
	"fmt"
	"reflect"
	"slices"
)

// eachKey turns the mapping that it stands in into a list.
const eachKey = "$each"

// maxTree bounds the values that one evaluation of a tree makes: $each inside
// $each multiplies.
const maxTree = 1_000_000

// Tree is a structure of mappings, lists and scalars with expressions in its
// strings: a JSON body or a payload.
type Tree struct{ root node }

// TreeError is what is wrong at one place of a tree.
type TreeError struct {
	Path []string // from the tree's root: keys of mappings, indices of lists in decimal
	Err  error    // mostly an *Error
}

// ParseTree reads v, as YAML decodes it: map[string]any, []any, strings,
// numbers, bools, times and nil. Strings are texts as ParseText reads them;
// one that is a whole {{ expression }} keeps the type of its value. A mapping
// with a key "$each", whose value is a bare expression that gives a list,
// becomes a list: the rest of the mapping once for each element, which is
// `it`. The tree is nil where there are errors; v may be used on, but not
// changed.
func ParseTree(v any, env Env) (*Tree, []TreeError) {
	p := &treeParser{}
	root := p.parse(v, env, nil)
	if p.errs != nil {
		return nil, p.errs
	}
	return &Tree{root}, nil
}

// Value evaluates the tree to map[string]any, []any and scalars. The result
// must not be changed.
func (t *Tree) Value(vars map[string]any) (any, error) {
	if vars == nil {
		vars = map[string]any{}
	}
	return t.root.value(&treeRun{vars: vars})
}

// JSON evaluates the tree to valid JSON, keys sorted, without HTML escaping.
func (t *Tree) JSON(vars map[string]any) ([]byte, error) {
	v, err := t.Value(vars)
	if err != nil {
		return nil, err
	}
	return appendJSON(nil, v)
}

// Uses reports whether an expression in the tree uses a name of the Env.
func (t *Tree) Uses(name string) bool { return t.root.uses(name) }

// treeRun is one evaluation.
type treeRun struct {
	vars map[string]any
	made int // values so far
}

type node interface {
	value(r *treeRun) (any, error)
	uses(name string) bool
}

type scalarNode struct{ v any }

func (n scalarNode) value(*treeRun) (any, error) { return n.v, nil }
func (n scalarNode) uses(string) bool            { return false }

type textNode struct{ *Text }

func (n textNode) value(r *treeRun) (any, error) { return n.Value(r.vars) }
func (n textNode) uses(name string) bool         { return n.Uses(name) }

type listNode []node

func (n listNode) value(r *treeRun) (any, error) {
	out := make([]any, len(n))
	for i, e := range n {
		v, err := e.value(r)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		out[i] = v
	}
	return out, nil
}

func (n listNode) uses(name string) bool {
	return slices.ContainsFunc(n, func(e node) bool { return e.uses(name) })
}

type mapNode struct {
	keys   []string // sorted
	values []node
}

func (n mapNode) value(r *treeRun) (any, error) {
	if r.made += len(n.keys); r.made > maxTree {
		return nil, fmt.Errorf("more than %d values", maxTree)
	}
	out := make(map[string]any, len(n.keys))
	for i, k := range n.keys {
		v, err := n.values[i].value(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = v
	}
	return out, nil
}

func (n mapNode) uses(name string) bool { return listNode(n.values).uses(name) }

type eachNode struct {
	list *Program
	rest node
}

func (n eachNode) value(r *treeRun) (any, error) {
	v, err := n.list.Eval(r.vars)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", eachKey, err)
	}
	if v == nil {
		return []any{}, nil
	}
	list := reflect.ValueOf(v)
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil, fmt.Errorf("%s: gave %s, not a list", eachKey, describe(v))
	}
	outer := r.vars
	defer func() { r.vars = outer }()
	r.vars = cloneVars(outer)
	out := make([]any, list.Len())
	for i := range out {
		r.vars["it"] = list.Index(i).Interface()
		if out[i], err = n.rest.value(r); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return out, nil
}

func (n eachNode) uses(name string) bool { return n.list.Uses(name) || n.rest.uses(name) }
