package expr

import "strings"

// Text is a text with expressions in it: "parcel {{ key }} is {{ new.status }}".
type Text struct{ parts []part }

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
		return t.parts[0].eval(vars)
	}
	return t.String(vars)
}

// String is the text, values formatted into it: nil as nothing, numbers by
// the shortest digits that read back the same, times in RFC 3339 in UTC to the
// second, durations as 1h30m0s, lists and maps as JSON.
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
		s, err := p.format(vars)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// Constant reports whether there is no expression in the text.
func (t *Text) Constant() bool { return isConstant(t.parts) }

func (t *Text) literal() string {
	if len(t.parts) == 0 {
		return ""
	}
	return t.parts[0].literal
}

// Uses reports whether an expression in the text uses a name of the Env.
func (t *Text) Uses(name string) bool { return usesAny(t.parts, name) }
