package curl

import (
	"errors"
	"fmt"
	"strings"
)

// Marks around the name of a shell variable in a text: private-use characters,
// which a command that is read may not hold.
const (
	markOpen  = '\uE000'
	markClose = '\uE001'
)

// splitter cuts a command line into words as bash does, without running
// anything. It knows single, double and $'…' quotes, backslashes, comments and
// the names of variables; what would start something else is an error.
type splitter struct {
	rest  string
	words []string
	word  strings.Builder
	open  bool // a word has begun, if only by quotes
}

// split gives the words of a command.
func split(command string) ([]string, error) {
	s := &splitter{rest: command}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
		if len(s.words) > mostWords {
			return nil, fmt.Errorf("more than %d words", mostWords)
		}
	}
	s.end()
	return s.words, nil
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

func (s *splitter) add(text string) {
	s.word.WriteString(text)
	s.open = true
}

// step takes one character, or one quoted text.
func (s *splitter) step() error {
	c := s.rest[0]
	switch {
	case strings.HasPrefix(s.rest, "\\\r\n"):
		s.rest = s.rest[3:]
	case strings.HasPrefix(s.rest, "\\\n"):
		s.rest = s.rest[2:]
	case c == '\\':
		if len(s.rest) == 1 {
			return errors.New("it ends with a backslash: is a line missing?")
		}
		n := 1 + len(firstRune(s.rest[1:]))
		s.add(s.rest[1:n])
		s.rest = s.rest[n:]
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		s.end()
		s.rest = s.rest[1:]
	case c == '#' && !s.open:
		_, s.rest, _ = strings.Cut(s.rest, "\n")
	case strings.IndexByte("|&;<>()", c) >= 0:
		return fmt.Errorf("an unquoted %q: give the curl command alone, and quote what belongs to it", c)
	case strings.HasPrefix(s.rest, "`\n"), strings.HasPrefix(s.rest, "`\r\n"):
		return errors.New("line breaks of PowerShell: copy the command as cURL (bash)")
	case c == '`':
		return errors.New("a command in backquotes: nothing is run here; put its output in its place")
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case strings.HasPrefix(s.rest, "$'"):
		return s.ansi()
	case c == '$':
		return s.dollar()
	case strings.HasPrefix(s.rest, "^\""), strings.HasPrefix(s.rest, "^\n"), strings.HasPrefix(s.rest, "^\r\n"), s.rest == "^":
		return errCmd
	default:
		s.add(s.rest[:1])
		s.rest = s.rest[1:]
	}
	return nil
}

func firstRune(text string) string {
	for i := range text {
		if i > 0 {
			return text[:i]
		}
	}
	return text
}

func (s *splitter) single() error {
	text, rest, ok := strings.Cut(s.rest[1:], "'")
	if !ok {
		return errors.New("a single quote is not closed")
	}
	s.add(text)
	s.rest = rest
	return nil
}

// double takes a text in double quotes, in which $, `, ", \ and a line break
// may be escaped.
func (s *splitter) double() error {
	s.add("")
	s.rest = s.rest[1:]
	for s.rest != "" {
		switch c := s.rest[0]; {
		case c == '"':
			s.rest = s.rest[1:]
			return nil
		case strings.HasPrefix(s.rest, "\\\n"):
			s.rest = s.rest[2:]
		case c == '\\' && len(s.rest) > 1 && strings.IndexByte("$`\"\\", s.rest[1]) >= 0:
			s.add(s.rest[1:2])
			s.rest = s.rest[2:]
		case c == '`':
			return errors.New("a command in backquotes: nothing is run here; put its output in its place")
		case c == '$':
			if err := s.dollar(); err != nil {
				return err
			}
		default:
			s.add(s.rest[:1])
			s.rest = s.rest[1:]
		}
	}
	return errors.New("a double quote is not closed")
}

// dollar takes a variable's name, or a dollar that is just one.
func (s *splitter) dollar() error {
	after := s.rest[1:]
	if strings.HasPrefix(after, "(") {
		return errors.New("a command in $(…): nothing is run here; put its output in its place")
	}
	if braced, ok := strings.CutPrefix(after, "{"); ok {
		name, rest, closed := strings.Cut(braced, "}")
		if !closed || name == "" || nameLength(name) != len(name) {
			return errors.New("a ${…} that is more than the name of a variable")
		}
		s.add(Mark(name))
		s.rest = rest
		return nil
	}
	n := nameLength(after)
	if n == 0 {
		s.add("$")
	} else {
		s.add(Mark(after[:n]))
	}
	s.rest = after[n:]
	return nil
}

// Mark is a variable of the shell in a text of a Request.
func Mark(name string) string { return string(markOpen) + name + string(markClose) }

// nameLength is how much of the start of text is a variable's name.
func nameLength(text string) int {
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}
