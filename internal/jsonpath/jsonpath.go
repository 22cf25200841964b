// Package jsonpath checks gjson paths when a configuration is loaded. gjson
// itself takes any text and finds nothing where it is wrong.
package jsonpath

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/tidwall/gjson"
)

// modifiers are gjson's own.
var modifiers = []string{
	"pretty", "ugly", "reverse", "this", "flatten", "join", "valid", "keys", "values", "tostr", "fromstr", "group", "dig",
}

// Check says what is wrong with a gjson path: it is empty, a query or a
// string in it isn't closed, or it has what looks like a misspelt modifier
// (an @name that is none is an ordinary key, as in @odata.nextLink).
func Check(path string) error {
	if strings.TrimSpace(path) == "" {
		return errors.New("an empty path")
	}
	if err := balanced(path); err != nil {
		return err
	}
	for i := range len(path) {
		if path[i] != '@' || i > 0 && path[i-1] != '|' && path[i-1] != '.' {
			continue
		}
		name, _, _ := strings.Cut(path[i+1:], ":")
		name = name[:len(name)-len(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))]
		if gjson.ModifierExists(name, nil) {
			continue
		}
		for _, known := range modifiers {
			if len(name) > 2 && levenshtein.Distance(name, known, nil) <= 2 {
				return fmt.Errorf("unknown modifier @%s in path %q (did you mean @%s? A key of that name is written \\@%s)", name, path, known, name)
			}
		}
	}
	return nil
}

// Plain reports whether path gives what stands at a place in the document, as
// it stands there: it is names and indexes joined by dots, or @this. All other
// syntax may choose among what is there, or make something of it.
func Plain(path string) bool {
	if path == "@this" {
		return true
	}
	for i := 0; i < len(path); i++ {
		first := i == 0 || path[i-1] == '.'
		switch path[i] {
		case '\\':
			i++
		case '|', '*', '?', '#':
			return false
		case '.', '!', '{', '[':
			if first {
				return false
			}
		case '@':
			name, _, _ := strings.Cut(path[i+1:], ".")
			name, _, _ = strings.Cut(name, ":")
			if first && gjson.ModifierExists(name, nil) {
				return false
			}
		}
	}
	return path != ""
}

// balanced reports brackets and quotes of queries that are not closed.
func balanced(path string) error {
	var open []byte
	for i := 0; i < len(path); i++ {
		switch b := path[i]; {
		case b == '\\':
			i++
		case b == '"' && len(open) > 0:
			for i++; i < len(path) && path[i] != '"'; i++ {
				if path[i] == '\\' {
					i++
				}
			}
			if i >= len(path) {
				return fmt.Errorf("a string isn't closed in path %q", path)
			}
		case b == '(' && i > 0 && path[i-1] == '#', b == '(' && len(open) > 0:
			open = append(open, ')')
		case len(open) > 0 && b == open[len(open)-1]:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("a query isn't closed in path %q: a %q is missing", path, open[len(open)-1])
	}
	return nil
}
