package expr_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/expr"
)

var request = expr.Env{"key": nil, "keys": []string(nil), "v": nil}

func TestText(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 123456789, time.FixedZone("CET", 3600))
	vars := map[string]any{"key": "794806132416", "keys": []string{"a", "b"}, "v": map[string]any{
		"int": int64(12345678901234), "big": 1e20, "huge": 1e300, "f": 0.1, "small": 1e-7, "yes": true, "at": at,
		"wait": 90 * time.Minute, "list": []any{int64(1), "<&>", nil}, "html": "<b>\"é\"</b>\n",
	}}
	for src, want := range map[string]any{
		"":                                 "",
		"plain } text }}":                  "plain } text }}",
		"parcel {{ key }}":                 "parcel 794806132416",
		"{{key}}{{key}}":                   "794806132416794806132416",
		" {{ v.int }}":                     " 12345678901234",
		"{{ v.int }} ":                     "12345678901234 ",
		"{{ v.int }}":                      int64(12345678901234),
		"{{ v.yes }}":                      true,
		"{{ keys }}":                       []string{"a", "b"},
		"{{ v.none }}":                     nil,
		"<{{ v.none }}>":                   "<>",
		"x{{ v.big }}":                     "x100000000000000000000",
		"x{{ v.huge }}":                    "x1e+300",
		"x{{ v.f }} {{ v.small }}":         "x0.1 1e-07",
		"x{{ v.yes }}":                     "xtrue",
		"since {{ v.at }}":                 "since 2026-11-23T10:00:00Z",
		"in {{ v.wait }}":                  "in 1h30m0s",
		"l={{ v.list }}":                   `l=[1,"<&>",null]`,
		"k={{ keys }}":                     `k=["a","b"]`,
		"h={{ v.html }}":                   "h=<b>\"é\"</b>\n",
		`é {{ "}}" }} {{ '{{' }}`:          "é }} {{",
		"{{ `}}` }}!":                      "}}!",
		`m={{ {"a": {"b": {}}} }}`:         `m={"a":{"b":{}}}`,
		`m={{{"a": {"b": {}}}}}`:           `m={"a":{"b":{}}}`,
		`{{ /* }} */ key }}.`:              "794806132416.",
		`{{ all(keys, {# != "}}"}) }}.`:    "true.",
		"{{ key\n  matches '^7' // }}\n}}": true,
	} {
		text, err := expr.ParseText(src, request)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		got, err := text.Value(vars)
		if err != nil {
			t.Errorf("%q: %v", src, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", src, diff)
		}
	}
}

func TestBadTexts(t *testing.T) {
	for src, want := range map[string]string{
		"parcel {{ key":             "column 8: the {{ here is never closed by }}",
		"é {{ {a: 1} ":              "column 3: the {{ here is never closed by }}",
		"a {{ key // }} b":          "column 3: the {{ here is never closed by }}",
		"{{ key } }":                `column 8: unexpected "}": two of them close an expression`,
		"a {{ }} b":                 "column 3: the expression is empty",
		"é {{ key }} {{ kye }}":     `column 16: unknown name "kye" (did you mean "key"?)`,
		"a\nb {{\n  kye }}":         `line 3, column 3: unknown name "kye" (did you mean "key"?)`,
		"a\nb {{ kye }}":            `line 2, column 6: unknown name "kye" (did you mean "key"?)`,
		"a {{ key + }} b":           "column 11: unexpected end of the expression",
		"a {{ 'it }} b":             "column 14: literal not terminated",
		"Bearer {{ 'x' 'hunter' }}": "column 15: unexpected string",
	} {
		_, err := expr.ParseText(src, request)
		if err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", src, err, want)
		}
		if _, ok := errors.AsType[*expr.Error](err); !ok {
			t.Errorf("%q: %#v is not an *Error", src, err)
		}
	}
}

func TestTextErrorsHaveTheirPlace(t *testing.T) {
	for src, want := range map[string]string{
		"a {{ key }} {{ v.a.b }}": `column 20: cannot take "b" of nil (?. takes it where there may be none)`,
		"a {{ 1 / v.zero }}":      "column 3: +Inf is not a number that can be written",
	} {
		text, err := expr.ParseText(src, request)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		_, err = text.String(map[string]any{"key": "k", "v": map[string]any{"zero": int64(0)}})
		if err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", src, err, want)
		}
	}
}

func TestTextKnowsWhatItNeeds(t *testing.T) {
	for src, want := range map[string][2]bool{ // constant, uses key
		"":              {true, false},
		"key":           {true, false},
		"{{ key }}":     {false, true},
		"a {{ v.key }}": {false, false},
	} {
		text, err := expr.ParseText(src, request)
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if got := [2]bool{text.Constant(), text.Uses("key")}; got != want {
			t.Errorf("%q: constant, uses key = %v", src, got)
		}
	}
}
