package canon

import (
	"cmp"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/match"
)

// Paths says things of parts of a value. It names them by dotted paths as gjson
// writes them, in which * and ? are wildcards within a name, # or * is any
// element of an array, a number is one element, ** is any depth, and a
// backslash takes the next character as it is. The zero value and nil say
// nothing. Immutable once it is in use.
type Paths struct {
	// NullIsAbsent leaves members that are null out of the form that Append
	// of a Place makes.
	NullIsAbsent bool

	patterns [][]string
	senses   []Sense
	initial  []place
}

// Sense is what a path says of the values that it names.
type Sense struct {
	Drop      bool // it is left out
	Unordered bool // an array whose order is no difference
	Fold      bool // text in which upper and lower case are no difference
	Decimal   byte // text that may be a number, and the sign before its decimals, '.' or ','; 0: it is text

	// For who walks a value by its Places; nothing here uses them.
	Tolerance *big.Rat // how far a number may be from another without being different
	ID        []string // paths in an element of an array to what tells it from the others
}

// place is where one pattern stands: the step that the next name must match.
type place struct{ pattern, step int }

// Add has path say s of what it names. What it says of text and of numbers it
// says of the elements too where it names an array.
func (p *Paths) Add(path string, s Sense) error {
	steps, err := split(path)
	if err != nil {
		return err
	}
	p.add(steps, s)
	if s.Fold || s.Decimal != 0 || s.Tolerance != nil {
		p.add(append(slices.Clip(steps), "#"), s)
	}
	return nil
}

func (p *Paths) add(steps []string, s Sense) {
	p.initial = append(p.initial, place{len(p.patterns), 0})
	p.patterns = append(p.patterns, steps)
	p.senses = append(p.senses, s)
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

// FirstStep is the name that a path begins with, and whether it is one name
// and no pattern. The path must be a good one.
func FirstStep(path string) (name string, plain bool) {
	steps, err := split(path)
	if err != nil {
		return "", false
	}
	var text strings.Builder
	for i := 0; i < len(steps[0]); i++ {
		switch steps[0][i] {
		case '*', '?':
			return "", false
		case '\\':
			i++
		}
		text.WriteByte(steps[0][i])
	}
	return text.String(), true
}

// Literal is the path that names the member name and nothing else.
func Literal(name string) string { return literal.Replace(name) }

var literal = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`, `?`, `\?`)

// Place is a part of a value, and what is said of it and of its parts. The
// zero value is one of which nothing is said.
type Place struct {
	paths *Paths
	at    []place
	sense *Sense // nil: nothing is said of the part itself
}

// Root is the place of a whole value.
func (p *Paths) Root() Place {
	if p == nil {
		return Place{}
	}
	return Place{paths: p, at: p.initial}
}

// Sense is what is said of the part.
func (l Place) Sense() Sense {
	if l.sense == nil {
		return Sense{}
	}
	return *l.sense
}

// Plain reports whether nothing is said of the part nor of anything within,
// null members excepted.
func (l Place) Plain() bool { return l.sense == nil && len(l.at) == 0 }

// Member is the place of a member of the object that stands here.
func (l Place) Member(name string) Place {
	next := Place{paths: l.paths}
	for _, here := range l.at {
		here = next.deeper(here)
		if match.Match(name, l.paths.patterns[here.pattern][here.step]) {
			next.enter(here)
		}
	}
	return next.open()
}

// Element is the place of an element of the array that stands here.
func (l Place) Element(i int) Place {
	next := Place{paths: l.paths}
	for _, here := range l.at {
		here = next.deeper(here)
		step := l.paths.patterns[here.pattern][here.step]
		if step == "#" || step == "*" || isIndex(step, i) {
			next.enter(here)
		}
	}
	return next.open()
}

func isIndex(step string, i int) bool {
	n, err := strconv.Atoi(step)
	return err == nil && n == i && (step[0] != '0' || step == "0") && step[0] != '+'
}

// member is Member of the name that is the JSON string which raw starts with.
func (l Place) member(raw []byte) Place {
	if len(l.at) == 0 {
		return Place{paths: l.paths}
	}
	end := 1
	for ; raw[end] != '"'; end++ {
		if raw[end] == '\\' {
			end++
		}
	}
	return l.Member(string(unquote(raw[:end+1])))
}

// deeper has ** at here go on, and gives the step that a name must match.
func (l *Place) deeper(here place) place {
	if l.paths.patterns[here.pattern][here.step] == "**" {
		l.at = append(l.at, here)
		here.step++
	}
	return here
}

// enter notes that the step of here matches: the part is named, or lies on the
// way to what is.
func (l *Place) enter(here place) {
	if here.step < len(l.paths.patterns[here.pattern])-1 {
		l.at = append(l.at, place{here.pattern, here.step + 1})
	} else {
		l.sense = l.sense.and(&l.paths.senses[here.pattern])
	}
}

// open is l, of which no part is looked at where all of it is left out.
func (l Place) open() Place {
	if l.dropped() {
		l.at = nil
	}
	return l
}

// and is what both say; of what only one can, the first.
func (s *Sense) and(other *Sense) *Sense {
	if s == nil {
		return other
	}
	both := *s
	both.Drop = s.Drop || other.Drop
	both.Unordered = s.Unordered || other.Unordered
	both.Fold = s.Fold || other.Fold
	both.Decimal = cmp.Or(s.Decimal, other.Decimal)
	both.Tolerance = cmp.Or(s.Tolerance, other.Tolerance)
	if both.ID == nil {
		both.ID = other.ID
	}
	return &both
}
