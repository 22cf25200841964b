package configs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schema.json
var schemaFile []byte

// Schema is the JSON Schema (draft 2020-12) of one configuration file, for
// editors. It is made from the settings structs.
func Schema() []byte { return slices.Clone(schemaFile) }

// compiled is the schema as the loader uses it.
var compiled = sync.OnceValue(func() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaFile))
	if err != nil {
		panic("schema.json is not JSON: " + err.Error()) // a test reads it
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("deltahook.schema.json", doc); err != nil {
		panic("schema.json cannot be added: " + err.Error())
	}
	return c.MustCompile("deltahook.schema.json")
})

// followed follows references.
func followed(s *jsonschema.Schema) *jsonschema.Schema {
	for s != nil && s.Ref != nil {
		s = s.Ref
	}
	return s
}

// orMapping ends the titles of what is either a text, the first of the two
// shapes, or a mapping, the second.
const orMapping = " or mapping"

func isUnion(s *jsonschema.Schema) bool {
	return s != nil && len(s.AnyOf) == 2 && strings.HasSuffix(s.Title, orMapping)
}

// resolved follows references, and goes on to the mapping where there may be
// one.
func resolved(s *jsonschema.Schema) *jsonschema.Schema {
	if s = followed(s); isUnion(s) {
		return followed(s.AnyOf[1])
	}
	return s
}

// titled is the title of s, or of what it refers to: the name of a kind of
// value such as duration.
func titled(s *jsonschema.Schema) string {
	for ; s != nil; s = s.Ref {
		if s.Title != "" {
			return s.Title
		}
	}
	return ""
}

// below is the schema of a key, or of an index; nil: anything goes.
func below(s *jsonschema.Schema, name string) *jsonschema.Schema {
	if s = resolved(s); s == nil {
		return nil
	}
	if p := s.Properties[name]; p != nil {
		return p
	}
	if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		return more
	}
	if _, err := strconv.Atoi(name); err == nil {
		return s.Items2020
	}
	return nil
}

// schemaAt is the schema of a setting; nil: anything goes.
func schemaAt(path []string) *jsonschema.Schema {
	s := compiled()
	for _, p := range path {
		s = below(s, p)
	}
	return s
}

// keys are the names that a mapping may have by its schema; none: any name.
func keys(s *jsonschema.Schema) []string {
	s = resolved(s)
	if s == nil {
		return nil
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// value is the tree as the schema's checker takes it.
func (n *node) value() any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			out[f.name] = f.value.value()
		}
		return out
	case list:
		out := make([]any, len(n.index))
		for i, v := range n.index {
			out[i] = v.value()
		}
		return out
	case number:
		return json.Number(n.number)
	case boolean:
		return n.text == "true"
	case null:
		return nil
	}
	return n.text
}
