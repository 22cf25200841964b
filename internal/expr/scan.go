package expr

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// The marks around an expression in a text.
const (
	opening = "{{"
	closing = "}}"
)

// scan finds the end of the expression that src begins with: the length in
// bytes up to the closing braces. It reads tokens, so that braces in strings,
// comments and map literals are the expression's own.
func scan(src string) (int, error) {
	lex := lexer.New()
	lex.Reset(file.NewSource(src))
	for depth := 0; ; {
		token, err := lex.Next()
		if err != nil {
			return 0, explain(err)
		}
		switch {
		case token.Is(lexer.EOF):
			return 0, &Error{Text: "the {{ here is never closed by }}"}
		case token.Is(lexer.Bracket, "{"):
			depth++
		case token.Is(lexer.Bracket, "}") && depth > 0:
			depth--
		case token.Is(lexer.Bracket, "}"):
			at := byteOffset(src, token.From)
			if strings.HasPrefix(src[at:], closing) {
				return at, nil
			}
			line, column := place(src, at)
			return 0, &Error{Line: line, Column: column, Text: `unexpected "}": two of them close an expression`}
		}
	}
}

// byteOffset is the offset in bytes of the character n of s.
func byteOffset(s string, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// place is the line and the column, from 1, of the byte at offset at.
func place(s string, at int) (line, column int) {
	before := s[:at]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// shift moves the place of an error in an expression to its place in the text
// around it: the expression begins at line and column, behind its braces.
func shift(err error, line, column int) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Text: err.Error()}
	}
	switch e.Line {
	case 0: // the whole of it, braces and all
		return &Error{Line: line, Column: column - len(opening), Text: e.Text}
	case 1:
		return &Error{Line: line, Column: column + e.Column - 1, Text: e.Text}
	default:
		return &Error{Line: line + e.Line - 1, Column: e.Column, Text: e.Text}
	}
}
