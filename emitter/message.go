package emitter

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/differ"
)

// Bounds of what a person is shown of an event.
const (
	shownName  = 100    // characters of a name, of a key twice as many
	shownValue = 200    // characters of a value
	shownRaw   = 2_000  // bytes of a value that are looked at
	mostLines  = 10_000 // fields; what follows them is counted
	mostDepth  = 8      // of objects whose fields are told one by one
)

// nothing is how a value is shown that is null or not there.
const nothing = "none"

// message is an event as a person reads it: no markup, nothing escaped.
type message struct {
	title string // the event's type
	about string // what happened to which item of which source
	lines []line
	more  int // fields beyond lines
}

// line is a field of an item, and its value or what became of it.
type line struct{ name, text string }

func messageOf(e *differ.Event) message {
	m := message{title: shown(e.Type, 2*shownName), about: about(e)}
	before, after := gjson.ParseBytes(e.Old), gjson.ParseBytes(e.New)
	switch {
	case e.Data != nil:
		m.values(gjson.ParseBytes(e.Data), ownSaid...)
	case e.Change == differ.Updated:
		m.differences("", touchedBy(e.Diff), 0, before, after)
	case e.Change == differ.Deleted:
		m.values(before)
	default:
		m.values(after)
	}
	return m
}

// about says in a sentence what happened.
func about(e *differ.Event) string {
	source, key := shown(e.Source, shownName), shown(e.Key, 2*shownName)
	if e.Watch != "" {
		source += " (" + shown(e.Watch, shownName) + ")"
	}
	if e.Data != nil {
		return ownText(e, source)
	}
	if key == "" || e.Key == e.Source { // the source is one item
		switch {
		case e.Change == differ.Created:
			return source + " is new"
		case e.Change == differ.Deleted:
			return source + " is gone"
		case e.Change == differ.Updated:
			return source + " changed"
		}
		return source
	}
	switch e.Change {
	case differ.Created:
		return key + " is new in " + source
	case differ.Deleted:
		return key + " is gone from " + source
	case differ.Updated:
		return key + " changed in " + source
	}
	return key + " in " + source
}

func (m *message) add(name, text string) {
	if len(m.lines) == mostLines {
		m.more++
		return
	}
	m.lines = append(m.lines, line{shown(name, shownName), text})
}

// values adds the fields of an item, but for some.
func (m *message) values(item gjson.Result, except ...string) {
	if !item.IsObject() {
		m.add("value", value(item))
		return
	}
	item.ForEach(func(name, v gjson.Result) bool {
		if !slices.Contains(except, name.Str) {
			m.add(name.Str, value(v))
		}
		return true
	})
}

// touched is where a patch has operations: true at the very place, false above
// such a place. Places are RFC 6901 pointers.
type touched map[string]bool

func touchedBy(patch []byte) touched {
	t := touched{}
	gjson.ParseBytes(patch).ForEach(func(_, op gjson.Result) bool {
		path := op.Get("path").Str
		depth := 0
		for i := range len(path) {
			if path[i] == '/' {
				if !t[path[:i]] {
					t[path[:i]] = false
				}
				if depth++; depth > mostDepth {
					break
				}
			}
		}
		if depth <= mostDepth {
			t[path] = true
		}
		return true
	})
	return t
}

// differences adds what a patch changes between two values at a place: fields
// of objects one by one, lists as a whole.
func (m *message) differences(at string, t touched, depth int, before, after gjson.Result) {
	here, there := t[at]
	if !there && at != "" {
		return
	}
	if here || depth == mostDepth || !before.IsObject() || !after.IsObject() {
		m.add(nameOf(at), value(before)+" → "+value(after))
		return
	}
	now := after.Map()
	was := before.Map()
	before.ForEach(func(name, v gjson.Result) bool {
		m.differences(at+"/"+pointerEscape.Replace(name.Str), t, depth+1, v, now[name.Str])
		return true
	})
	after.ForEach(func(name, v gjson.Result) bool {
		if _, ok := was[name.Str]; !ok {
			m.differences(at+"/"+pointerEscape.Replace(name.Str), t, depth+1, gjson.Result{}, v)
		}
		return true
	})
}

// Of RFC 6901.
var (
	pointerEscape   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// nameOf is a place as a person writes it: address.city.
func nameOf(pointer string) string {
	if pointer == "" {
		return "value"
	}
	return pointerUnescape.Replace(strings.ReplaceAll(pointer[1:], "/", "."))
}

// value is a JSON value on one line.
func value(v gjson.Result) string {
	switch {
	case v.Type == gjson.Null:
		return nothing
	case v.Type != gjson.String:
		return shown(v.Raw, shownValue)
	case v.Str == "":
		return `""`
	}
	return shown(v.Str, shownValue)
}

// shown is text on one line, with no more than so many characters, and
// without those that turn the direction of what follows.
func shown(text string, most int) string {
	cut := len(text) > shownRaw
	text = clip(text, shownRaw)
	text = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c), unicode.IsControl(c):
			return ' '
		case c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
			return -1
		}
		return c
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if !cut && utf8.RuneCountInString(text) <= most {
		return text
	}
	n := 0
	for i := range text {
		if n == most-1 {
			text = text[:i]
			break
		}
		n++
	}
	return strings.TrimRight(text, " ") + "…"
}
