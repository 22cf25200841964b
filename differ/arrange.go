package differ

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
)

// arrange gives after with its lists whose order is no difference in the order
// of before, so that what is told differs in nothing that is no change.
func (f *form) arrange(before, after json.RawMessage) json.RawMessage {
	if !f.arranged {
		return after
	}
	a := arranger{budget: reading(before, after)}
	a.value(f.alike.Root(), gjson.ParseBytes(before), gjson.ParseBytes(after))
	return a.out
}

// readings is how often a content is read at most where it is compared part by
// part: parts that are nested are read once for each level.
const readings = 16

func reading(before, after []byte) int { return readings*(len(before)+len(after)) + 4096 }

// arranger is an arrangement in the making. What lies deeper than its budget
// reaches stays as it was sent.
type arranger struct {
	out    []byte
	budget int
}

func (a *arranger) value(at canon.Place, before, after gjson.Result) {
	a.budget -= len(before.Raw) + len(after.Raw)
	switch {
	case at.Plain() || a.budget < 0 || before.Raw == after.Raw:
		a.out = append(a.out, after.Raw...)
	case before.IsObject() && after.IsObject():
		a.object(at, before, after)
	case before.IsArray() && after.IsArray():
		a.array(at, before.Array(), after.Array())
	default:
		a.out = append(a.out, after.Raw...)
	}
}

func (a *arranger) object(at canon.Place, before, after gjson.Result) {
	was := members(before)
	a.out = append(a.out, '{')
	first := true
	after.ForEach(func(key, value gjson.Result) bool {
		if !first {
			a.out = append(a.out, ',')
		}
		first = false
		a.out = append(append(a.out, key.Raw...), ':')
		a.value(at.Member(key.Str), was[key.Str], value)
		return true
	})
	a.out = append(a.out, '}')
}

// array arranges a list: elements that were there keep the order they had
// there, where the answer has them in another; new ones come after them then.
func (a *arranger) array(at canon.Place, before, after []gjson.Result) {
	var to, order []int
	if at.Sense().Unordered {
		to = pair(at, before, after)
		order = arranged(to)
	} else {
		to = aligned(at, before, after)
		order = increasing(len(after))
	}
	a.out = append(a.out, '[')
	for i, j := range order {
		if i > 0 {
			a.out = append(a.out, ',')
		}
		var was gjson.Result
		if to[j] >= 0 {
			was = before[to[j]]
		}
		a.value(at.Element(j), was, after[j])
	}
	a.out = append(a.out, ']')
}

// arranged is the order in which the elements of a list are told that go on
// from to: as they were sent, if those that go on are in their old order.
func arranged(to []int) []int {
	order := increasing(len(to))
	last, kept := -1, true
	for _, i := range to {
		if i >= 0 {
			kept = kept && i > last
			last = i
		}
	}
	if !kept {
		slices.SortStableFunc(order, func(i, j int) int {
			// -1, which is new, is the greatest as an unsigned number.
			return cmp.Compare(uint(to[i]), uint(to[j]))
		})
	}
	return order
}

func increasing(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// aligned is pair of lists whose order counts.
func aligned(at canon.Place, before, after []gjson.Result) []int {
	var to []int
	i := 0
	for _, s := range align(at, before, after) {
		for k := range s.after {
			if k < len(s.before) {
				to = append(to, i+k)
			} else {
				to = append(to, -1)
			}
		}
		i += len(s.before)
	}
	return to
}
