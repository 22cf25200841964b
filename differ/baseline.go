package differ

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// newest picks the items of a baseline that are told though it is silent.
type newest struct {
	most int    // items
	by   string // path of what items are ordered by; "": the answer's own order, the newest first
	rank []rank // of each item of the answer
}

// rank is where an item stands among those of its answer.
type rank struct {
	at    int // in the comparison's changes
	raw   string
	value gjson.Result
}

// see notes the item of the change that was added last.
func (n *newest) see(at int, raw string) {
	r := rank{at: at, raw: raw}
	if n.by != "" {
		r.value = gjson.Get(raw, n.by)
	}
	n.rank = append(n.rank, r)
}

// choose has the newest items told, the oldest of them first, behind those
// that are only remembered.
func (n *newest) choose(changes []change) []change {
	if n.by != "" {
		slices.SortStableFunc(n.rank, func(a, b rank) int { return compareAges(b.value, a.value) })
	}
	chosen := n.rank[:min(n.most, len(n.rank))]
	slices.Reverse(chosen)
	var told []change
	for _, r := range chosen {
		ch := &changes[r.at]
		if ch.revision > 0 { // told before the snapshot was forgotten
			continue
		}
		ch.told, ch.revision, ch.item = true, 1, []byte(r.raw)
		told = append(told, *ch)
	}
	silent := slices.DeleteFunc(changes, func(ch change) bool { return ch.told })
	return append(silent, told...)
}

// compareAges compares what two items are ordered by: numbers as such, times
// as such, everything else as text. What is absent is the oldest.
func compareAges(a, b gjson.Result) int {
	if a.Type == gjson.Number && b.Type == gjson.Number {
		return cmp.Compare(a.Num, b.Num)
	}
	first, errA := time.Parse(time.RFC3339, a.String())
	second, errB := time.Parse(time.RFC3339, b.String())
	if errA == nil && errB == nil {
		return first.Compare(second)
	}
	return strings.Compare(a.String(), b.String())
}
