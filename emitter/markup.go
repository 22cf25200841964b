package emitter

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// markup is how a chat writes text.
type markup struct {
	bold   string // before and after what is bold
	escape func(string) string
	limit  int // of a message, in UTF-16 units, the larger of the two ways to count characters
}

// moreRoom is left for the line that says what is not there.
const moreRoom = 40

// write is a message in a chat's markup, with as many of its fields as fit.
func (k markup) write(m message) string {
	var b strings.Builder
	b.WriteString(k.bold + k.escape(m.title) + k.bold)
	if m.about != "" {
		b.WriteString("\n" + k.escape(m.about))
	}
	used := length(b.String())
	for i, l := range m.lines {
		text := "\n• " + k.escape(l.name) + ": " + k.escape(l.text)
		room := k.limit - used
		if i < len(m.lines)-1 || m.more > 0 {
			room -= moreRoom
		}
		if length(text) > room {
			b.WriteString("\n" + rest(len(m.lines)-i+m.more))
			return b.String()
		}
		b.WriteString(text)
		used += length(text)
	}
	if m.more > 0 {
		b.WriteString("\n" + rest(m.more))
	}
	return b.String()
}

func rest(fields int) string {
	if fields == 1 {
		return "… 1 more field"
	}
	return fmt.Sprintf("… %d more fields", fields)
}

// length is the number of UTF-16 units of s.
func length(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

// cutText cuts a text that somebody else wrote in a chat's markup, but no
// escape in two: half is how many bytes at the end of a text are the beginning
// of one.
func cutText(s string, limit int, half func(string) int) string {
	if length(s) <= limit {
		return s
	}
	n := 0
	for i, c := range s {
		if n += utf16.RuneLen(c); n > limit-1 {
			s = s[:i]
			break
		}
	}
	return s[:len(s)-half(s)] + "…"
}
