package expr

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/types"
)

// want is the type that an expression must be able to yield.
type want reflect.Kind

const (
	wantAny  = want(reflect.Invalid)
	wantBool = want(reflect.Bool)
)

// compile is what expr.Compile of the library does, with one difference: the
// result's type is checked, but no conversion is compiled in, for the
// library's own turns nil into false.
func compile(src string, env Env, w want, extra ...function) (*Program, error) {
	if err := precheck(src); err != nil {
		return nil, err
	}
	config := conf.New(natures(env))
	config.MaxNodes = maxNodes
	config.Expect, config.ExpectAny = reflect.Kind(w), true
	for _, f := range slices.Concat(builtins, extra) {
		config.Functions[f.Name] = f
	}

	tree, err := checker.ParseCheck(src, config)
	if err != nil {
		e := explain(err)
		suggest(e, err, tree, config)
		return nil, e
	}
	p := &Program{names: map[string]bool{}, funcs: map[string]any{}, gives: tree.Node.Type()}
	if err := p.inspect(tree.Node, src, env); err != nil {
		return nil, err
	}
	config.Expect = reflect.Invalid
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, explain(err)
	}
	if p.code, err = compiler.Compile(tree, config); err != nil {
		return nil, explain(err)
	}
	return p, nil
}

// precheck finds what the parser would put badly.
func precheck(src string) error {
	trimmed := strings.TrimSpace(src)
	switch {
	case trimmed == "":
		return &Error{Text: "the expression is empty"}
	case len(src) > maxSource:
		return errorf("the expression is %d bytes long; at most %d are allowed", len(src), maxSource)
	case strings.HasPrefix(trimmed, opening) && strings.HasSuffix(trimmed, closing):
		return &Error{Text: "a bare expression is expected here: write it without {{ }}"}
	}
	return nil
}

// natures makes of env what the library's type checker reads.
func natures(env Env) types.Map {
	m := make(types.Map, len(env))
	for name, v := range env {
		switch v := v.(type) {
		case nil:
			m[name] = types.Any
		case types.Type:
			m[name] = v
		case Func:
			m[name] = types.TypeOf(v.Func)
		default:
			m[name] = types.TypeOf(v)
		}
	}
	return m
}

// inspect notes the names that an expression uses, and refuses what the type
// checker lets pass.
func (p *Program) inspect(root ast.Node, src string, env Env) error {
	v := &inspector{program: p, src: src, env: env}
	ast.Walk(&root, v)
	return v.err
}

type inspector struct {
	program *Program
	src     string
	env     Env
	err     error // the first one
}

func (v *inspector) fail(at ast.Node, text string) {
	if v.err == nil {
		line, column := place(v.src, byteOffset(v.src, at.Location().From))
		v.err = &Error{Line: line, Column: column, Text: text}
	}
}

// Visit is called by ast.Walk with each node.
func (v *inspector) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		v.identifier(n)
	case *ast.CallNode:
		v.call(n)
	}
}

func (v *inspector) identifier(n *ast.IdentifierNode) {
	// $env is the map of all variables: through it, any name would pass the
	// type checker.
	if n.Value == "$env" {
		v.fail(n, `unknown name "$env"`)
	}
	v.program.names[n.Value] = true
	fn := v.env[n.Value]
	if checked, ok := fn.(Func); ok {
		fn = checked.Func
	}
	if fn != nil && reflect.TypeOf(fn).Kind() == reflect.Func {
		v.program.funcs[n.Value] = fn
	}
}

// call checks what is written out of a call's arguments: a duration, and what
// a function of the Env checks itself.
func (v *inspector) call(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return
	}
	args := make([]*string, len(n.Arguments))
	for i, arg := range n.Arguments {
		if text, ok := arg.(*ast.StringNode); ok {
			args[i] = &text.Value
		}
	}
	if callee.Value == "duration" && len(args) == 1 && args[0] != nil {
		if _, err := parseDuration(*args[0]); err != nil {
			v.fail(n.Arguments[0], err.Error())
		}
	}
	if fn, ok := v.env[callee.Value].(Func); ok && fn.Check != nil {
		if i, err := fn.Check(args); err != nil {
			v.fail(n.Arguments[i], err.Error())
		}
	}
}
