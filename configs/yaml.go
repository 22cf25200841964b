package configs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds of one file's tree.
const (
	maxDepth   = 100     // mappings and lists in each other
	maxAliased = 100_000 // values that aliases and merge keys repeat, in one file
)

// yamlTree reads a YAML file. Aliases and merge keys are resolved; a value
// that came through one keeps the position of its anchor.
func yamlTree(file string, data []byte, report reporter) *node {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		report(position{file, 1, 1}, nil, "cannot be read: "+err.Error())
		return nil
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return &node{kind: mapping, at: position{file, 1, 1}}
	} else if err != nil {
		yamlFault(file, err, report)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		yamlFault(file, err, report)
		return nil
	default:
		report(position{file, max(second.Line, 1), max(second.Column, 1)}, nil, "a second document starts here: one file holds one document")
		return nil
	}
	y := yamlReader{file: file, report: report, open: map[*yaml.Node]bool{}}
	return y.document(&doc)
}

// yamlFault reports an error of the parser at its place.
func yamlFault(file string, err error, report reporter) {
	at, what := position{file, 1, 1}, err.Error()
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		what = one.Message
		if strings.HasPrefix(what, "unknown anchor ") { // its name follows: see noTag
			what = "an alias (*) has no anchor (&) of its name; in front of text, put quotes around all of it"
		}
		if strings.HasPrefix(what, "found character that cannot start any token") {
			what = "no value begins so: indent by spaces, not by tabs; put quotes around text that begins with @, ` or %"
			one.ContextMsg = ""
		}
		if strings.Contains(what, "end of stream") && one.ContextMark.Line > 0 {
			one.Mark = one.ContextMark // the end says nothing: show what isn't closed
		}
		if one.Mark.Line > 0 {
			at.line, at.column = one.Mark.Line, max(one.Mark.Column, 1)
		}
		if one.ContextMsg != "" {
			what += " " + one.ContextMsg
			if one.ContextMark.Line > 0 && one.ContextMark != one.Mark {
				what += fmt.Sprintf(" that starts at %d:%d", one.ContextMark.Line, max(one.ContextMark.Column, 1))
			}
		}
	}
	report(at, nil, "not YAML: "+what)
}

// yamlReader turns nodes of the parser into nodes of the tree.
type yamlReader struct {
	file    string
	report  reporter
	open    map[*yaml.Node]bool // anchors that are being repeated: one within itself has no end
	aliased int
	full    bool // maxAliased was told
}

// document is the tree of a document; nil: there was nothing to read.
func (y *yamlReader) document(doc *yaml.Node) *node {
	root := doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) > 0 {
		root = doc.Content[0]
	}
	if root.Kind == 0 || root.Kind == yaml.DocumentNode || root.ShortTag() == "!!null" {
		return &node{kind: mapping, at: position{y.file, 1, 1}}
	}
	if root.Kind != yaml.MappingNode {
		y.report(y.at(root), nil, "a mapping of keys such as sources and endpoints was expected")
		return nil
	}
	return y.value(nil, root, 0)
}

func (y *yamlReader) at(n *yaml.Node) position {
	return position{y.file, max(n.Line, 1), max(n.Column, 1)}
}

// value is the tree of one value.
func (y *yamlReader) value(path []string, n *yaml.Node, depth int) *node {
	out := &node{kind: null, at: y.at(n)}
	if depth > maxDepth {
		y.report(out.at, path, fmt.Sprintf("nested more than %d levels deep", maxDepth))
		return out
	}
	if len(y.open) > 0 {
		if y.aliased++; y.aliased > maxAliased {
			if !y.full {
				y.report(out.at, path, fmt.Sprintf("aliases repeat more than %d values", maxAliased))
			}
			y.full = true
			return out
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		if n.Alias == nil || y.open[n.Alias] {
			y.report(out.at, path, "an alias (*) stands within its own anchor")
			return out
		}
		y.open[n.Alias] = true
		defer delete(y.open, n.Alias)
		return y.value(path, n.Alias, depth+1)
	case yaml.MappingNode:
		out.kind = mapping
		y.tagged(path, n, "!!map")
		y.fields(path, out, n, depth)
	case yaml.SequenceNode:
		out.kind = list
		y.tagged(path, n, "!!seq")
		for i, c := range n.Content {
			out.index = append(out.index, y.value(down(path, strconv.Itoa(i)), c, depth+1))
		}
	default:
		y.scalar(path, out, n)
	}
	return out
}

// noTag is the fault of a tag of the user's own. Neither it nor the name of an
// anchor is shown: a password that starts with ! or * reads as one.
const noTag = "a tag (!) means nothing here; in front of text, put quotes around all of it"

// tagged reports a tag of the user's own.
func (y *yamlReader) tagged(path []string, n *yaml.Node, want string) {
	if n.ShortTag() != want {
		y.report(y.at(n), path, noTag)
	}
}

// fields reads the keys of a mapping: its own first, then those merged by <<.
func (y *yamlReader) fields(path []string, out *node, n *yaml.Node, depth int) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			y.report(y.at(key), path, "a key must be plain text")
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		at := down(path, key.Value)
		if first := out.field(key.Value); first != nil {
			y.report(y.at(key), at, fmt.Sprintf("defined twice, first at %d:%d", first.at.line, first.at.column))
			continue
		}
		out.add(field{key.Value, y.at(key), y.value(at, value, depth+1)})
	}
	for _, m := range merged {
		y.merge(path, out, y.value(path, m, depth+1))
	}
}

// merge adds the keys of a merge key's value that out lacks.
func (y *yamlReader) merge(path []string, out, from *node) {
	switch from.kind {
	case mapping:
		for _, f := range from.fields {
			if out.field(f.name) == nil {
				out.add(f)
			}
		}
	case list:
		for _, v := range from.index {
			if v.kind == mapping {
				y.merge(path, out, v)
			} else {
				y.report(v.at, path, "<< takes a mapping or a list of mappings")
			}
		}
	default:
		y.report(from.at, path, "<< takes a mapping or a list of mappings")
	}
}

// scalar reads a text, a number, a boolean or a null. Dates stay text.
func (y *yamlReader) scalar(path []string, out *node, n *yaml.Node) {
	out.kind, out.text = text, n.Value
	switch n.ShortTag() {
	case "!!str", "!!timestamp", "!!merge":
	case "!!null":
		out.kind = null
	case "!!bool":
		out.kind = boolean
		var b bool
		if err := n.Decode(&b); err != nil {
			y.report(out.at, path, "neither true nor false")
		}
		out.text = strconv.FormatBool(b)
	case "!!int", "!!float":
		out.kind = number
		var v any
		if err := n.Decode(&v); err == nil {
			out.number = jsonNumber(v)
		}
		if out.number == "" {
			out.number = "0"
			y.report(out.at, path, "not a finite number")
		}
	default:
		y.report(out.at, path, noTag)
	}
}

// jsonNumber is a decoded number as JSON writes it; "": it can't.
func jsonNumber(v any) string {
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return ""
	}
	switch v.(type) {
	case int, int64, uint64, float64:
		b, err := json.Marshal(v)
		if err == nil {
			return string(b)
		}
	}
	return ""
}
