package expr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// Error is what is wrong with an expression, in one line. It never quotes
// strings of the expression, which may hold what came from a secret.
type Error struct {
	Line   int    // of the expression or text, from 1; 0: the whole of it
	Column int    // in characters, from 1
	Text   string // what is wrong
}

// Error is the text, behind the place where there is one.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Text
	case e.Line == 1:
		return fmt.Sprintf("column %d: %s", e.Column, e.Text)
	default:
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
	}
}

func errorf(format string, args ...any) *Error {
	return &Error{Text: fmt.Sprintf(format, args...)}
}

// explain makes an Error of one of the library's.
func explain(err error, tree *parser.Tree, config *conf.Config) error {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return &Error{Text: oneLine(err.Error())}
	}
	return &Error{Line: fe.Line, Column: fe.Column + 1, Text: oneLine(fe.Message)}
}

// explainRun cuts the picture of the source out of an error at run time.
func explainRun(err error) error {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return errors.New(oneLine(err.Error()))
	}
	return errors.New(oneLine(fe.Message))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
