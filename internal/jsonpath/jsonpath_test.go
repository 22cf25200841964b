package jsonpath_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/jsonpath"
)

func TestCheckTakesGoodPaths(t *testing.T) {
	for _, path := range []string{
		"a", "a.b.0", "output.completeTrackResults.#.trackResults|@flatten", "@this", "@reverse.0",
		`data.#(name=="piece(1)").code`, `a.#(b.#(c>1))#.d`, `@odata\.nextLink`, "@odata", `Global Quote.05\. price`,
		"#.id", "@pretty:{\"indent\":\"\"}", "x|@join:{\"preserve\":true}", "smile :)",
	} {
		if err := jsonpath.Check(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for path, want := range map[string]string{
		"":              "an empty path",
		"  ":            "an empty path",
		"a|@flaten":     "did you mean @flatten?",
		"a.#(b==1":      "a query isn't closed",
		`a.#(b=="x).c`:  "a string isn't closed",
		"@revers":       "did you mean @reverse?",
		`a.#(b.#(c>1)#`: "a query isn't closed",
	} {
		if err := jsonpath.Check(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", path, err, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for path, want := range map[string]bool{
		"a": true, "data.0.items": true, "@this": true, "@odata.value": true, `Global Quote.05\. price`: true,
		"Time Series (Daily)": true, `a\|b`: true, `\@reverse`: true, "a[]": true, "a!": true,
		"": false, "data.#.lines|@flatten": false, "data.#.order": false, "data.#(k==1)#": false, "a|b": false, "@reverse": false,
		"a.@reverse": false, "a.@join:{}": false, "*.items": false, "item?": false, "[a,b]": false, "{a,b}": false, "a.[b]": false, `!"x"`: false, "..0": false,
	} {
		if got := jsonpath.Plain(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("a.#(b==\"c\").@reverse")
	f.Fuzz(func(t *testing.T, path string) {
		if jsonpath.Check(path) == nil {
			gjson.Get(`{"a":[{"b":"c"}]}`, path)
		}
	})
}
