// Package expr is the expression language of the configuration: bare
// expressions (when, ok), and texts, URLs and trees with {{ expressions }} in
// them. The language is that of github.com/expr-lang/expr; what it accepts
// stands in https://expr-lang.org/docs/language-definition.
//
// Everything is compiled and type-checked once, at load, against an Env that
// says which names there are; a name that isn't there is an *Error. What was
// compiled is immutable and safe for concurrent use.
//
// Beside the language's own functions there are
//
//	uuid()           a random UUID (version 4)
//	duration("7d")   as the language's own, with d (24 hours) and w besides
//	fromJSON(text)   as the language's own, but whole numbers keep all digits
//	raw(x)           in URLs only: x without percent-encoding
//
// An expression may be 10,000 bytes long and have 2,000 nodes, and its lists
// and maps may have 1,000,000 elements together while it is evaluated. There
// is no limit on time: expressions come from the operator's own file, never
// from elsewhere.
package expr

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/expr-lang/expr/vm"
)

// Limits of one expression.
const (
	maxSource = 10_000    // bytes
	maxNodes  = 2_000     // of the syntax tree
	maxMemory = 1_000_000 // elements of lists and maps, made in one evaluation
)

// Env says which names an expression may use. A value stands for its type:
// "" for any string, 0 for any int, nil for a value of any type. A types.Map
// (github.com/expr-lang/expr/types) restricts the fields of a map, so that a
// misspelt field is an error at load. A func is a function; it is called
// where the variables of an evaluation hold none under its name. A Func is one
// whose arguments are checked at load.
type Env map[string]any

// Func is a function of an Env that has its own word about a call at load.
type Func struct {
	Func any // as it would stand in the Env itself
	// Check gets the arguments of a call: the text of each that is written
	// out as text, nil for what shows only at run time. It says what is
	// wrong, and with which argument, counted from 0.
	Check func(args []*string) (wrong int, err error)
}

// Program is one compiled expression.
type Program struct {
	code  *vm.Program
	names map[string]bool // used at the top level
	funcs map[string]any  // functions of the Env among them
	gives reflect.Type    // of the result, as far as it shows at load
}

// Compile compiles src, whatever the type of its result. An error is an *Error.
func Compile(src string, env Env) (*Program, error) { return compile(src, env, wantAny) }

// CompileBool compiles src, which must be able to yield a bool: a result
// whose type shows only at run time is checked then. An error is an *Error.
func CompileBool(src string, env Env) (*Program, error) { return compile(src, env, wantBool) }

// Eval evaluates the expression. A name that vars lacks is nil. Values of
// vars must be of the types that the Env said; what stands below `any` should
// come from Decode. The result must not be changed, for it may share parts
// with vars and with the program. The error may quote values, but never the
// expression.
func (p *Program) Eval(vars map[string]any) (any, error) {
	machine := vm.VM{MemoryBudget: maxMemory}
	v, err := machine.Run(p.code, p.withFuncs(vars))
	if err != nil {
		return nil, explain(err)
	}
	return v, nil
}

// Bool evaluates an expression that must give true or false; any other
// result, nil among them, is an error.
func (p *Program) Bool(vars map[string]any) (bool, error) {
	v, err := p.Eval(vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("gave %s, not true or false", describe(v))
	}
	return b, nil
}

// Uses reports whether the expression uses a name of the Env, so that a
// caller may leave out work for a value that nobody asks for.
func (p *Program) Uses(name string) bool { return p.names[name] }

// withFuncs adds the Env's functions that the expression calls and vars
// doesn't hold.
func (p *Program) withFuncs(vars map[string]any) map[string]any {
	if vars == nil {
		vars = map[string]any{}
	}
	copied := false
	for name, fn := range p.funcs {
		if vars[name] != nil {
			continue
		}
		if !copied {
			vars, copied = cloneVars(vars), true
		}
		vars[name] = fn
	}
	return vars
}

// cloneVars is a copy of vars with room for one more.
func cloneVars(vars map[string]any) map[string]any {
	c := make(map[string]any, len(vars)+1)
	maps.Copy(c, vars)
	return c
}
