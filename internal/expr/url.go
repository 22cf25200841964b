package expr

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// URL is a URL with expressions in it.
type URL struct{ parts []part }

// ParseURL reads a URL as ParseText reads a text. The value of an expression
// is percent-encoded for the place at which it stands; raw(x) gives x as it
// is, and only raw(x) may stand before the "://".
func ParseURL(src string, env Env) (*URL, error) {
	parts, err := parseParts(src, env, rawFunction)
	if err != nil {
		return nil, err
	}
	if p, ok := schemeExpression(parts); ok && p.program.gives != reflect.TypeFor[raw]() {
		return nil, &Error{Line: p.line, Column: p.column, Text: "only raw(…) may stand before the :// of a URL"}
	}
	return &URL{parts}, nil
}

// schemeExpression is the first expression of a URL, where it stands before
// the "://".
func schemeExpression(parts []part) (part, bool) {
	before := ""
	for _, p := range parts {
		if p.program != nil {
			return p, spotAfter(before) == inScheme
		}
		before += p.literal
	}
	return part{}, false
}

// Uses reports whether an expression in the URL uses a name of the Env.
func (u *URL) Uses(name string) bool { return usesAny(u.parts, name) }

// Constant reports whether there is no expression in the URL.
func (u *URL) Constant() bool { return isConstant(u.parts) }

// String is the URL. In the path a value becomes part of one segment, in the
// query part of one name or value. A path segment that comes out as "." or
// ".." is an error, for it would lead elsewhere; so is a character in the host
// that isn't a letter, a digit or one of ".-_:".
func (u *URL) String(vars map[string]any) (string, error) {
	var b strings.Builder
	var inPaths []int // where the values begin that stand in the path
	for _, p := range u.parts {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.eval(vars)
		if err != nil {
			return "", err
		}
		spot := spotAfter(b.String())
		if _, ok := v.(raw); ok {
			spot = anywhere
		}
		if spot == inPath {
			inPaths = append(inPaths, b.Len())
		}
		s, err := spot.encode(v)
		if err != nil {
			return "", shift(err, p.line, p.column)
		}
		b.WriteString(s)
	}
	out := b.String()
	for _, at := range inPaths {
		if segment := segmentAt(out, at); segment == "." || segment == ".." {
			return "", fmt.Errorf("the path segment %q, made by an expression, would lead elsewhere", segment)
		}
	}
	return out, nil
}

// spot is a part of a URL that a value may stand in.
type spot int

const (
	inScheme spot = iota
	inHost
	inPath
	inQuery
	inFragment
	anywhere // for raw values
)

// spotAfter is the part of a URL that comes after what was written so far.
func spotAfter(before string) spot {
	_, after, ok := strings.Cut(before, "://")
	switch {
	case !ok:
		return inScheme
	case strings.ContainsRune(after, '#'):
		return inFragment
	case strings.ContainsRune(after, '?'):
		return inQuery
	case strings.ContainsRune(after, '/'):
		return inPath
	}
	return inHost
}

// encode is v as it may stand in s.
func (s spot) encode(v any) (string, error) {
	text, err := format(v)
	if err != nil {
		return "", err
	}
	switch s {
	case anywhere:
		return text, nil
	case inScheme, inHost:
		if strings.ContainsFunc(text, notInHost) {
			return "", fmt.Errorf("a value in the host may hold letters, digits and any of .-_: only")
		}
		return text, nil
	case inQuery:
		return strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), nil
	}
	return url.PathEscape(text), nil
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:", r))
}

// segmentAt is the path segment that holds the byte at offset at.
func segmentAt(u string, at int) string {
	from := strings.LastIndexByte(u[:at], '/') + 1
	if n := strings.IndexAny(u[at:], "/?#"); n >= 0 {
		return u[from : at+n]
	}
	return u[from:]
}
