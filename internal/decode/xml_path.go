package decode

import (
	"fmt"
	"strings"
)

// branch is where lists stand below an element.
type branch struct {
	list  bool
	names []string // of below, in the order given
	below map[string]*branch
}

// XMLPath reads the path of an element from the root: names joined by dots, a
// backslash before a dot that is part of a name.
func XMLPath(text string) ([]string, error) {
	var names []string
	var name strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			name.WriteByte(text[i])
		case text[i] == '.':
			names = append(names, name.String())
			name.Reset()
		default:
			name.WriteByte(text[i])
		}
	}
	names = append(names, name.String())
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "@#+*?|[](){}<>\" \t\n") {
			return nil, fmt.Errorf("%q is not a path of names from the root, as Envelope.Orders.Order", text)
		}
	}
	if len(names) == 1 {
		return nil, fmt.Errorf("%q is a root, of which there is only one: a path from the root was expected, as Envelope.Orders.Order", text)
	}
	return names, nil
}

// hasLists reports whether an element at b is an object in any case.
func (b *branch) hasLists() bool { return b != nil && len(b.below) > 0 }
