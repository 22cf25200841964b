package configs

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// kind is what a node of the tree is.
type kind int

const (
	null kind = iota
	text
	number
	boolean
	list
	mapping
)

// position is where something stands in a file.
type position struct {
	file         string
	line, column int
}

// node is a value of either syntax with its position. yaml.Node has no place
// for the file, nor for what a value was before ${…} was resolved.
type node struct {
	kind   kind
	at     position
	text   string  // of a scalar, as it was written
	number string  // of a number, as JSON writes it
	fields []field // of a mapping, in the order of the file
	index  []*node // of a list
	byName map[string]int

	written string // of a scalar that ${…} stood in: what stands in the file
	private bool   // the text came from ${file:…} or stands in a secret field
}

// field is one key of a mapping with its value.
type field struct {
	name  string
	at    position // of the key
	value *node
}

// few is the number of fields up to which looking at each is as fast as a map.
const few = 8

// field finds a key of a mapping; nil: it is not there.
func (n *node) field(name string) *field {
	if n == nil {
		return nil
	}
	if n.byName != nil {
		if i, ok := n.byName[name]; ok {
			return &n.fields[i]
		}
		return nil
	}
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	return nil
}

// get is the value under a key of a mapping, or at an index of a list; nil:
// there is none.
func (n *node) get(name string) *node {
	if f := n.field(name); f != nil {
		return f.value
	}
	if n != nil && n.kind == list {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.index) {
			return n.index[i]
		}
	}
	return nil
}

// add puts a key at the end of a mapping; the caller knows that it is new.
func (n *node) add(f field) {
	n.fields = append(n.fields, f)
	if n.byName == nil && len(n.fields) > few {
		n.byName = make(map[string]int, 2*few)
		for i := range n.fields {
			n.byName[n.fields[i].name] = i
		}
	} else if n.byName != nil {
		n.byName[f.name] = len(n.fields) - 1
	}
}

// without is a mapping less some keys; n itself stays as it is.
func (n *node) without(drop map[string]bool) *node {
	out := &node{kind: mapping, at: n.at}
	for _, f := range n.fields {
		if !drop[f.name] {
			out.add(f)
		}
	}
	return out
}

// down is the path of a key, or of an index, below another; it shares nothing
// with it that could be overwritten.
func down(path []string, name string) []string { return append(slices.Clip(path), name) }

// walk calls visit for n and for everything below it.
func (n *node) walk(path []string, visit func(path []string, n *node)) {
	visit(path, n)
	for _, f := range n.fields {
		f.value.walk(down(path, f.name), visit)
	}
	for i, v := range n.index {
		v.walk(down(path, strconv.Itoa(i)), visit)
	}
}

// tags are YAML's names of the kinds, as far as they are needed to decode.
var tags = map[kind]string{null: "!!null", text: "!!str", boolean: "!!bool", list: "!!seq", mapping: "!!map"}

// yaml is the tree as the decoder takes it.
func (n *node) yaml() *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: tags[n.kind], Value: n.text, Line: n.at.line, Column: n.at.column}
	switch n.kind {
	case mapping:
		out.Kind, out.Content = yaml.MappingNode, make([]*yaml.Node, 0, 2*len(n.fields))
		for _, f := range n.fields {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.name, Style: yaml.DoubleQuotedStyle}
			out.Content = append(out.Content, key, f.value.yaml())
		}
	case list:
		out.Kind = yaml.SequenceNode
		for _, v := range n.index {
			out.Content = append(out.Content, v.yaml())
		}
	case text:
		out.Style = yaml.DoubleQuotedStyle // a text that looks like a number stays text
	}
	return out
}
