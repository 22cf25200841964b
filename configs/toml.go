package configs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlTree reads a TOML file. The stable decoder gives no positions of good
// values, so the tree is built from the unstable parser, here and nowhere
// else; what that parser lets pass (tables defined twice and their kin), the
// stable one then refuses.
func tomlTree(file string, data []byte, report reporter) *node {
	t := tomlReader{file: file, data: data, report: report, lines: lineStarts(data)}
	t.parser.Reset(data)
	root := &node{kind: mapping, at: position{file, 1, 1}}
	table, path := root, []string(nil)
	for t.parser.NextExpression() {
		switch e := t.parser.Expression(); e.Kind {
		case unstable.Table:
			table, path = t.table(root, e, false)
		case unstable.ArrayTable:
			table, path = t.table(root, e, true)
		case unstable.KeyValue:
			t.keyValue(path, table, e, 0)
		}
	}
	if err := t.parser.Error(); err != nil {
		at, what := position{file, 1, 1}, err.Error()
		if pe, ok := errors.AsType[*unstable.ParserError](err); ok {
			at, what = t.at(t.offset(pe.Highlight)), pe.Message
		}
		report(at, nil, "not TOML: "+what)
		return nil
	}
	var whole map[string]any
	if err := toml.Unmarshal(data, &whole); err != nil && !t.told {
		at, what := position{file, 1, 1}, err.Error()
		if de, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := de.Position()
			at = t.at(t.byteAt(line, column))
			what = strings.TrimPrefix(de.Error(), "toml: ")
		}
		report(at, nil, "not TOML: "+what)
		return nil
	}
	return root
}

// tomlReader turns expressions of the parser into nodes of the tree.
type tomlReader struct {
	file   string
	data   []byte
	lines  []int // offset of each line's first byte
	parser unstable.Parser
	report reporter
	told   bool // a fault was reported that the stable decoder would report again
}

// lineStarts are the offsets at which the lines of data start.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// at is the position of a byte; columns count characters.
func (t *tomlReader) at(offset int) position {
	lo, hi := 0, len(t.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; t.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return position{t.file, lo + 1, utf8.RuneCount(t.data[t.lines[lo]:min(offset, len(t.data))]) + 1}
}

// byteAt is the offset of a line and a column in bytes, both from 1.
func (t *tomlReader) byteAt(line, column int) int {
	line = min(max(line, 1), len(t.lines))
	return min(t.lines[line-1]+max(column, 1)-1, len(t.data))
}

// offset is where a part of the data starts; the data's end where it is empty.
func (t *tomlReader) offset(part []byte) int {
	if len(part) == 0 || len(t.data) == 0 {
		return len(t.data)
	}
	return int(t.parser.Range(part).Offset)
}

// twice reports a key that is there already.
func (t *tomlReader) twice(path []string, at, first position) {
	t.told = true
	t.report(at, path, fmt.Sprintf("defined twice, first at %d:%d", first.line, first.column))
}

// table finds or makes the mapping that a [header] or a [[header]] names.
func (t *tomlReader) table(root *node, e *unstable.Node, array bool) (*node, []string) {
	n, path := root, []string(nil)
	for it := e.Key(); it.Next(); {
		key := it.Node()
		name, at := string(key.Data), t.at(int(key.Raw.Offset))
		path = append(path, name)
		if len(path) > maxDepth {
			t.report(at, path[:2], fmt.Sprintf("nested more than %d levels deep", maxDepth))
			return &node{kind: mapping}, path
		}
		last := it.IsLast()
		f := n.field(name)
		if f == nil {
			value := &node{kind: mapping, at: at}
			if array && last {
				value.kind = list
			}
			n.add(field{name, at, value})
			f = n.field(name)
		}
		n = f.value
		switch {
		case array && last && n.kind == list:
			n.index = append(n.index, &node{kind: mapping, at: at})
			fallthrough
		case n.kind == list && len(n.index) > 0:
			path = append(path, strconv.Itoa(len(n.index)-1))
			n = n.index[len(n.index)-1]
		}
		if n.kind != mapping {
			t.twice(path, at, f.at)
			return &node{kind: mapping}, path
		}
	}
	return n, path
}

// keyValue adds KEY = VALUE to a mapping; a dotted key makes mappings in it.
func (t *tomlReader) keyValue(path []string, n *node, e *unstable.Node, depth int) {
	path = slices.Clip(path)
	for it := e.Key(); it.Next(); depth++ {
		key := it.Node()
		name, at := string(key.Data), t.at(int(key.Raw.Offset))
		path = append(path, name)
		f := n.field(name)
		if it.IsLast() {
			if f != nil {
				t.twice(path, at, f.at)
				return
			}
			start := t.valueStart(int(key.Raw.Offset + key.Raw.Length))
			n.add(field{name, at, t.value(path, e.Value(), start, depth+1)})
			return
		}
		if f == nil {
			n.add(field{name, at, &node{kind: mapping, at: at}})
			f = n.field(name)
		}
		if n = f.value; n.kind != mapping {
			t.twice(path, at, f.at)
			return
		}
	}
}

// valueStart is where the value after a key begins: an array has no range of
// its own.
func (t *tomlReader) valueStart(end int) position {
	rest := t.data[end:]
	trimmed := bytes.TrimLeft(rest, " \t")
	trimmed = bytes.TrimLeft(bytes.TrimPrefix(trimmed, []byte("=")), " \t")
	return t.at(end + len(rest) - len(trimmed))
}

// value is the tree of one value; around is where it stands if it has no
// range of its own.
func (t *tomlReader) value(path []string, v *unstable.Node, around position, depth int) *node {
	out := &node{kind: null, at: around}
	if v.Raw.Length > 0 {
		out.at = t.at(int(v.Raw.Offset))
	}
	if depth > maxDepth {
		t.report(out.at, path, fmt.Sprintf("nested more than %d levels deep", maxDepth))
		return out
	}
	out.text = string(v.Data)
	switch v.Kind {
	case unstable.Array:
		out.kind, out.text = list, ""
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind != unstable.Comment {
				at := down(path, strconv.Itoa(len(out.index)))
				out.index = append(out.index, t.value(at, c, out.at, depth+1))
			}
		}
	case unstable.InlineTable:
		out.kind, out.text = mapping, ""
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind == unstable.KeyValue {
				t.keyValue(path, out, c, depth)
			}
		}
	case unstable.String:
		out.kind = text
	case unstable.Bool:
		out.kind = boolean
	case unstable.Integer, unstable.Float:
		t.number(path, out)
	default:
		t.report(out.at, path, "a date was found: put it in quotes")
	}
	return out
}

// number reads TOML's spellings of a number.
func (t *tomlReader) number(path []string, out *node) {
	out.kind = number
	out.text = strings.TrimPrefix(strings.ReplaceAll(out.text, "_", ""), "+")
	if n, err := strconv.ParseInt(out.text, 0, 64); err == nil {
		out.number = strconv.FormatInt(n, 10)
		return
	}
	f, err := strconv.ParseFloat(out.text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		t.told = true
		t.report(out.at, path, "not a finite number")
		f = 0
	}
	out.number = jsonNumber(f)
}
