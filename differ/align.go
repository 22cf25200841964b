package differ

import (
	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
)

// stretch is a part of two arrays: either equal elements, pair by pair, or
// what stands between two such parts.
type stretch struct{ before, after []gjson.Result }

// alignable bounds the table of align, in cells of 4 bytes: two arrays of
// 1,000 elements. Where more differs, elements are paired by position.
const alignable = 1 << 20

// align cuts two arrays at a place into stretches, by their longest common
// subsequence.
func align(at canon.Place, before, after []gjson.Result) []stretch {
	a, b := forms(at, before), forms(at, after)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	endA, endB := len(a)-tail, len(b)-tail
	out := []stretch{{before[:head], after[:head]}}
	out = append(out, between(before[head:endA], after[head:endB], a[head:endA], b[head:endB])...)
	return append(out, stretch{before[endA:], after[endB:]})
}

// forms are the canonical forms of the elements of the array at a place.
func forms(at canon.Place, elements []gjson.Result) []string {
	out := make([]string, len(elements))
	var buf []byte
	for i, e := range elements {
		buf = at.Element(i).Append(buf[:0], []byte(e.Raw))
		out[i] = string(buf)
	}
	return out
}

// between aligns what lies between the common head and tail.
func between(before, after []gjson.Result, a, b []string) []stretch {
	n, m := len(a), len(b)
	if n == 0 || m == 0 || (n+1)*(m+1) > alignable {
		return []stretch{{before, after}}
	}
	// common[i*w+j] is the length of the longest common subsequence of
	// a[i:] and b[j:].
	w := m + 1
	common := make([]int32, (n+1)*w)
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i*w+j] = common[(i+1)*w+j+1] + 1
			} else {
				common[i*w+j] = max(common[(i+1)*w+j], common[i*w+j+1])
			}
		}
	}
	var out []stretch
	i, j, fromA, fromB := 0, 0, 0, 0
	for i < n && j < m {
		switch {
		case a[i] == b[j]:
			out = append(out, stretch{before[fromA:i], after[fromB:j]}, stretch{before[i : i+1], after[j : j+1]})
			i, j = i+1, j+1
			fromA, fromB = i, j
		case common[(i+1)*w+j] >= common[i*w+j+1]:
			i++
		default:
			j++
		}
	}
	return append(out, stretch{before[fromA:], after[fromB:]})
}
