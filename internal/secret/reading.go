package secret

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reading is a text with its escapes undone, and where each of its bytes comes
// from.
type reading struct {
	text string
	// at is the offset in the source of each byte, and of the end; nil: the
	// text is the source. Bytes that one escape gave have the same.
	at []int32
}

// source is the part of the source that a part of the reading comes from.
func (r reading) source(s span) span {
	if r.at == nil {
		return s
	}
	for r.at[s.to] == r.at[s.to-1] { // the end has an offset of its own
		s.to++
	}
	return span{int(r.at[s.from]), int(r.at[s.to])}
}

// deepest is how many escapes within escapes are undone.
const deepest = 2

// readings are a text as it is, and as readers of URLs, of JSON and of HTML
// would read it, up to twice: at most 13.
func readings(s string) iter.Seq[reading] {
	return func(yield func(reading) bool) { reading{text: s}.each(deepest, yield) }
}

func (r reading) each(depth int, yield func(reading) bool) bool {
	if !yield(r) {
		return false
	}
	if depth == 0 {
		return true
	}
	for _, e := range escapes {
		if further, ok := r.undo(e); ok && !further.each(depth-1, yield) {
			return false
		}
	}
	return true
}

// escape is a way to write characters otherwise.
type escape struct {
	mark byte // that each begins with
	// read gives what s, which begins with the mark, stands for, and the
	// length of the escape in it; 0: it is none.
	read func(s string) (plain string, length int)
}

var escapes = []escape{{'%', percent}, {'\\', backslash}, {'&', entity}}

// undo undoes all escapes of a kind; false: there is none.
func (r reading) undo(e escape) (reading, bool) {
	var made reading
	var b strings.Builder
	done := 0
	for i := 0; ; {
		next := strings.IndexByte(r.text[i:], e.mark)
		if next < 0 {
			break
		}
		i += next
		plain, n := e.read(r.text[i:])
		if n == 0 {
			i++
			continue
		}
		if done == 0 {
			b.Grow(len(r.text))
			made.at = make([]int32, 0, len(r.text)+1)
		}
		b.WriteString(r.text[done:i])
		made.at = r.offsets(made.at, done, i)
		b.WriteString(plain)
		for range len(plain) {
			made.at = r.offsets(made.at, i, i+1)
		}
		i += n
		done = i
	}
	if done == 0 {
		return r, false
	}
	b.WriteString(r.text[done:])
	made.text = b.String()
	made.at = r.offsets(made.at, done, len(r.text)+1)
	return made, true
}

// offsets adds those in the source of some of the reading's bytes.
func (r reading) offsets(into []int32, from, to int) []int32 {
	if r.at != nil {
		return append(into, r.at[from:to]...)
	}
	for i := from; i < to; i++ {
		into = append(into, int32(i)) // #nosec G115 -- texts are read from answers and errors of some MiB at most
	}
	return into
}

// percent is %2F of URLs and forms.
func percent(s string) (string, int) {
	c, ok := hex(s, 1, 2)
	if !ok {
		return "", 0
	}
	return string([]byte{byte(c)}), 3
}

// backslash is what JSON and Go write: \n \" \/ \u002f \U0001f600 \xff.
func backslash(s string) (string, int) {
	if len(s) < 2 {
		return "", 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/', '\'':
		return s[1:2], 2
	case 'x':
		if v, ok := hex(s, 2, 2); ok {
			return string([]byte{byte(v)}), 4
		}
	case 'U':
		if v, ok := hex(s, 2, 8); ok && v <= utf8.MaxRune {
			return string(rune(v)), 10
		}
	case 'u':
		high, ok := hex(s, 2, 4)
		if !ok {
			return "", 0
		}
		if low, ok := hex(s, 8, 4); ok && s[6:8] == `\u` {
			if both := utf16.DecodeRune(rune(high), rune(low)); both != utf8.RuneError {
				return string(both), 12
			}
		}
		return string(rune(high)), 6
	default:
		if i := strings.IndexByte("abfnrtv", c); i >= 0 {
			return "\a\b\f\n\r\t\v"[i : i+1], 2
		}
	}
	return "", 0
}

// named are the characters that HTML has a name for and that encoders name.
var named = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// entity is what HTML and XML write: &amp; &#47; &#x2f;.
func entity(s string) (string, int) {
	const longest = 10 // of &#x10ffff;
	end := strings.IndexByte(s[:min(len(s), longest)], ';')
	if end < 2 {
		return "", 0
	}
	name := s[1:end]
	if plain, ok := named[name]; ok {
		return plain, end + 1
	}
	digits, base := strings.TrimPrefix(name, "#"), 10
	if digits == name {
		return "", 0
	}
	if digits[:min(1, len(digits))] == "x" || digits[:min(1, len(digits))] == "X" {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune {
		return "", 0
	}
	return string(rune(v)), end + 1
}

// hex is the number that n digits at an offset of s make.
func hex(s string, at, n int) (v uint32, ok bool) {
	if len(s) < at+n {
		return 0, false
	}
	for _, c := range []byte(s[at : at+n]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}
