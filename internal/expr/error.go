package expr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/file"
)

// Error is what is wrong with an expression, in one line, at load or at run
// time. At load it quotes no string of the expression, for there may be a
// secret from the environment in it; at run time it may quote values that the
// expression worked on.
type Error struct {
	Line   int    // of the expression or text, from 1; 0: the whole of it
	Column int    // in characters, from 1
	Text   string // what is wrong
}

// Error is the text, behind the place where there is one.
func (e *Error) Error() string {
	switch e.Line {
	case 0:
		return e.Text
	case 1:
		return fmt.Sprintf("column %d: %s", e.Column, e.Text)
	default:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
	}
}

func errorf(format string, args ...any) *Error {
	return &Error{Text: fmt.Sprintf(format, args...)}
}

// explain makes an Error of one of the library's, without its picture of the
// source.
func explain(err error) *Error {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return &Error{Text: plainer(err.Error())}
	}
	return &Error{Line: max(fe.Line, 1), Column: fe.Column + 1, Text: plainer(fe.Message)}
}

// wordings puts messages of the library in the words of somebody who doesn't
// know it. The first that matches is taken.
var wordings = []struct {
	old *regexp.Regexp
	new string
}{
	{regexp.MustCompile(`^unexpected token EOF$`), `unexpected end of the expression`},
	{regexp.MustCompile(`^unexpected token Operator\("="\)$`), `unexpected "=" (did you mean "=="?)`},
	{regexp.MustCompile(`^unexpected token (?:String|Bytes)\(.*$`), `unexpected string`},
	{regexp.MustCompile(`^unexpected token [A-Za-z]+\((".*")\)$`), `unexpected $1`},
	{regexp.MustCompile(`^unknown (name|field) (.+)$`), `unknown $1 "$2"`},
	{regexp.MustCompile(`^type \S+ has no field (.+)$`), `unknown field "$1"`},
	{regexp.MustCompile(`^expected bool, but got (.+)$`), `gives $1, not true or false`},
	{regexp.MustCompile(`^compilation failed: expression exceeds maximum allowed nodes$`), fmt.Sprintf(`the expression has more than %d parts`, maxNodes)},
	{regexp.MustCompile(`^memory budget exceeded$`), fmt.Sprintf(`more than %d elements`, maxMemory)},
	{regexp.MustCompile(`^cannot fetch (.+) from <nil>$`), `cannot take "$1" of nil (?. takes it where there may be none)`},
}

// types of Go that messages name, the longer ones first.
var goTypes = strings.NewReplacer(
	"map[string]interface {}", "map", "[]interface {}", "list", "interface {}", "any",
	"time.Time", "time", "time.Duration", "duration", "float64", "float", "int64", "int", "[]uint8", "bytes",
	"unknown)", "any)", "<nil>", "nil",
)

func plainer(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	for _, w := range wordings {
		if w.old.MatchString(message) {
			message = w.old.ReplaceAllString(message, w.new)
			break
		}
	}
	return goTypes.Replace(message)
}
