package differ

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/internal/canon"
	"github.com/deltahook/deltahook/internal/fault"
)

// fields are the names that new and old have; none: they are not known.
func (s ResponseSettings) fields() []string {
	if len(s.Pick) == 0 {
		return nil
	}
	return slices.Concat(s.Pick.Keys(), s.Carry.Keys())
}

// compileForm compiles how contents are made and compared.
func compileForm(r fault.Report, resp ResponseSettings) form {
	checkCarry(r.At("carry"), resp)
	told, alike := &canon.Paths{}, &canon.Paths{NullIsAbsent: resp.NullIsAbsent}
	for i, path := range resp.Ignore {
		if err := told.Add(path, canon.Sense{Drop: true}); err != nil {
			r.At("ignore").Index(i).Errorf("%q: %v", path, err)
		}
	}
	for _, name := range resp.Carry.Keys() {
		_ = alike.Add(canon.Literal(name), canon.Sense{Drop: true})
	}
	f := form{told: told, alike: alike, arranged: len(resp.Unordered)+len(resp.Lists) > 0}
	add := func(r fault.Report, path string, to *canon.Paths, s canon.Sense) {
		if err := to.Add(path, s); err != nil {
			r.Errorf("%q: %v", path, err)
			return
		}
		checkName(r, path, resp)
	}
	for i, path := range resp.Unordered {
		if _, ok := resp.Lists.Get(path); ok {
			r.At("unordered").Index(i).Errorf("%q is in lists too, which says it already", path)
		}
		add(r.At("unordered").Index(i), path, alike, canon.Sense{Unordered: true})
	}
	for i, path := range resp.IgnoreCase {
		add(r.At("ignore_case").Index(i), path, alike, canon.Sense{Fold: true})
	}
	for _, list := range resp.Lists {
		at := r.At("lists", list.Key)
		checkIDs(at.At("id"), list.Value.ID)
		if len(list.Value.ID) == 0 {
			at.At("id").Errorf("a list needs an id: the path of what tells its elements apart")
		}
		add(at, list.Key, alike, canon.Sense{Unordered: true, ID: list.Value.ID})
	}
	for _, number := range resp.Numbers {
		at := r.At("numbers", number.Key)
		decimal, tolerance := checkNumber(at, number.Value)
		add(at, number.Key, told, canon.Sense{Decimal: decimal})
		if tolerance != nil {
			_ = alike.Add(number.Key, canon.Sense{Tolerance: tolerance})
			f.tolerant = true
		}
	}
	return f
}

// checkIDs reports what is wrong with the path of an id, or with one of several.
func checkIDs(r fault.Report, ids Paths) {
	for i, path := range ids {
		at := r
		if len(ids) > 1 {
			at = at.Index(i)
		}
		checkPath(at, path)
	}
}

func checkCarry(r fault.Report, resp ResponseSettings) {
	for _, p := range resp.Carry {
		checkPath(r.At(p.Key), p.Value)
		if _, ok := resp.Pick.Get(p.Key); ok {
			r.At(p.Key).Errorf("pick has a field of this name: a field is compared or carried, not both")
		}
	}
	if len(resp.Carry) > 0 && len(resp.Pick) == 0 {
		r.Errorf("needs pick: without it the whole item is compared and told")
	}
}

// checkName reports a path that begins with no name that pick or carry gives:
// it would say nothing of anything.
func checkName(r fault.Report, path string, resp ResponseSettings) {
	fields := resp.fields()
	name, plain := canon.FirstStep(path)
	if len(fields) == 0 || !plain || slices.Contains(fields, name) {
		return
	}
	text := "there are " + strings.Join(fields, ", ")
	for _, p := range resp.Pick {
		if p.Value == path {
			text = fmt.Sprintf("did you mean %q?", p.Key)
		}
	}
	r.Errorf("no field is called %q: paths are those after pick (%s)", name, text)
}

// checkNumber gives the decimal sign and the tolerance of s; nil: none.
func checkNumber(r fault.Report, s NumberSettings) (decimal byte, tolerance *big.Rat) {
	switch s.Decimal {
	case "", ".", ",":
		decimal = cmp.Or(s.Decimal, ".")[0]
	default:
		r.At("decimal").Errorf(`%q: expected "." or ","`, s.Decimal)
		decimal = '.'
	}
	switch {
	case s.Tolerance < 0 || math.IsNaN(s.Tolerance) || math.IsInf(s.Tolerance, 0):
		r.At("tolerance").Errorf("%v: expected a number that is not negative", s.Tolerance)
	case s.Tolerance > 0:
		// As it was written: 0.01 is no sum of powers of two.
		tolerance, _ = new(big.Rat).SetString(strconv.FormatFloat(s.Tolerance, 'g', -1, 64))
	}
	return decimal, tolerance
}

// counting are the settings of a form that decide what a content is, and which
// contents are equal: part of the shape. Nil where there are none.
func (s ResponseSettings) counting() []any {
	if len(s.Numbers)+len(s.Unordered)+len(s.Lists)+len(s.IgnoreCase) == 0 && !s.NullIsAbsent && s.Decoding == "" {
		return nil
	}
	var numbers []string
	for _, n := range s.Numbers {
		numbers = append(numbers, n.Key+" "+cmp.Or(n.Value.Decimal, "."))
	}
	// How the elements of a list are told apart decides what is told of a
	// change, and not whether there is one.
	lists := slices.Concat(s.Unordered, s.Lists.Keys())
	return []any{sorted(numbers), sorted(lists), sorted(s.IgnoreCase), s.NullIsAbsent, s.Decoding}
}

func sorted(texts []string) []string { return slices.Compact(slices.Sorted(slices.Values(texts))) }
