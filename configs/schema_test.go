package configs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	orderedmap "github.com/pb33f/ordered-map/v2"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

var update = flag.Bool("update", false, "write schema.json, docs/configuration.md and the expected faults anew")

// TestSchemaIsFresh holds schema.json to the settings structs and their
// comments.
func TestSchemaIsFresh(t *testing.T) {
	s, _ := generate(t)
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, out, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", append(indented.Bytes(), '\n'))
}

// golden compares got with a file, or writes it under -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale; run go test ./configs -update (-there +made now):\n%s", file, diff)
	}
}

// generate makes the schema from the structs. needed are the keys that a
// struct must have, by its name in $defs.
func generate(t *testing.T) (s *jsonschema.Schema, needed map[string][]string) {
	t.Helper()
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		RequiredFromJSONSchemaTags: true,
		FieldNameTag:               "yaml",
		Namer:                      defName,
		Mapper:                     mapped,
	}
	comments(t, &r)
	s = r.Reflect(&configs.Config{})
	// Within ordered maps and unions, which reflection doesn't see into.
	for name, v := range map[string]any{
		"Rule": &differ.RuleSettings{}, "List": &differ.ListSettings{}, "Number": &differ.NumberSettings{}, "BaselineLast": &differ.BaselineLast{},
	} {
		d := r.Reflect(v)
		delete(d.Definitions, name)
		if len(d.Definitions) > 0 {
			t.Fatalf("%s refers to definitions of its own: merge them here", name)
		}
		d.Version = ""
		s.Definitions[name] = d
	}
	s.Version = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Deltahook configuration"
	s.Description = "One file of a configuration. Values may hold ${NAME}, ${NAME:-default} and ${file:PATH}, which are resolved at load."

	plain := r
	plain.Mapper = func(t reflect.Type) *jsonschema.Schema {
		if t == reflect.TypeFor[credential.BearerSettings]() {
			return nil
		}
		return mapped(t)
	}
	bearer := plain.Reflect(&credential.BearerSettings{}) // a text or this
	bearer.Version = ""
	s.Definitions["Bearer"] = bearer

	named(s, "auth", 64)
	named(s, "sources", 64)
	named(s, "endpoints", 64)
	named(s, "limits", 64)
	source := s.Definitions["Source"]
	events, _ := source.Properties.Get("events")
	events.PropertyNames = namePattern(128)
	response := s.Definitions["Response"]
	pick, _ := response.Properties.Get("pick")
	one, most := uint64(1), uint64(128)
	pick.MinProperties = &one
	pick.PropertyNames = &jsonschema.Schema{MinLength: &one, MaxLength: &most}
	status, _ := response.Properties.Get("status")
	status.PropertyNames = &jsonschema.Schema{Title: "status", Pattern: "^[1-5][0-9][0-9]$"}
	status.AdditionalProperties = &jsonschema.Schema{Type: "string", Enum: []any{"ok", "empty", "error", "reset"}}
	request := s.Definitions["Request"]
	for _, name := range []string{"headers", "query", "form"} {
		for _, d := range []*jsonschema.Schema{request, s.Definitions["LoginRequest"]} {
			p, _ := d.Properties.Get(name)
			p.AdditionalProperties = scalar()
		}
	}
	params, _ := s.Definitions["OAuth2"].Properties.Get("params")
	params.AdditionalProperties = scalar()
	endpoint := s.Definitions["Endpoint"]
	headers, _ := endpoint.Properties.Get("headers")
	headers.AdditionalProperties = scalar()
	headers.AdditionalProperties.WriteOnly = true
	needed = map[string][]string{}
	for name, d := range s.Definitions {
		needed[name] = d.Required
	}
	require(s)
	describe(s)
	return s, needed
}

