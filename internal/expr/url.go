package expr

import (
	"fmt"
	"net/url"
	"strings"
)

// URL is a URL with expressions in it.
type URL struct{ parts []part }

// ParseURL reads a URL as ParseText reads a text. The value of an expression
// is percent-encoded for the place at which it stands; raw(x) gives x as it
// is. Only raw(x) may stand before the "://".
func ParseURL(src string, env Env) (*URL, error) {
	parts, err := parseParts(src, env, rawFunction)
	if err != nil {
		return nil, err
	}
	return &URL{parts}, nil
}

// Uses reports whether an expression in the URL uses a name of the Env.
func (u *URL) Uses(name string) bool { return usesAny(u.parts, name) }

// Constant reports whether there is no expression in the URL.
func (u *URL) Constant() bool { return (&Text{u.parts}).Constant() }

// String is the URL. In the path a value becomes part of one segment, in the
// query part of one name or value; a path segment that comes out as "." or
// ".." is an error, for it would lead elsewhere. A value in the host must be
// made of letters, digits, dots, hyphens and colons.
func (u *URL) String(vars map[string]any) (string, error) {
	var b strings.Builder
	var dots []int // where values begin that stand in the path
	for _, p := range u.parts {
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
		if _, ok := v.(raw); !ok {
			at := placeIn(b.String())
			if at == inPath {
				dots = append(dots, b.Len())
			}
			if s, err = at.encode(s); err != nil {
				return "", err
			}
		}
		b.WriteString(s)
	}
	out := b.String()
	for _, at := range dots {
		if segment := segmentAt(out, at); segment == "." || segment == ".." {
			return "", fmt.Errorf("a value makes the path segment %q, which leads elsewhere", segment)
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
)

// placeIn is the part of a URL that comes after what was written so far.
func placeIn(before string) spot {
	if strings.ContainsRune(before, '#') {
		return inFragment
	}
	if strings.ContainsRune(before, '?') {
		return inQuery
	}
	_, after, ok := strings.Cut(before, "://")
	switch {
	case !ok:
		return inScheme
	case !strings.ContainsRune(after, '/'):
		return inHost
	}
	return inPath
}

func (s spot) encode(v string) (string, error) {
	switch s {
	case inScheme:
		return "", fmt.Errorf("a value cannot stand before ://, unless it is raw(…)")
	case inHost:
		if i := strings.IndexFunc(v, notInHost); i >= 0 {
			return "", fmt.Errorf("a value in the host holds a character other than letters, digits, dots, hyphens and colons")
		}
		return v, nil
	case inQuery:
		return strings.ReplaceAll(url.QueryEscape(v), "+", "%20"), nil
	}
	return url.PathEscape(v), nil
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ':')
}

// segmentAt is the path segment that holds the byte at offset at.
func segmentAt(u string, at int) string {
	from := strings.LastIndexByte(u[:at], '/') + 1
	if n := strings.IndexAny(u[at:], "/?#"); n >= 0 {
		return u[from : at+n]
	}
	return u[from:]
}
