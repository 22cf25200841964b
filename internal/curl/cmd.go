package curl

import (
	"errors"
	"fmt"
	"strings"
)

// errCmd is a command in the form of cmd.exe, as browsers on Windows copy it.
var errCmd = errors.New("a command of cmd.exe")

// splitCmd gives the words of a command as cmd.exe and then the C runtime of
// Windows cut it. Variables (%NAME%) stay as they are written.
func splitCmd(command string) ([]string, error) {
	line, err := uncaret(command)
	if err != nil {
		return nil, err
	}
	var words []string
	for line = trimSpace(line); line != ""; line = trimSpace(line) {
		var word string
		if word, line, err = argument(line); err != nil {
			return nil, err
		}
		if words = append(words, word); len(words) > mostWords {
			return nil, fmt.Errorf("more than %d words", mostWords)
		}
	}
	return words, nil
}

func trimSpace(line string) string { return strings.TrimLeft(line, " \t\r\n") }

// uncaret does what cmd.exe does to a line: outside of quotes a caret takes
// its meaning from the next character, and a line break behind it counts for
// nothing, whereupon the character after that stands for itself.
func uncaret(command string) (string, error) {
	var out strings.Builder
	quoted := false
	for rest := strings.ReplaceAll(command, "\r\n", "\n"); rest != ""; rest = rest[1:] {
		switch c := rest[0]; {
		case c == '"':
			quoted = !quoted
		case c == '^' && !quoted:
			rest = strings.TrimPrefix(rest[1:], "\n")
			if rest == "" {
				return "", errors.New("it ends with a caret: is a line missing?")
			}
		case strings.IndexByte("|&<>", c) >= 0 && !quoted:
			return "", fmt.Errorf("an unquoted %q: give the curl command alone, and quote what belongs to it", c)
		}
		out.WriteByte(rest[0])
	}
	return out.String(), nil
}

// argument takes the first word of a line: a backslash means something before
// a quote only, and two quotes inside of quotes are one that stands for itself.
func argument(line string) (word, rest string, err error) {
	var out strings.Builder
	quoted := false
	for line != "" {
		slashes := len(line) - len(strings.TrimLeft(line, `\`))
		if line = line[slashes:]; !strings.HasPrefix(line, `"`) {
			out.WriteString(strings.Repeat(`\`, slashes))
			if line == "" || !quoted && strings.IndexByte(" \t\r\n", line[0]) >= 0 {
				break
			}
			out.WriteByte(line[0])
			line = line[1:]
			continue
		}
		out.WriteString(strings.Repeat(`\`, slashes/2))
		line = line[1:]
		switch {
		case slashes%2 == 1:
			out.WriteByte('"')
		case quoted && strings.HasPrefix(line, `"`):
			out.WriteByte('"')
			line = line[1:]
		default:
			quoted = !quoted
		}
	}
	if quoted {
		return "", "", errors.New("a double quote is not closed")
	}
	return out.String(), line, nil
}
