// Package docs_test holds the documents to the code: configurations load,
// commands run and print what the pages say, links lead somewhere, and names
// of settings, metrics and tests exist.
//
//	go test ./test/docs -update
//
// writes the real output of the commands into docs/commands.md.
package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/expr"
)

// TestConfigurationsLoad loads each yaml and toml block: as it is, or, where
// it is the inside of a source or of an endpoint, in a whole configuration.
func TestConfigurationsLoad(t *testing.T) {
	whole := 0
	for _, b := range blocksOf(t, "yaml", "toml") {
		if b.page == "ARCHITECTURE.md" {
			t.Errorf("%s:%d: a configuration is for users", b.page, b.line)
		}
		text := b.text
		if b.lang == "yaml" {
			text = complete(t, b)
		}
		if text == b.text {
			whole++
		}
		dir := t.TempDir()
		for _, m := range regexp.MustCompile(`\$\{file:([^}]*)\}`).FindAllStringSubmatch(text, -1) {
			file := filepath.Join(dir, filepath.Base(m[1]))
			if err := os.WriteFile(file, []byte(someSecret), 0o600); err != nil {
				t.Fatal(err)
			}
			text = strings.ReplaceAll(text, m[0], "${file:"+file+"}")
		}
		if _, err := configs.Parse(filepath.Join(dir, "deltahook."+b.lang), []byte(text), anything); err != nil {
			t.Errorf("%s:%d: %v", b.page, b.line, err)
		}
	}
	if whole < 3 {
		t.Errorf("only %d whole configurations were found", whole)
	}
}

const someSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// anything is an environment in which every name is set.
func anything(name string) (string, bool) {
	switch {
	case strings.Contains(name, "URL"):
		return "https://receiver.example/" + strings.ToLower(name), true
	case strings.Contains(name, "SEC"):
		return someSecret, true
	}
	return "some-value", true
}

// complete makes a whole configuration of a block that isn't one.
func complete(t *testing.T, b block) string {
	t.Helper()
	var top map[string]any
	if err := yaml.Unmarshal([]byte(b.text), &top); err != nil {
		t.Errorf("%s:%d: %v", b.page, b.line, err)
		return b.text
	}
	frame := map[string]any{"endpoints": map[string]any{}, "sources": map[string]any{}}
	for name, s := range schemaOf(t, "sources", "*").Properties {
		if top[name] != nil && s != nil {
			part := map[string]any{"schedule": "@every 1m", "request": map[string]any{"url": "https://api.example/x"}}
			maps.Copy(part, top)
			frame["sources"] = map[string]any{"example": part}
			return marshal(t, frame)
		}
	}
	atTop := schemaOf(t).Properties
	for name := range schemaOf(t, "endpoints", "*").Properties {
		if top[name] != nil && atTop[name] == nil { // auth is both
			part := map[string]any{"url": "https://receiver.example/"}
			maps.Copy(part, top)
			frame["endpoints"] = map[string]any{"example": part}
			return marshal(t, frame)
		}
	}
	return b.text
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// schema is as much of a JSON Schema as is needed to find a setting.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	More       json.RawMessage    `json:"additionalProperties"`
	Defs       map[string]*schema `json:"$defs"`
}

// schemaOf is the schema of a setting; * is any name. Nil: there is none.
func schemaOf(t *testing.T, path ...string) *schema {
	t.Helper()
	top := &schema{}
	if err := json.Unmarshal(configs.Schema(), top); err != nil {
		t.Fatal(err)
	}
	follow := func(s *schema) *schema {
		for s != nil && s.Ref != "" {
			s = top.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		}
		return s
	}
	at := follow(top)
	for _, name := range path {
		if at == nil {
			return nil
		}
		next := at.Properties[name]
		if next == nil && len(at.More) > 0 && at.More[0] == '{' {
			next = &schema{}
			if err := json.Unmarshal(at.More, next); err != nil {
				t.Fatal(err)
			}
		}
		at = follow(next)
	}
	return at
}

// dotted is a setting as pages name it in the middle of a sentence.
var dotted = regexp.MustCompile("`([a-z_]+(?:\\.(?:[a-z_]+|\\*|NAME))+)`")

