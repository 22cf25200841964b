package configs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"

	"github.com/deltahook/deltahook/configs"
)

const (
	reference = "../docs/configuration.md"
	begin     = "<!-- What follows is made from the settings structs: go test ./configs -run TestReferenceIsFresh -update -->\n"
	end       = "<!-- End of what is made. -->\n"
)

// TestReferenceIsFresh holds the tables of docs/configuration.md to the
// settings structs and their comments.
func TestReferenceIsFresh(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		t.Fatalf("%s lacks the marks between which the tables stand", reference)
	}
	s, needed := generate(t)
	tables := table(s, needed, "", "The top", s, "")
	for _, part := range []struct{ path, def, text string }{
		{"server", "Server", ""},
		{"reload", "Reload", ""},
		{"log", "Log", ""},
		{"tracing", "Tracing", "See [operations/tracing.md](operations/tracing.md)."},
		{"defaults", "Defaults", ""},
		{"limits.NAME", "Limit", "NAME: as that of a source."},
		{"auth.NAME", "Auth", "NAME: as that of a source. The same may stand in `sources.NAME.request.auth`, in the place of a name. See [authentication.md](authentication.md)."},
		{"auth.NAME.bearer", "Bearer", ""},
		{"auth.NAME.basic", "Basic", ""},
		{"auth.NAME.api_key", "APIKey", ""},
		{"auth.NAME.oauth2", "OAuth2", ""},
		{"auth.NAME.login", "Login", ""},
		{"auth.NAME.login.request", "LoginRequest", ""},
		{"auth.NAME.tls, sources.NAME.request.tls", "TLS", ""},
		{"sources.NAME", "Source", "NAME: up to 64 letters, digits, `_`, `.` and `-`, the first of them a letter or a digit."},
		{"sources.NAME.request", "Request", ""},
		{"sources.NAME.request.graphql", "GraphQL", ""},
		{"sources.NAME.request.paginate", "Paginate", "See [paging.md](paging.md)."},
		{"sources.NAME.watch", "Watch", "See [watch.md](watch.md)."},
		{"sources.NAME.watch.from", "Feed", ""},
		{"sources.NAME.response", "Response", ""},
		{"sources.NAME.response.xml", "XML", ""},
		{"sources.NAME.response.csv", "CSV", ""},
		{"sources.NAME.response.html", "HTML", ""},
		{"sources.NAME.response.lists.PATH", "List", ""},
		{"sources.NAME.response.numbers.PATH", "Number", ""},
		{"sources.NAME.changes", "Change", ""},
		{"sources.NAME.changes.baseline", "BaselineLast", ""},
		{"sources.NAME.events.TYPE", "Rule", "TYPE is the event's type: as a name, up to 128 characters."},
		{"endpoints.NAME", "Endpoint", "NAME: as that of a source."},
		{"endpoints.NAME.retry", "Retry", ""},
		{"alerts", "Alert", ""},
		{"egress", "Egress", ""},
		{"egress.sources, egress.endpoints", "Reach", ""},
		{"retention", "Retention", ""},
	} {
		d := s.Definitions[part.def]
		if d == nil {
			t.Fatalf("the schema has no %s", part.def)
		}
		tables += table(s, needed, part.def, "`"+part.path+"`", d, part.text)
	}
	golden(t, reference, slices.Concat(before, []byte(begin+tables+"\n"+end), after))
}

// table is the reference of one mapping.
func table(root *jsonschema.Schema, needed map[string][]string, def, title string, s *jsonschema.Schema, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n", title)
	if text != "" {
		b.WriteString(text + "\n\n")
	}
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		meaning, standard := defaultOf(p.Value.Description)
		if slices.Contains(needed[def], p.Key) {
			standard = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Key, typeOf(p.Value), standard, strings.ReplaceAll(meaning, "|", "\\|"))
	}
	return b.String()
}

var (
	lastDefault = regexp.MustCompile(`^(.*?)\s*Default: (.*)\.$`)
	inDefault   = regexp.MustCompile(`(\w+) \(default`)
)

// defaultOf takes the default out of a comment.
func defaultOf(comment string) (meaning, standard string) {
	if m := lastDefault.FindStringSubmatch(comment); m != nil {
		return m[1], m[2]
	}
	if m := inDefault.FindStringSubmatch(comment); m != nil {
		return comment, m[1]
	}
	return comment, ""
}

// typeOf is a schema in a word or two.
func typeOf(s *jsonschema.Schema) string {
	switch {
	case s.Title == "path or paths":
		return "path, or list of paths"
	case s.Title != "" && s.WriteOnly && s.Title != "secret":
		return "secret"
	case s.Title != "":
		return s.Title
	case len(s.Enum) > 0:
		var names []string
		for _, e := range s.Enum {
			names = append(names, fmt.Sprintf("`%v`", e))
		}
		return strings.Join(names, " or ")
	case s.Type == "array":
		return "list: " + typeOf(s.Items)
	case s.Ref != "":
		return "mapping"
	case s.PropertyNames != nil && s.PropertyNames.Title == "status":
		return "mapping of statuses: " + typeOf(s.AdditionalProperties)
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Ref == "":
		return "mapping of names: " + typeOf(s.AdditionalProperties)
	case s.Type == "object":
		return "mapping of names"
	case s.Type == "integer" && s.Minimum != "" && s.Maximum != "":
		return fmt.Sprintf("whole number, %s to %s", s.Minimum, s.Maximum)
	}
	word := map[string]string{"string": "text", "integer": "whole number", "boolean": "`true` or `false`", "": "any value"}[s.Type]
	if word == "" {
		return s.Type
	}
	return word
}

// TestPageIsLoaded loads every whole configuration of docs/configuration.md:
// each block with sources in it.
func TestPageIsLoaded(t *testing.T) {
	page, err := filepath.Abs(reference)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|toml)\n(.*?)```").FindAllSubmatch(text, -1)
	whole := 0
	for i, block := range blocks {
		syntax, body := string(block[1]), string(block[2])
		if !strings.Contains(body, "sources") {
			continue // a part of a configuration, shown for itself
		}
		whole++
		name := "page." + syntax
		env := map[string]string{"SHOP_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "API_TOKEN": "a-token-for-the-test"}
		cfg, err := configs.Parse(name, []byte(body), func(k string) (string, bool) { v, ok := env[k]; return v, ok })
		if err != nil {
			t.Errorf("block %d: %v", i, err)
			continue
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("block %d: %v", i, cfg.Warnings)
		}
	}
	if whole < 3 {
		t.Errorf("%d whole configurations stand on the page; 3 at least are wanted", whole)
	}
}
