package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bidi are the characters that change the direction of text around them, so
// that a line shows something else than it says (Unicode UAX #9, section 2),
// and the line separators that some terminals obey.
var bidi = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x061c, Hi: 0x061c, Stride: 1}, {Lo: 0x200e, Hi: 0x200f, Stride: 1},
	{Lo: 0x2028, Hi: 0x202e, Stride: 1}, {Lo: 0x2066, Hi: 0x2069, Stride: 1},
}}

// visible is text of a stranger as a terminal may have it: control characters,
// line breaks among them but not tabs, and what is not UTF-8 are escaped as in a Go string.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1, unprintable(r):
			quoted := strconv.QuoteToASCII(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return r != '\t' && unicode.IsControl(r) || unicode.Is(bidi, r) }

// visibleLines is visible, line by line.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n")
}
