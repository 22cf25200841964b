package differ

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
)

// Diff is a JSON Patch (RFC 6902) that turns before into after, both valid
// JSON. Values are told as after spells them; what differs in spelling only
// (1 and 1.0, the order of members) is no difference. An array is aligned by
// its longest common run of elements, so that an element put in front is one
// "add" and not a "replace" of each.
func Diff(before, after []byte) json.RawMessage {
	var plain form
	return plain.diff(before, after)
}

// diff is Diff, where elements of lists are told apart as f says: an element
// that has an id goes on from the one of that id only. What f says is no
// difference is patched too, for the patch must turn before into after.
func (f *form) diff(before, after []byte) json.RawMessage {
	p := patch{out: []byte("["), budget: 4*(len(before)+len(after)) + 4096, most: 16*(len(before)+len(after)) + 64<<10}
	was, is := gjson.ParseBytes(before), gjson.ParseBytes(after)
	p.value("", f.alike.Root(), was, is)
	if p.full {
		p = patch{out: p.out[:1], most: math.MaxInt}
		p.op("replace", "", is.Raw)
	}
	return append(p.out, ']')
}

// patch is a patch in the making. Each array and object costs its length, on
// both sides; where the budget is used up, what differs is replaced whole, so
// that values nested deep cost no more than a few readings of them. Each
// operation repeats the names that lead to it: where these make the patch many
// times as long as both sides, all is replaced.
type patch struct {
	out    []byte
	budget int
	most   int  // bytes of out
	full   bool // it has more: what it says is of no use
}

func (p *patch) op(op, path, value string) {
	if p.full = p.full || len(p.out)+len(path) > p.most; p.full {
		return
	}
	if len(p.out) > 1 {
		p.out = append(p.out, ',')
	}
	p.out = append(p.out, `{"op":"`+op+`","path":`...)
	p.out = canon.Quote(p.out, path)
	if op != "remove" {
		p.out = append(p.out, `,"value":`...)
		p.out = canon.Compact(p.out, []byte(value), nil)
	}
	p.out = append(p.out, '}')
}

func (p *patch) value(path string, at canon.Place, before, after gjson.Result) {
	if before.Raw == after.Raw || p.full {
		return
	}
	p.budget -= len(before.Raw) + len(after.Raw)
	switch {
	case p.budget < 0:
		p.op("replace", path, after.Raw)
	case before.IsObject() && after.IsObject():
		p.object(path, at, before, after)
	case before.IsArray() && after.IsArray():
		p.array(path, at, before.Array(), after.Array())
	case !equal(before, after):
		p.op("replace", path, after.Raw)
	}
}

func equal(a, b gjson.Result) bool {
	return a.Raw == b.Raw || bytes.Equal(canon.Append(nil, []byte(a.Raw)), canon.Append(nil, []byte(b.Raw)))
}

func (p *patch) object(path string, place canon.Place, before, after gjson.Result) {
	now := members(after)
	was := members(before)
	before.ForEach(func(key, value gjson.Result) bool {
		at := path + "/" + pointerEscape.Replace(key.Str)
		if next, ok := now[key.Str]; ok {
			p.value(at, place.Member(key.Str), value, next)
		} else {
			p.op("remove", at, "")
		}
		return !p.full
	})
	after.ForEach(func(key, value gjson.Result) bool {
		if _, ok := was[key.Str]; !ok {
			p.op("add", path+"/"+pointerEscape.Replace(key.Str), value.Raw)
		}
		return !p.full
	})
}

func members(object gjson.Result) map[string]gjson.Result {
	m := map[string]gjson.Result{}
	object.ForEach(func(key, value gjson.Result) bool {
		m[key.Str] = value
		return true
	})
	return m
}

// pointerEscape is RFC 6901's.
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// array patches one array. Indices are those at the time of each operation:
// at counts the elements that are final.
func (p *patch) array(path string, place canon.Place, before, after []gjson.Result) {
	if len(place.Sense().ID) > 0 {
		p.list(path, place, before, after)
		return
	}
	at := 0
	for _, s := range align(place, before, after) {
		pairs := min(len(s.before), len(s.after))
		for i := range pairs {
			p.value(p.element(path, at), place.Element(at), s.before[i], s.after[i])
			at++
		}
		for range s.before[pairs:] {
			p.op("remove", p.element(path, at), "")
		}
		for _, v := range s.after[pairs:] {
			p.op("add", p.element(path, at), v.Raw)
			at++
		}
	}
}

// list patches an array whose elements have ids. One that goes on from another
// is patched within if both lists have it in the same order.
func (p *patch) list(path string, place canon.Place, before, after []gjson.Result) {
	next := 0 // of before: what stands at the index that comes now
	for at, from := range pair(place, before, after) {
		if from < next {
			p.op("add", p.element(path, at), after[at].Raw)
			continue
		}
		for ; next < from; next++ {
			p.op("remove", p.element(path, at), "")
		}
		p.value(p.element(path, at), place.Element(at), before[from], after[at])
		next++
	}
	for range before[next:] {
		p.op("remove", p.element(path, len(after)), "")
	}
}

// element is the path of an element; of a patch that is full none is needed, for
// it may be long.
func (p *patch) element(path string, i int) string {
	if p.full {
		return ""
	}
	return path + "/" + strconv.Itoa(i)
}
