package differ

import (
	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
)

// pair gives for each element of the list after, which stands at place at, the
// index of the one in before that it goes on from; -1: it is new. Elements are
// told apart by the ids that the place has for them. Those without one, and
// those whose id is there twice, are paired where they are equal.
func pair(at canon.Place, before, after []gjson.Result) []int {
	to := make([]int, len(after))
	taken := make([]bool, len(before))
	idsBefore, idsAfter := ids(at, before), ids(at, after)
	byID := make(map[string]int, len(before))
	for i, id := range idsBefore {
		if id != "" {
			byID[id] = i
		}
	}
	byForm := map[string][]int{}
	for i, id := range idsBefore {
		if id == "" {
			text := formOf(at, i, before[i])
			byForm[text] = append(byForm[text], i)
		}
	}
	for j, id := range idsAfter {
		to[j] = -1
		if id != "" {
			if i, ok := byID[id]; ok {
				to[j], taken[i] = i, true
			}
			continue
		}
		text := formOf(at, j, after[j])
		if same := byForm[text]; len(same) > 0 {
			to[j], byForm[text] = same[0], same[1:]
		}
	}
	return to
}

// ids are the ids of elements; "" where one has none, or shares it.
func ids(at canon.Place, elements []gjson.Result) []string {
	out := make([]string, len(elements))
	paths := at.Sense().ID
	if len(paths) == 0 {
		return out
	}
	first := make(map[string]int, len(elements))
	for i, e := range elements {
		id, missing := keyOf(e, paths)
		if missing != "" {
			continue
		}
		if other, twice := first[id]; twice {
			out[other] = ""
			continue
		}
		first[id], out[i] = i, id
	}
	return out
}

// formOf is the form of element i of the list at a place.
func formOf(at canon.Place, i int, element gjson.Result) string {
	return string(at.Element(i).Append(nil, []byte(element.Raw)))
}