// comments reads the doc comments of the packages that hold settings.
func comments(t *testing.T, r *jsonschema.Reflector) {
	t.Helper()
	for _, dir := range []string{".", "../poller", "../differ", "../emitter", "../internal/credential"} {
		if err := r.AddGoComments("github.com/deltahook/deltahook/configs", dir, jsonschema.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range r.CommentMap {
		r.CommentMap[key] = strings.Join(strings.Fields(text), " ")
	}
}

// describe gives a key without a comment of its own the one of its type, less
// the type's name, and takes that one from the definitions: an editor shows
// it beside the key.
func describe(s *jsonschema.Schema) {
	all := []*jsonschema.Schema{s}
	for _, d := range s.Definitions {
		all = append(all, d)
	}
	for _, d := range all {
		for p := d.Properties.Oldest(); p != nil; p = p.Next() {
			def := s.Definitions[strings.TrimPrefix(p.Value.Ref, "#/$defs/")]
			if _, text, ok := strings.Cut(descriptionOf(def), " is "); ok && p.Value.Description == "" {
				p.Value.Description = strings.ToUpper(text[:1]) + text[1:]
			}
		}
	}
	for _, d := range s.Definitions {
		d.Description = ""
	}
}

func descriptionOf(s *jsonschema.Schema) string {
	if s == nil {
		return ""
	}
	return s.Description
}

// defName is the name of a struct in $defs.
func defName(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "Settings")
	if name == "" {
		name = map[string]string{"emitter": "Endpoint", "credential": "Auth"}[filepath.Base(t.PkgPath())]
	}
	return name
}

// mapped gives the shapes of types that read themselves.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[units.Duration]():
		return &jsonschema.Schema{Title: "duration", AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: units.DurationPattern}, {Type: "integer", Minimum: "0", Maximum: "0"},
		}}
	case reflect.TypeFor[units.Size]():
		return &jsonschema.Schema{Title: "size", AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: units.SizePattern}, {Type: "integer", Minimum: "0"},
		}}
	case reflect.TypeFor[units.Percent]():
		return &jsonschema.Schema{Title: "percentage", Type: "string", Pattern: units.PercentPattern}
	case reflect.TypeFor[units.Rate]():
		return &jsonschema.Schema{Title: "rate", Type: "string", Pattern: units.RatePattern}
	case reflect.TypeFor[secret.Text]():
		return &jsonschema.Schema{Title: "secret", Type: "string", WriteOnly: true}
	case reflect.TypeFor[credential.Ref]():
		return union("name", &jsonschema.Schema{Type: "string"}, "Auth")
	case reflect.TypeFor[credential.BearerSettings]():
		return union("token", &jsonschema.Schema{Type: "string", WriteOnly: true}, "Bearer")
	case reflect.TypeFor[differ.Paths]():
		one := uint64(1)
		return &jsonschema.Schema{Title: "path or paths", AnyOf: []*jsonschema.Schema{
			{Type: "string"}, {Type: "array", MinItems: &one, Items: &jsonschema.Schema{Type: "string"}},
		}}
	case reflect.TypeFor[differ.Baseline]():
		return union("word", &jsonschema.Schema{Type: "string", Enum: []any{"silent", "emit"}}, "BaselineLast")
	case reflect.TypeFor[differ.Share]():
		return &jsonschema.Schema{Title: "share", AnyOf: []*jsonschema.Schema{
			{Type: "string", Pattern: units.PercentPattern}, {Type: "integer", Minimum: "0"},
		}}
	case reflect.TypeFor[ordered.Map[differ.ListSettings]]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Ref: "#/$defs/List"}}
	case reflect.TypeFor[ordered.Map[differ.NumberSettings]]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Ref: "#/$defs/Number"}}
	case reflect.TypeFor[ordered.Map[units.Duration]]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: mapped(reflect.TypeFor[units.Duration]())}
	case reflect.TypeFor[ordered.Map[string]]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "string"}}
	case reflect.TypeFor[ordered.Map[differ.RuleSettings]]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Ref: "#/$defs/Rule"}}
	}
	return nil
}

// union is a text or a mapping.
func union(word string, text *jsonschema.Schema, def string) *jsonschema.Schema {
	return &jsonschema.Schema{Title: word + " or mapping", AnyOf: []*jsonschema.Schema{text, {Ref: "#/$defs/" + def}}}
}

// scalar is what headers and parameters may be: sent as it is written.
func scalar() *jsonschema.Schema {
	return &jsonschema.Schema{Title: "plain value", AnyOf: []*jsonschema.Schema{
		{Type: "string"}, {Type: "number"}, {Type: "boolean"},
	}}
}

func namePattern(most int) *jsonschema.Schema {
	length := map[int]string{64: "63", 128: "127"}[most]
	return &jsonschema.Schema{Pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0," + length + "}$"}
}

func named(s *jsonschema.Schema, key string, most int) {
	p, _ := s.Properties.Get(key)
	p.PropertyNames = namePattern(most)
}

// require moves what a source and an endpoint must have from their
// definitions, which defaults share, to the root: there it may come from
// defaults instead.
func require(s *jsonschema.Schema) {
	for _, d := range s.Definitions {
		d.Required = nil
	}
	one := func(names, base string, path ...string) *jsonschema.Schema {
		return &jsonschema.Schema{
			If:   within(append([]string{"defaults", base}, path...)),
			Else: &jsonschema.Schema{Properties: props(names, &jsonschema.Schema{AdditionalProperties: deep(path)})},
		}
	}
	s.AllOf = []*jsonschema.Schema{
		one("sources", "source", "schedule"),
		one("sources", "source", "request"),
		one("sources", "source", "request", "url"),
		one("endpoints", "endpoint", "url"),
	}
}

// within asks for a setting and for everything that it stands in.
func within(path []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Required: path[:1]}
	if len(path) > 1 {
		s.Properties = props(path[0], within(path[1:]))
	}
	return s
}

// deep asks for a setting in what it stands in, where that is there.
func deep(path []string) *jsonschema.Schema {
	if len(path) == 1 {
		return &jsonschema.Schema{Required: path}
	}
	return &jsonschema.Schema{Properties: props(path[0], deep(path[1:]))}
}

func props(name string, s *jsonschema.Schema) *orderedmap.OrderedMap[string, *jsonschema.Schema] {
	out := jsonschema.NewProperties()
	out.Set(name, s)
	return out
}
