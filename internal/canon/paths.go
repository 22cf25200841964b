package canon

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/match"
)

// Paths names parts of a value: dotted paths as gjson writes them, in which *
// and ? are wildcards within a name, # or * is any element of an array, a
// number is one element, ** is any depth, and a backslash takes the next
// character as it is. Nil names nothing. Immutable.
type Paths struct {
	patterns [][]string
	initial  []place
}

// place is where one pattern stands: the step that the next name must match.
type place struct{ pattern, step int }

// ParsePaths reads paths. The error says what is wrong with which.
func ParsePaths(paths ...string) (*Paths, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	p := &Paths{}
	for i, path := range paths {
		steps, err := split(path)
		if err != nil {
			return nil, err
		}
		p.patterns = append(p.patterns, steps)
		p.initial = append(p.initial, place{i, 0})
	}
	return p, nil
}

// split cuts a path at its dots. Backslashes stay for match to see.
func split(path string) ([]string, error) {
	var steps []string
	var step strings.Builder
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '\\':
			if i++; i == len(path) {
				return nil, errors.New("a path ends in a backslash")
			}
			step.WriteByte('\\')
			step.WriteByte(path[i])
		case '.':
			steps = append(steps, step.String())
			step.Reset()
		default:
			step.WriteByte(path[i])
		}
	}
	steps = append(steps, step.String())
	if slices.Contains(steps, "") {
		return nil, errors.New("a path has an empty step")
	}
	if steps[len(steps)-1] == "**" {
		return nil, errors.New("a path must not end in **")
	}
	return steps, nil
}

func (p *Paths) start() []place {
	if p == nil {
		return nil
	}
	return p.initial
}

// member gives where the patterns stand below the member whose name is the
// string that raw starts with, and whether the member is named itself.
func (p *Paths) member(at []place, raw []byte) ([]place, bool) {
	if len(at) == 0 {
		return nil, false
	}
	end := 1
	for ; raw[end] != '"'; end++ {
		if raw[end] == '\\' {
			end++
		}
	}
	name := string(Unquote(raw[:end+1]))
	return p.step(at, func(step string) bool { return match.Match(name, step) })
}

func (p *Paths) element(at []place, i int) ([]place, bool) {
	if len(at) == 0 {
		return nil, false
	}
	index := strconv.Itoa(i)
	return p.step(at, func(step string) bool { return step == "#" || step == "*" || step == index })
}

func (p *Paths) step(at []place, matches func(string) bool) (next []place, named bool) {
	for _, here := range at {
		steps := p.patterns[here.pattern]
		if steps[here.step] == "**" {
			next = append(next, here)
			here.step++
		}
		if !matches(steps[here.step]) {
			continue
		}
		if here.step == len(steps)-1 {
			return nil, true
		}
		next = append(next, place{here.pattern, here.step + 1})
	}
	return next, false
}
