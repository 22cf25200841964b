package expr

import (
	"slices"
	"strings"
)

// part is a piece of a text: literal, or an expression.
type part struct {
	literal string
	program *Program // nil: literal

	line, column int // where the expression begins, behind its braces
}

// eval evaluates an expression of a text; its errors have their place in the
// text.
func (p part) eval(vars map[string]any) (any, error) {
	v, err := p.program.Eval(vars)
	if err != nil {
		return nil, shift(err, p.line, p.column)
	}
	return v, nil
}

// format is the expression's value as text.
func (p part) format(vars map[string]any) (string, error) {
	v, err := p.eval(vars)
	if err != nil {
		return "", err
	}
	s, err := format(v)
	if err != nil {
		return "", shift(err, p.line, p.column)
	}
	return s, nil
}

// parseParts cuts src at its expressions and compiles them.
func parseParts(src string, env Env, extra ...function) ([]part, error) {
	var parts []part
	for rest := src; rest != ""; {
		at := strings.Index(rest, opening)
		if at < 0 {
			return append(parts, part{literal: rest}), nil
		}
		if at > 0 {
			parts = append(parts, part{literal: rest[:at]})
		}
		start := len(src) - len(rest) + at + len(opening)
		line, column := place(src, start)
		length, err := scan(src[start:])
		if err != nil {
			return nil, shift(err, line, column)
		}
		p, err := compile(src[start:start+length], env, wantAny, extra...)
		if err != nil {
			return nil, shift(err, line, column)
		}
		parts = append(parts, part{program: p, line: line, column: column})
		rest = src[start+length+len(closing):]
	}
	return parts, nil
}

func isConstant(parts []part) bool {
	return len(parts) == 0 || len(parts) == 1 && parts[0].program == nil
}

func usesAny(parts []part, name string) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return p.program != nil && p.program.Uses(name) })
}
