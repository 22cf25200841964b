package differ

import (
	"bytes"
	"encoding/json"
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
	p := patch{out: []byte("["), budget: 4*(len(before)+len(after)) + 4096}
	p.value("", gjson.ParseBytes(before), gjson.ParseBytes(after))
	return append(p.out, ']')
}

// patch is a patch in the making. Each array and object costs its length, on
// both sides; where the budget is used up, what differs is replaced whole, so
// that values nested deep cost no more than a few readings of them.
type patch struct {
	out    []byte
	budget int
}

func (p *patch) op(op, path, value string) {
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

func (p *patch) value(path string, before, after gjson.Result) {
	if before.Raw == after.Raw {
		return
	}
	p.budget -= len(before.Raw) + len(after.Raw)
	switch {
	case p.budget < 0:
		p.op("replace", path, after.Raw)
	case before.IsObject() && after.IsObject():
		p.object(path, before, after)
	case before.IsArray() && after.IsArray():
		p.array(path, before.Array(), after.Array())
	case !equal(before, after):
		p.op("replace", path, after.Raw)
	}
}

func equal(a, b gjson.Result) bool {
	return a.Raw == b.Raw || bytes.Equal(canon.Append(nil, []byte(a.Raw)), canon.Append(nil, []byte(b.Raw)))
}

func (p *patch) object(path string, before, after gjson.Result) {
	now := members(after)
	was := members(before)
	before.ForEach(func(key, value gjson.Result) bool {
		at := path + "/" + pointerEscape.Replace(key.Str)
		if next, ok := now[key.Str]; ok {
			p.value(at, value, next)
		} else {
			p.op("remove", at, "")
		}
		return true
	})
	after.ForEach(func(key, value gjson.Result) bool {
		if _, ok := was[key.Str]; !ok {
			p.op("add", path+"/"+pointerEscape.Replace(key.Str), value.Raw)
		}
		return true
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
func (p *patch) array(path string, before, after []gjson.Result) {
	at := 0
	for _, s := range align(before, after) {
		pairs := min(len(s.before), len(s.after))
		for i := range pairs {
			p.value(path+"/"+strconv.Itoa(at), s.before[i], s.after[i])
			at++
		}
		for range s.before[pairs:] {
			p.op("remove", path+"/"+strconv.Itoa(at), "")
		}
		for _, v := range s.after[pairs:] {
			p.op("add", path+"/"+strconv.Itoa(at), v.Raw)
			at++
		}
	}
}
