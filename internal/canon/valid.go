package canon

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"unicode/utf8"
)

// Valid reports whether body is one JSON value in UTF-8 (RFC 8259), nested no
// deeper than MaxDepth, in which no object has a name twice. The error is a
// *SyntaxError.
func Valid(body []byte) error {
	if !utf8.Valid(body) {
		return &SyntaxError{invalidAt(body), "not UTF-8"}
	}
	c := checker{in: body}
	if err := c.value(0); err != nil {
		return err
	}
	c.space()
	if c.pos != len(body) {
		return c.fail("unexpected text after the value")
	}
	return nil
}

func invalidAt(body []byte) int {
	for i := 0; i < len(body); {
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(body)
}

// checker walks a body once. names is a stack: the names of the objects that
// are open, the innermost last.
type checker struct {
	in    []byte
	pos   int
	names []name
}

type name struct {
	text []byte // unescaped
	hash uint64 // only set where many are compared
}

func (c *checker) fail(text string) error {
	if c.pos >= len(c.in) {
		return &SyntaxError{len(c.in), "the text ends too early"}
	}
	return &SyntaxError{c.pos, text}
}

func (c *checker) space() {
	for c.pos < len(c.in) {
		switch c.in[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// peek skips white space and gives the next byte, 0 at the end.
func (c *checker) peek() byte {
	c.space()
	if c.pos < len(c.in) {
		return c.in[c.pos]
	}
	return 0
}

func (c *checker) value(depth int) error {
	if depth > MaxDepth {
		return c.fail("nested too deep")
	}
	switch b := c.peek(); {
	case b == '{':
		return c.object(depth)
	case b == '[':
		return c.array(depth)
	case b == '"':
		_, err := c.str()
		return err
	case b == '-' || b >= '0' && b <= '9':
		return c.number()
	case b == 't':
		return c.word("true")
	case b == 'f':
		return c.word("false")
	case b == 'n':
		return c.word("null")
	default:
		return c.fail("a JSON value was expected")
	}
}

func (c *checker) word(w string) error {
	if !bytes.HasPrefix(c.in[c.pos:], []byte(w)) {
		return c.fail("a JSON value was expected")
	}
	c.pos += len(w)
	return nil
}

func (c *checker) array(depth int) error {
	c.pos++
	if c.peek() == ']' {
		c.pos++
		return nil
	}
	for {
		if err := c.value(depth + 1); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.pos++
		case ']':
			c.pos++
			return nil
		default:
			return c.fail("a comma or ] was expected")
		}
	}
}

func (c *checker) object(depth int) error {
	start, base := c.pos, len(c.names)
	c.pos++
	if c.peek() == '}' {
		c.pos++
		return nil
	}
	for {
		if c.peek() != '"' {
			return c.fail("a name in double quotes was expected")
		}
		text, err := c.str()
		if err != nil {
			return err
		}
		c.names = append(c.names, name{text: text})
		if c.peek() != ':' {
			return c.fail("a colon was expected")
		}
		c.pos++
		if err := c.value(depth + 1); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.pos++
			continue
		case '}':
			c.pos++
		default:
			return c.fail("a comma or } was expected")
		}
		if twice := repeated(c.names[base:]); twice != nil {
			return &SyntaxError{start, "the object has the name " + quoteShort(twice) + " twice,"}
		}
		c.names = c.names[:base]
		return nil
	}
}

// few is how many names are compared pair by pair rather than by hash.
const few = 12

// repeated gives a name that is there twice, or nil. It reorders names.
func repeated(names []name) []byte {
	if len(names) <= few {
		for i := range names {
			for j := range i {
				if bytes.Equal(names[i].text, names[j].text) {
					return names[i].text
				}
			}
		}
		return nil
	}
	seed := maphash.MakeSeed()
	for i := range names {
		names[i].hash = maphash.Bytes(seed, names[i].text)
	}
	slices.SortFunc(names, func(a, b name) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), bytes.Compare(a.text, b.text))
	})
	for i := 1; i < len(names); i++ {
		if bytes.Equal(names[i].text, names[i-1].text) {
			return names[i].text
		}
	}
	return nil
}

func quoteShort(text []byte) string {
	if len(text) > 60 {
		text = append(slices.Clip(text[:60]), "…"...)
	}
	return string(appendString(nil, text))
}

// str reads a string and gives its text, unescaped.
func (c *checker) str() ([]byte, error) {
	start := c.pos
	c.pos++
	escaped := false
	for c.pos < len(c.in) {
		switch b := c.in[c.pos]; {
		case b == '"':
			text := c.in[start+1 : c.pos]
			c.pos++
			if escaped {
				text = unescape(nil, text)
			}
			return text, nil
		case b == '\\':
			escaped = true
			if err := c.escape(); err != nil {
				return nil, err
			}
		case b < 0x20:
			return nil, c.fail("a control character in a string")
		default:
			c.pos++
		}
	}
	return nil, c.fail("")
}

func (c *checker) escape() error {
	c.pos++
	if c.pos >= len(c.in) {
		return c.fail("")
	}
	switch c.in[c.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.pos++
		return nil
	case 'u':
		c.pos++
		for range 4 {
			if c.pos >= len(c.in) || hex(c.in[c.pos]) < 0 {
				return c.fail("four hexadecimal digits were expected")
			}
			c.pos++
		}
		return nil
	}
	return c.fail("an unknown escape")
}

func (c *checker) number() error {
	if c.in[c.pos] == '-' {
		c.pos++
	}
	if c.pos < len(c.in) && c.in[c.pos] == '0' {
		c.pos++
	} else if !c.digits() {
		return c.fail("a digit was expected")
	}
	if c.pos < len(c.in) && c.in[c.pos] == '.' {
		c.pos++
		if !c.digits() {
			return c.fail("a digit was expected")
		}
	}
	if c.pos < len(c.in) && c.in[c.pos]|0x20 == 'e' {
		c.pos++
		if c.pos < len(c.in) && (c.in[c.pos] == '+' || c.in[c.pos] == '-') {
			c.pos++
		}
		if !c.digits() {
			return c.fail("a digit was expected")
		}
	}
	return nil
}

// digits skips digits and reports whether there was one.
func (c *checker) digits() bool {
	start := c.pos
	for c.pos < len(c.in) && c.in[c.pos] >= '0' && c.in[c.pos] <= '9' {
		c.pos++
	}
	return c.pos > start
}
