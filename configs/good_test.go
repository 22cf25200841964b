package configs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/secret"
)

// unset is an environment without variables.
func unset(string) (string, bool) { return "", false }

// same compares configurations by what they say, not by where it stood.
var same = []cmp.Option{
	cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() }),
	cmpopts.IgnoreFields(configs.Config{}, "Dir", "Files", "Store", "Warnings"),
	cmpopts.IgnoreUnexported(configs.Config{}),
	cmpopts.EquateEmpty(),
}

// TestExamples loads each example in both syntaxes: the schema takes them,
// they mean the same, and nothing in them is worth a warning.
func TestExamples(t *testing.T) {
	pairs, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(pairs) < 4 {
		t.Fatalf("%d examples; at least 4 are wanted", len(pairs))
	}
	for _, inYAML := range pairs {
		t.Run(filepath.Base(inYAML), func(t *testing.T) {
			inTOML := strings.TrimSuffix(inYAML, ".yaml") + ".toml"
			y, tm := mustLoad(t, inYAML), mustLoad(t, inTOML)
			if diff := cmp.Diff(y, tm, same...); diff != "" {
				t.Errorf("the syntaxes differ (-yaml +toml):\n%s", diff)
			}
			if filepath.Base(y.Store) != filepath.Base(tm.Store) {
				t.Errorf("stores: %s and %s", y.Store, tm.Store)
			}
		})
	}
}

func mustLoad(t *testing.T, path string) *configs.Config {
	t.Helper()
	if schemaRefuses(t, path) {
		t.Errorf("the schema refuses %s", path)
	}
	cfg, err := configs.Load(path, unset)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("%s: %v", path, cfg.Warnings)
	}
	return cfg
}

func TestDefaultsAreFilledIn(t *testing.T) {
	cfg, err := configs.Parse("etc/deltahook.yaml", []byte("endpoints: {}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Store != filepath.Join("etc", "deltahook.db") || cfg.Dir != "etc" {
		t.Errorf("store %q, dir %q", cfg.Store, cfg.Dir)
	}
	if cfg.Server.Listen != "127.0.0.1:8080" || cfg.Log != (configs.Log{Level: "info", Format: "text"}) {
		t.Errorf("server %v, log %v", cfg.Server, cfg.Log)
	}
	if !cfg.Egress.Sources.AllowPrivate || cfg.Egress.Endpoints.AllowPrivate {
		t.Errorf("egress %+v", cfg.Egress)
	}
	if a := cfg.Alerts; a.SourceFailingAfter != 3 || a.SourceStaleAfter.String() != "1d" {
		t.Errorf("alerts %+v", a)
	}
	r := cfg.Retention
	if got := []string{r.Events.String(), r.Attempts.String(), r.Dead.String()}; !slices.Equal(got, []string{"7d", "7d", "30d"}) {
		t.Errorf("retention %v", got)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "etc/deltahook.yaml:1:1: sources: no source") {
		t.Errorf("warnings %v", cfg.Warnings)
	}
}

func TestAbsentIsNotEmpty(t *testing.T) {
	cfg := parse(t, "x.yaml", "server: {listen: ''}\negress: {sources: {allow_private: false}}\nstore: /var/lib/x.db\nalerts: {source_failing_after: 0}\n", nil)
	if a := cfg.Alerts; a.SourceFailingAfter != 0 || a.SourceStaleAfter.String() != "1d" {
		t.Errorf("alerts %+v", a)
	}
	if cfg.Server.Listen != "" {
		t.Errorf("listen %q", cfg.Server.Listen)
	}
	if cfg.Egress.Sources.AllowPrivate {
		t.Error("allow_private: false was passed over")
	}
	if cfg.Store != "/var/lib/x.db" {
		t.Errorf("store %q", cfg.Store)
	}
}

// parse is Parse without a fault; env gives the environment.
func parse(t *testing.T, name, data string, env map[string]string) *configs.Config {
	t.Helper()
	cfg, err := configs.Parse(name, []byte(data), func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaultsMergeByKey(t *testing.T) {
	cfg := parse(t, "x.yaml", `
defaults:
  source:
    schedule: "@hourly"
    request: {timeout: 5s, headers: {A: "1", B: "2"}}
    response: {require: [a, b]}
sources:
  one:
    request: {url: https://api.example/, headers: {B: "3"}}
    response: {require: [c]}
  two:
    schedule: "@daily"
    request: {url: https://api.example/, timeout: 9s}
`, nil)
	one, two := cfg.Sources["one"], cfg.Sources["two"]
	if diff := cmp.Diff(map[string]string{"A": "1", "B": "3"}, one.Poll.Request.Headers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"c"}, one.Response.Judge.Require); diff != "" {
		t.Error(diff)
	}
	if one.Poll.Schedule != "@hourly" || two.Poll.Schedule != "@daily" {
		t.Errorf("schedules %q, %q", one.Poll.Schedule, two.Poll.Schedule)
	}
	if one.Poll.Request.Timeout.String() != "5s" || two.Poll.Request.Timeout.String() != "9s" {
		t.Errorf("timeouts %v, %v", one.Poll.Request.Timeout, two.Poll.Request.Timeout)
	}
	if two.Poll.Request.Headers["B"] != "2" {
		t.Errorf("headers %v", two.Poll.Request.Headers)
	}
}

func TestRulesKeepTheirOrder(t *testing.T) {
	for name, data := range map[string]string{
		"x.yaml": "sources: {a: {schedule: '@hourly', request: {url: 'https://api.example/'}, events: {z: {}, m.n: {}, a: {}}}}",
		"x.toml": "[sources.a]\nschedule = '@hourly'\nrequest.url = 'https://api.example/'\nevents = {z = {}, \"m.n\" = {}, a = {}}",
	} {
		cfg := parse(t, name, data, nil)
		if diff := cmp.Diff([]string{"z", "m.n", "a"}, cfg.Sources["a"].Diff.Events.Keys()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	cfg := parse(t, "x.yaml", `
sources:
  one: &one
    schedule: "@hourly"
    request: &request {url: https://api.example/1, timeout: 5s}
  two:
    <<: *one
    request: {<<: [*request], url: https://api.example/2}
`, nil)
	two := cfg.Sources["two"].Poll
	if two.Schedule != "@hourly" || two.Request.URL != "https://api.example/2" || two.Request.Timeout.String() != "5s" {
		t.Errorf("%+v", two)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("store: x\nsources:\n  a0: &a0 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n")
	for i := 1; i < 12; i++ {
		at := string(rune('a'+i)) + "0"
		before := string(rune('a'+i-1)) + "0"
		b.WriteString("  " + at + ": &" + at + " [" + strings.Repeat("*"+before+", ", 9) + "*" + before + "]\n")
	}
	_, err := configs.Parse("x.yaml", []byte(b.String()), unset)
	if err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("an alias bomb was taken in: %.200v", err)
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for name, data := range map[string]string{
		"x.yaml": "store: " + deep,
		"x.toml": "store = " + deep,
		"y.toml": strings.Repeat("a.", 200) + "b = 1",
		"z.toml": "[" + strings.Repeat("a.", 200) + "b]",
	} {
		_, err := configs.Parse(name, []byte(data), unset)
		if err == nil || !strings.Contains(err.Error(), "nested more than 100 levels") && !strings.Contains(err.Error(), "depth") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
