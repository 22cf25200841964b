package canon

import (
	"bytes"
	"slices"
)

// writer copies one valid value, less what its place says is left out. Where
// sorted is set the copy is canonical, otherwise it is compact.
type writer struct {
	in     []byte
	pos    int
	out    []byte
	sorted bool
	nulls  bool // members that are null are left out

	members []member // a stack: those of the open objects, the innermost last
	swap    []byte   // room for reordering
}

// member is where the name and the whole of a member stand in out; the name of
// an element is all of it.
type member struct{ start, name, end int }

func (w *writer) peek() byte {
	for {
		switch b := w.in[w.pos]; b {
		case ' ', '\t', '\n', '\r':
			w.pos++
		default:
			return b
		}
	}
}

// value copies the next value, which stands at at.
func (w *writer) value(at Place) {
	switch b := w.peek(); b {
	case '{':
		w.object(at)
	case '[':
		w.array(at)
	case '"':
		w.str(at.sense)
	case 't', 'n':
		w.copy(4)
	case 'f':
		w.copy(5)
	default:
		end := w.pos
		for end < len(w.in) && numeric(w.in[end]) {
			end++
		}
		if w.sorted {
			w.out = Number(w.out, w.in[w.pos:end])
			w.pos = end
		} else {
			w.copy(end - w.pos)
		}
	}
}

func numeric(b byte) bool {
	return b >= '0' && b <= '9' || b == '-' || b == '+' || b == '.' || b|0x20 == 'e'
}

func (w *writer) copy(n int) {
	w.out = append(w.out, w.in[w.pos:w.pos+n]...)
	w.pos += n
}

func (w *writer) str(is *Sense) {
	raw := w.rawString()
	if is != nil && is.Decimal != 0 && !w.sorted {
		if number, ok := ReadNumber(w.out, string(unquote(raw)), is.Decimal); ok {
			w.out = number
			return
		}
	}
	start := len(w.out)
	if w.sorted && bytes.IndexByte(raw, '\\') >= 0 {
		w.out = appendCanonical(w.out, raw)
	} else {
		w.out = append(w.out, raw...)
	}
	if is != nil && is.Fold && w.sorted {
		w.out = fold(w.out, start)
	}
}

// rawString is the next string, quotes included.
func (w *writer) rawString() []byte {
	start := w.pos
	for w.pos++; w.in[w.pos] != '"'; w.pos++ {
		if w.in[w.pos] == '\\' {
			w.pos++
		}
	}
	w.pos++
	return w.in[start:w.pos]
}

// appendCanonical writes a string that has escapes with the fewest. A lone
// surrogate keeps its escape, told apart from the text that looks like it
// by the backslash, which text has doubled.
func appendCanonical(dst, raw []byte) []byte {
	dst = append(dst, '"')
	text := raw[1 : len(raw)-1]
	for i := 0; i < len(text); {
		n := 1
		if text[i] == '\\' {
			n = 2
			if text[i+1] == 'u' {
				_, digits := escapedRune(text[i+2:])
				n += digits
			}
		}
		piece := text[i : i+n]
		i += n
		if n == 1 {
			dst = append(dst, piece...)
			continue
		}
		plain := unescape(nil, piece)
		if n == 6 && len(plain) == 6 { // a lone surrogate
			dst = append(dst, plain...)
			continue
		}
		quoted := appendString(nil, plain)
		dst = append(dst, quoted[1:len(quoted)-1]...)
	}
	return append(dst, '"')
}

func (w *writer) array(at Place) {
	base, body := len(w.members), len(w.out)+1
	unordered := w.sorted && at.sense != nil && at.sense.Unordered
	w.copy(1)
	for i := 0; w.peek() != ']'; i++ {
		if w.in[w.pos] == ',' {
			w.pos++
			w.peek()
		}
		next := at.Element(i)
		start := len(w.out)
		w.value(next)
		if next.dropped() {
			w.out = w.out[:start]
			continue
		}
		if unordered {
			w.members = append(w.members, member{start, len(w.out), len(w.out)})
		}
		w.out = append(w.out, ',')
	}
	w.end(base, body)
}

func (w *writer) object(at Place) {
	base, body := len(w.members), len(w.out)+1
	w.copy(1)
	for w.peek() != '}' {
		if w.in[w.pos] == ',' {
			w.pos++
			w.peek()
		}
		start := len(w.out)
		next := at.member(w.in[w.pos:])
		w.str(nil)
		end := len(w.out)
		w.peek()
		w.copy(1) // the colon
		null := w.nulls && w.peek() == 'n'
		w.value(next)
		if null || next.dropped() {
			w.out = w.out[:start]
			continue
		}
		if w.sorted {
			w.members = append(w.members, member{start, end, len(w.out)})
		}
		w.out = append(w.out, ',')
	}
	w.end(base, body)
}

func (l Place) dropped() bool { return l.sense != nil && l.sense.Drop }

// end takes off the last comma of what begins at body, sorts it where that is
// asked for, and copies the closing bracket.
func (w *writer) end(base, body int) {
	if len(w.out) > body {
		w.out = w.out[:len(w.out)-1]
	}
	if len(w.members) > base {
		w.sort(w.members[base:], body)
	}
	w.members = w.members[:base]
	w.copy(1)
}

// sort brings the members that end out into the order of their names.
func (w *writer) sort(members []member, body int) {
	byName := func(a, b member) int {
		return bytes.Compare(w.out[a.start:a.name], w.out[b.start:b.name])
	}
	if slices.IsSortedFunc(members, byName) {
		return
	}
	slices.SortFunc(members, byName)
	w.swap = w.swap[:0]
	for i, m := range members {
		if i > 0 {
			w.swap = append(w.swap, ',')
		}
		w.swap = append(w.swap, w.out[m.start:m.end]...)
	}
	copy(w.out[body:], w.swap)
}
