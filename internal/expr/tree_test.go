package expr_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/expr"
)

// load is a tree as the configuration's YAML gives it.
func load(t *testing.T, src string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(src), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTree(t *testing.T) {
	vars := map[string]any{"key": "k<1>", "keys": []string{"1", "2"}, "v": map[string]any{
		"n": int64(9007199254740993), "f": 2.50, "quote": `"\ü` + "\u2028\x01\xff", "raw": json.RawMessage(`{"x":1.10}`),
		"rows": []any{map[string]any{"id": int64(1), "tags": []any{"a", "b"}}, map[string]any{"id": int64(2)}}}}
	for name, c := range map[string]struct{ yaml, want string }{
		"scalars":        {`{a: 1, b: 1.5, c: true, d: null, e: x, f: 18446744073709551615, g: 2026-01-02T03:04:05Z}`, `{"a":1,"b":1.5,"c":true,"d":null,"e":"x","f":18446744073709551615,"g":"2026-01-02T03:04:05Z"}`},
		"types are kept": {`{n: "{{ v.n }}", f: "{{ v.f }}", l: "{{ keys }}", no: "{{ v.none }}", raw: "{{ v.raw }}"}`, `{"f":2.5,"l":["1","2"],"n":9007199254740993,"no":null,"raw":{"x":1.10}}`},
		"text":           {`{t: "parcel {{ key }}: {{ v.n }}"}`, `{"t":"parcel k<1>: 9007199254740993"}`},
		"always valid":   {`{q: "{{ v.quote }}", "<k>": "a{{ v.quote }}"}`, `{"<k>":"a\"\\ü\u2028\u0001\ufffd","q":"\"\\ü\u2028\u0001\ufffd"}`},
		"a list":         {`[a, "{{ key }}", [], {}]`, `["a","k<1>",[],{}]`},
		"a scalar":       {`"{{ v.n }}"`, `9007199254740993`},
		"nothing":        {`null`, `null`},
		"each":           {`{list: {$each: keys, info: {number: "{{ it }}", of: "{{ key }}"}}}`, `{"list":[{"info":{"number":"1","of":"k<1>"}},{"info":{"number":"2","of":"k<1>"}}]}`},
		"each in each":   {`{$each: v.rows, id: "{{ it.id }}", tags: {$each: it.tags, tag: "{{ it }}"}}`, `[{"id":1,"tags":[{"tag":"a"},{"tag":"b"}]},{"id":2,"tags":[]}]`},
		"each computed":  {`{$each: "filter(keys, # != '1')", k: "{{ it }}"}`, `[{"k":"2"}]`},
		"groups":         {`{g: "{{ groupBy(keys, # == '1') }}", t: "{{ duration('90m') }}", e: [1e21, 1e-7]}`, `{"e":[1e+21,1e-07],"g":{"false":["2"],"true":["1"]},"t":"1h30m0s"}`},
	} {
		tree, errs := expr.ParseTree(load(t, c.yaml), request)
		if errs != nil {
			t.Errorf("%s: %v", name, errs)
			continue
		}
		got, err := tree.JSON(vars)
		if err != nil || string(got) != c.want || !json.Valid(got) {
			t.Errorf("%s\n got %s, %v\nwant %s", name, got, err, c.want)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, vars["keys"]); diff != "" || len(vars) != 3 {
		t.Errorf("vars were changed: %v", vars)
	}
}

func TestTreeReportsAllErrorsWithTheirPaths(t *testing.T) {
	v := load(t, `
a: "{{ kye }}"
b: [x, {c: "{{ key"}]
d: {$each: kyes, e: "{{ it }}"}
f: {$each: [keys], e: 1}
g: {$each: keys}
h: {$each: "{{ keys }}", e: 1}
i: {"x{{ key }}": 1}
j: .inf
k: {$each: keys, l: {m: "{{ ti }}"}}
n: "{{ it }}"
`)
	v.(map[string]any)["o"] = struct{}{}
	var got []string
	_, errs := expr.ParseTree(v, request)
	for _, e := range errs {
		got = append(got, strings.Join(e.Path, ".")+": "+e.Err.Error())
	}
	want := []string{
		`a: column 4: unknown name "kye" (did you mean "key"?)`,
		`b.1.c: column 1: the {{ here is never closed by }}`,
		`d.$each: column 1: unknown name "kyes" (did you mean "keys"?)`,
		`f.$each: an expression is expected here, not a list`,
		`g.$each: there is nothing beside it to repeat for each element`,
		`h.$each: a bare expression is expected here: write it without {{ }}`,
		`i.x{{ key }}: a key cannot hold an expression`,
		`j: +Inf is not a number that can be written`,
		`k.l.m: column 4: unknown name "ti" (did you mean "it"?)`,
		`n: column 4: unknown name "it" (did you mean "int"?)`,
		`o: a value of type struct {} has no place in JSON`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTreeErrorsAtRunTime(t *testing.T) {
	for src, want := range map[string]string{
		`{a: {$each: v, b: 1}}`:                `a: $each: gave a number, not a list`,
		`{a: {$each: keys, b: ["{{ v.x }}"]}}`: `a: element 0: b: 0: column 6: cannot fetch x from int`,
	} {
		tree, errs := expr.ParseTree(load(t, src), request)
		if errs != nil {
			t.Errorf("%s: %v", src, errs)
			continue
		}
		if _, err := tree.JSON(map[string]any{"v": int64(1), "keys": []string{"1"}}); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}

// $each inside $each multiplies, past what the language counts itself.
func TestTreeIsBounded(t *testing.T) {
	tree, errs := expr.ParseTree(load(t, `{$each: 1..2000, a: {$each: 1..2000, b: 1}}`), nil)
	if errs != nil {
		t.Fatal(errs)
	}
	if _, err := tree.Value(nil); err == nil || !strings.Contains(err.Error(), "more than 1000000 values") {
		t.Errorf("4,000,000 values: %v", err)
	}
}

func TestTreeUses(t *testing.T) {
	tree, errs := expr.ParseTree(load(t, `{a: [{$each: keys, b: "{{ v }}"}], c: key}`), request)
	if errs != nil {
		t.Fatal(errs)
	}
	for name, want := range map[string]bool{"keys": true, "v": true, "key": false} {
		if got := tree.Uses(name); got != want {
			t.Errorf("Uses(%q) = %v", name, got)
		}
	}
}

func TestTreeValue(t *testing.T) {
	tree, errs := expr.ParseTree(load(t, `{at: "{{ v }}", list: [1, x]}`), request)
	if errs != nil {
		t.Fatal(errs)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	got, err := tree.Value(map[string]any{"v": at})
	if diff := cmp.Diff(map[string]any{"at": at, "list": []any{1, "x"}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
