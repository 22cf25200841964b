package differ

import (
	"bytes"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
)

// same reports whether two contents differ in nothing that is a difference.
func (f *form) same(a, b []byte) bool {
	m := matcher{nulls: f.alike != nil && f.alike.NullIsAbsent, budget: reading(a, b)}
	return m.value(f.alike.Root(), gjson.ParseBytes(a), gjson.ParseBytes(b))
}

// sameField is same of one field of two contents. What is carried is compared
// too. A nil form has no differences but those of JSON.
func (f *form) sameField(name string, a, b gjson.Result) bool {
	if f == nil {
		f = &form{}
	}
	m := matcher{nulls: f.alike != nil && f.alike.NullIsAbsent, budget: reading([]byte(a.Raw), []byte(b.Raw))}
	if !m.there(a) || !m.there(b) {
		return m.there(a) == m.there(b)
	}
	return m.value(f.alike.Root().Member(name), a, b)
}

// matcher compares two values part by part, for the numbers in them that may
// be apart. Where its budget does not reach, they are different.
type matcher struct {
	nulls  bool
	budget int
}

func (m *matcher) there(v gjson.Result) bool {
	return v.Exists() && !(m.nulls && v.Type == gjson.Null)
}

func (m *matcher) value(at canon.Place, a, b gjson.Result) bool {
	if a.Raw == b.Raw {
		return true
	}
	if m.budget -= len(a.Raw) + len(b.Raw); m.budget < 0 {
		return false
	}
	switch {
	case at.Plain():
	case a.IsObject() && b.IsObject():
		return m.object(at, a, b)
	case a.IsArray() && b.IsArray():
		return m.array(at, a.Array(), b.Array())
	case a.Type == gjson.Number && b.Type == gjson.Number:
		return canon.Within([]byte(a.Raw), []byte(b.Raw), at.Sense().Tolerance)
	}
	return bytes.Equal(at.Append(nil, []byte(a.Raw)), at.Append(nil, []byte(b.Raw)))
}

func (m *matcher) object(at canon.Place, a, b gjson.Result) bool {
	was, now := m.counting(at, a), m.counting(at, b)
	if len(was) != len(now) {
		return false
	}
	for name, v := range was {
		other, ok := now[name]
		if !ok || !m.value(at.Member(name), v, other) {
			return false
		}
	}
	return true
}

// counting are the members of an object that count.
func (m *matcher) counting(at canon.Place, object gjson.Result) map[string]gjson.Result {
	all := members(object)
	for name, v := range all {
		if !m.there(v) || at.Member(name).Sense().Drop {
			delete(all, name)
		}
	}
	return all
}

func (m *matcher) array(at canon.Place, a, b []gjson.Result) bool {
	if len(a) != len(b) {
		return false
	}
	if at.Sense().Unordered {
		return m.unordered(at, a, b)
	}
	for i := range a {
		if !m.value(at.Element(i), a[i], b[i]) {
			return false
		}
	}
	return true
}

// unordered compares two lists of one length whose order does not count.
func (m *matcher) unordered(at canon.Place, a, b []gjson.Result) bool {
	to := pair(at, a, b)
	var restA, restB []gjson.Result
	taken := make([]bool, len(a))
	for j, i := range to {
		if i < 0 {
			restB = append(restB, b[j])
			continue
		}
		taken[i] = true
		if !m.value(at.Element(j), a[i], b[j]) {
			return false
		}
	}
	for i := range a {
		if !taken[i] {
			restA = append(restA, a[i])
		}
	}
	return m.rest(at, restA, restB)
}

// matchable is how many elements of an unordered list may differ, and all be
// within the tolerance of another one. Where more do, the list changed.
const matchable = 64

// rest reports whether each element of a can be given one of b that is the
// same: a perfect matching, found by augmenting paths (Kuhn's algorithm).
func (m *matcher) rest(at canon.Place, a, b []gjson.Result) bool {
	if len(a) > matchable {
		return false
	}
	alike := make([][]bool, len(a))
	for i := range a {
		alike[i] = make([]bool, len(b))
		for j := range b {
			alike[i][j] = m.value(at.Element(j), a[i], b[j])
		}
	}
	owner := make([]int, len(b))
	for j := range owner {
		owner[j] = -1
	}
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for j := range b {
			if !alike[i][j] || tried[j] {
				continue
			}
			tried[j] = true
			if owner[j] < 0 || place(owner[j], tried) {
				owner[j] = i
				return true
			}
		}
		return false
	}
	for i := range a {
		if !place(i, make([]bool, len(b))) {
			return false
		}
	}
	return true
}
