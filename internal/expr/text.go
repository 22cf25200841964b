package expr

import "strings"

// Text is a text with expressions in it: "parcel {{ key }} is {{ new.status }}".
type Text struct{ parts []part }

// part is a piece of a text: literal, or an expression.
type part struct {
	literal string
	program *Program // nil: literal
}

// ParseText reads a text. The braces that close an expression are found by
// the expression's own tokens: }} inside a string or a map literal doesn't
// end it. A literal {{ is written {{ "{{" }}. An error is an *Error, whose
// place is one in src.
func ParseText(src string, env Env) (*Text, error) {
	parts, err := parseParts(src, env)
	if err != nil {
		return nil, err
	}
	return &Text{parts}, nil
}

// Value is the text; where it is one whole {{ expression }}, that one's value
// with its type.
func (t *Text) Value(vars map[string]any) (any, error) {
	if len(t.parts) == 1 && t.parts[0].program != nil {
		return t.parts[0].program.Eval(vars)
	}
	return t.String(vars)
}

// String is the text, values formatted into it: nil as nothing, numbers in
// plain decimal, times in RFC 3339 in UTC to the second, lists and maps as
// JSON.
func (t *Text) String(vars map[string]any) (string, error) {
	if t.Constant() {
		return t.literal(), nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.program.Eval(vars)
		if err != nil {
			return "", err
		}
		s, err := format(v)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// Constant reports whether there is no expression in the text.
func (t *Text) Constant() bool {
	return len(t.parts) == 0 || len(t.parts) == 1 && t.parts[0].program == nil
}

func (t *Text) literal() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].literal
}

// Uses reports whether an expression in the text uses a name of the Env.
func (t *Text) Uses(name string) bool { return usesAny(t.parts, name) }

func usesAny(parts []part, name string) bool {
	for _, p := range parts {
		if p.program != nil && p.program.Uses(name) {
			return true
		}
	}
	return false
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
		length, err := scan(src[start:])
		if err != nil {
			return nil, shift(err, src, start)
		}
		p, err := compile(src[start:start+length], env, wantAny, extra...)
		if err != nil {
			return nil, shift(err, src, start)
		}
		parts = append(parts, part{program: p})
		rest = src[start+length+len(closing):]
	}
	return parts, nil
}
