package decode

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CSV reads a table (RFC 4180) as a list of objects, one a row, all their
// values text. The zero value reads commas and takes the names of the columns
// from the first line.
type CSV struct {
	Delimiter rune     // between fields; 0: a comma
	Comment   rune     // starts a line that is passed over; 0: none does
	Names     []string // of the columns, for a table without a line of names

	// Needed are columns that there must be: without them any line of text
	// would be a table that has no rows.
	Needed []string
}

// Rune is the one character that a delimiter or the start of a comment is.
func Rune(text string) (rune, error) {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 || n != len(text) || r == utf8.RuneError || r == '"' || r == '\r' || r == '\n' {
		return 0, errors.New(`one character was expected, neither a quote nor the end of a line; a tab is "\t"`)
	}
	return r, nil
}

// ColumnNames are the names of the columns as they become those of members: a
// column without a name has its number, from 1. A name twice is an error.
func ColumnNames(header []string) ([]string, error) {
	if len(header) > MaxNames {
		return nil, fmt.Errorf("%d columns; at most %d are allowed", len(header), MaxNames)
	}
	names, seen := make([]string, len(header)), make(map[string]bool, len(header))
	for i, name := range header {
		if names[i] = strings.TrimSpace(name); names[i] == "" {
			names[i] = strconv.Itoa(i + 1)
		}
		if seen[names[i]] {
			return nil, fmt.Errorf("two columns are called %s", quoted(names[i]))
		}
		seen[names[i]] = true
	}
	return names, nil
}

// JSON is the list. A row that has more or fewer fields than there are names
// is an error.
func (c CSV) JSON(body []byte, limit int64) ([]byte, error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	r.Comment = c.Comment
	if c.Delimiter != 0 {
		r.Comma = c.Delimiter
	}
	header := c.Names
	if len(header) == 0 {
		var err error
		if header, err = r.Read(); errors.Is(err, io.EOF) {
			return nil, errors.New("there is no line of names")
		} else if err != nil {
			return nil, unshown(err)
		}
	}
	names, err := ColumnNames(header)
	if err != nil {
		return nil, err
	}
	for _, name := range c.Needed {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no column %q", name)
		}
	}
	out := []byte{'['}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return append(out, ']'), nil
		}
		if err != nil {
			return nil, unshown(err)
		}
		if len(fields) != len(names) {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d has %d fields, and there are %d columns", line, len(fields), len(names))
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		o := open(out)
		for i, f := range fields {
			o.name(names[i])
			o.out = appendText(o.out, f)
		}
		if out = o.close(); int64(len(out)) >= limit {
			return nil, ErrTooLarge
		}
	}
}

// unshown is an error of encoding/csv without its "record on line".
func unshown(err error) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("line %d, column %d: %w", e.Line, e.Column, e.Err)
	}
	return err
}
