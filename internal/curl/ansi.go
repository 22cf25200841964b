package curl

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapes are those of $'…' that stand for one byte.
var escapes = map[byte]string{
	'a': "\a", 'b': "\b", 'e': "\x1b", 'E': "\x1b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
	'\\': "\\", '\'': "'", '"': "\"", '?': "?",
}

// ansi takes a text in $'…', as browsers write what holds a quote or a line
// break.
func (s *splitter) ansi() error {
	s.add("")
	s.rest = s.rest[2:]
	for s.rest != "" {
		c := s.rest[0]
		switch {
		case c == '\'':
			s.rest = s.rest[1:]
			return nil
		case c != '\\':
			s.add(s.rest[:1])
			s.rest = s.rest[1:]
		case len(s.rest) == 1:
			return errors.New("a $'…' is not closed")
		default:
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return errors.New("a $'…' is not closed")
}

// escape takes a backslash and what it escapes.
func (s *splitter) escape() error {
	c := s.rest[1]
	if text, ok := escapes[c]; ok {
		s.add(text)
		s.rest = s.rest[2:]
		return nil
	}
	switch {
	case c == 'u':
		return s.number(2, 4, 16, true)
	case c == 'U':
		return s.number(2, 8, 16, true)
	case c == 'x':
		return s.number(2, 2, 16, false)
	case c >= '0' && c <= '7':
		return s.number(1, 3, 8, false)
	}
	s.add(s.rest[:1]) // bash leaves what it doesn't know
	s.rest = s.rest[1:]
	return nil
}

// number takes up to most digits from the place from on: a character, or a
// byte.
func (s *splitter) number(from, most, base int, character bool) error {
	digits := "0123456789abcdefABCDEF"
	if base == 8 {
		digits = "01234567"
	}
	n := 0
	for n < most && from+n < len(s.rest) && strings.IndexByte(digits, s.rest[from+n]) >= 0 {
		n++
	}
	v, err := strconv.ParseUint(s.rest[from:from+n], base, 32)
	if err != nil {
		return errors.New("an escape in $'…' without its digits")
	}
	s.rest = s.rest[from+n:]
	if !character {
		s.add(string([]byte{byte(v)}))
		return nil
	}
	if v > utf8.MaxRune {
		return errors.New("an escape in $'…' that is no character")
	}
	if v >= 0xD800 && v < 0xDC00 { // browsers write UTF-16
		if low, ok := lowSurrogate(s.rest); ok {
			v = (v-0xD800)<<10 + (low - 0xDC00) + 0x10000
			s.rest = s.rest[len(`\uXXXX`):]
		}
	}
	s.add(string(rune(v)))
	return nil
}

func lowSurrogate(text string) (uint64, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	v, err := strconv.ParseUint(text[2:6], 16, 32)
	return v, err == nil && v >= 0xDC00 && v < 0xE000
}