// TestSettingsExist looks up every setting that a page names by its path: from
// the top, or within a source or an endpoint.
func TestSettingsExist(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, m := range dotted.FindAllStringSubmatch(p.text, -1) {
			names := strings.Split(strings.ReplaceAll(m[1], "NAME", "*"), ".")
			var known, there bool
			for _, within := range [][]string{nil, {"sources", "*"}, {"endpoints", "*"}} {
				first := schemaOf(t, append(slices.Clip(within), names[0])...)
				if first == nil || len(first.Properties) == 0 && len(first.More) == 0 {
					continue // order.placed is an event, though order is a setting
				}
				known = true
				there = there || schemaOf(t, append(slices.Clip(within), names...)...) != nil
			}
			if known && !there && !slices.Contains(ownTypes, m[1]) && !strings.HasSuffix(m[1], ".go") {
				t.Errorf("%s: there is no setting %s", p.path, m[1])
			}
			if known && there {
				found++
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d settings were found in the pages", found)
	}
}

// TestMetricsAreDocumented compares the names of metrics in the code with
// those in docs/operations/README.md, and those of all pages with the code.
func TestMetricsAreDocumented(t *testing.T) {
	name := regexp.MustCompile(`\bdeltahook_[a-z_]+[a-z]\b`)
	quoted := regexp.MustCompile(`"(deltahook_[a-z_]+[a-z])"`)
	inCode := map[string]bool{}
	for _, file := range sources(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(read(t, file), -1) {
			inCode[m[1]] = true
		}
	}
	if len(inCode) < 10 {
		t.Fatalf("only %d metrics are in the code", len(inCode))
	}
	operations := read(t, filepath.Join(root, "docs/operations/README.md"))
	for m := range inCode {
		if !strings.Contains(operations, "`"+m+"`") {
			t.Errorf("docs/operations/README.md lacks the metric %s", m)
		}
	}
	for _, p := range pages(t) {
		for _, m := range name.FindAllString(p.text, -1) {
			if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m, ""); !inCode[m] && !inCode[base] {
				t.Errorf("%s: there is no metric %s", p.path, m)
			}
		}
	}
}

// TestTestsExist looks up the tests, benchmarks and fuzz targets that pages
// name as proof.
func TestTestsExist(t *testing.T) {
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	for _, file := range sources(t) {
		if strings.HasSuffix(file, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(read(t, file), -1) {
				there[m[1]] = true
			}
		}
	}
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)").FindAllStringSubmatch(p.text, -1) {
			if !there[m[1]] {
				t.Errorf("%s: there is no %s", p.path, m[1])
			}
		}
	}
}

// TestPackagesAreInArchitecture finds each package in the table of
// ARCHITECTURE.md, itself or a folder above it.
func TestPackagesAreInArchitecture(t *testing.T) {
	text := read(t, filepath.Join(root, "ARCHITECTURE.md"))
	for _, file := range sources(t) {
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(rel)
		for dir != "." && !strings.Contains(text, "`"+dir+"`") {
			dir = path.Dir(dir)
		}
		if dir == "." {
			t.Errorf("ARCHITECTURE.md lacks the package %s", rel)
		}
	}
}

// TestFilesOfArchitectureExist looks up the files that ARCHITECTURE.md names.
func TestFilesOfArchitectureExist(t *testing.T) {
	named := regexp.MustCompile("`([a-z/]+/[a-z_]+\\.go)`").FindAllStringSubmatch(read(t, filepath.Join(root, "ARCHITECTURE.md")), -1)
	if len(named) < 5 {
		t.Errorf("only %d files are named", len(named))
	}
	for _, m := range named {
		_, err := os.Stat(filepath.Join(root, m[1]))
		if _, inStore := os.Stat(filepath.Join(root, "internal/store", m[1])); err != nil && inStore != nil {
			t.Errorf("there is no file %s", m[1])
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksResolve follows links to files, and to headings in them.
func TestLinksResolve(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(root, filepath.Dir(p.path), target)
			if target == "" {
				file = filepath.Join(root, p.path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere", p.path, m[1])
				continue
			}
			if heading != "" && !slices.Contains(anchors(read(t, file)), heading) {
				t.Errorf("%s: no heading for the link %s", p.path, m[1])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestEveryPageIsLinked finds each page in the list at the end of the README,
// or, where its folder has a README of its own, in that.
func TestEveryPageIsLinked(t *testing.T) {
	readme := read(t, filepath.Join(root, "README.md"))
	for _, p := range pages(t) {
		list := filepath.Join(filepath.Dir(p.path), "README.md")
		if _, err := os.Stat(filepath.Join(root, list)); err == nil && p.path != list {
			if !strings.Contains(read(t, filepath.Join(root, list)), "]("+filepath.Base(p.path)+")") {
				t.Errorf("%s does not link to %s", list, p.path)
			}
			continue
		}
		if p.path != "README.md" && !strings.Contains(readme, "]("+filepath.ToSlash(p.path)+")") {
			t.Errorf("README.md does not link to %s", p.path)
		}
	}
}

// TestExpressionExamples evaluates the examples of docs/expressions.md.
func TestExpressionExamples(t *testing.T) {
	_, table, ok := strings.Cut(read(t, filepath.Join(root, "docs/expressions.md")), "## Examples\n")
	if !ok {
		t.Fatal("docs/expressions.md has no examples")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `(.*)` \\| `(.*)` \\|$").FindAllStringSubmatch(table, -1)
	if len(rows) < 5 {
		t.Fatalf("only %d examples", len(rows))
	}
	for _, row := range rows {
		program, err := expr.Compile(row[1], expr.Env{})
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		v, err := program.Eval(nil)
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		if got, err := json.Marshal(v); err != nil || string(got) != row[2] {
			t.Errorf("%s is %s (%v), not %s", row[1], got, err, row[2])
		}
	}
}

// sources are all Go files of the module, from this folder.
func sources(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-co", "--exclude-standard", "*.go").Output()
	if err != nil {
		t.Skipf("the list of files needs git and its repository: %v", err)
	}
	files := strings.Fields(string(out))
	for i, f := range files {
		files[i] = filepath.Join(root, f)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
