// Package ordered holds a mapping that keeps the order of the file it was
// read from, for settings where the order means something.
package ordered

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// Entry is one key with its value.
type Entry[V any] struct {
	Key   string
	Value V
}

// Map is a mapping in the order of its file. The zero value is empty.
type Map[V any] []Entry[V]

// UnmarshalYAML reads a mapping node; keys are unique there already.
func (m *Map[V]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping was expected", n.Line)
	}
	out := make(Map[V], 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		var v V
		if err := n.Content[i+1].Decode(&v); err != nil {
			return err
		}
		out = append(out, Entry[V]{n.Content[i].Value, v})
	}
	*m = out
	return nil
}

// Get is the value under key.
func (m Map[V]) Get(key string) (V, bool) {
	for _, e := range m {
		if e.Key == key {
			return e.Value, true
		}
	}
	var none V
	return none, false
}

// Keys are the keys in order.
func (m Map[V]) Keys() []string {
	keys := make([]string, len(m))
	for i, e := range m {
		keys[i] = e.Key
	}
	return keys
}
