package expr_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/expr"
)

func TestDecode(t *testing.T) {
	for src, want := range map[string]any{
		`null`:                                 nil,
		" true\n":                              true,
		`"a\"\\\u00fc\ud83d\ude00"`:            `a"\ü😀`,
		`12`:                                   int64(12),
		`-0`:                                   int64(0),
		`1.0`:                                  int64(1),
		`1e3`:                                  int64(1000),
		`9223372036854775807`:                  int64(9223372036854775807),
		`9223372036854775808`:                  9223372036854775808.0,
		`-9223372036854775808`:                 int64(-9223372036854775808),
		`9007199254740993`:                     int64(9007199254740993),
		`9007199254740994.0`:                   9007199254740994.0, // beyond what a float64 tells apart
		`0.1`:                                  0.1,
		`1e-400`:                               int64(0),
		`[]`:                                   []any{},
		`{}`:                                   map[string]any{},
		`{"a" : [1 , {"b":null}] , "":false }`: map[string]any{"a": []any{int64(1), map[string]any{"b": nil}}, "": false},
		`{"a":1,"a":2}`:                        map[string]any{"a": int64(2)},
	} {
		got, err := expr.Decode([]byte(src))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", src, err, diff)
		}
	}
	for _, src := range []string{``, ` `, `{`, `[1,]`, `1 2`, `nul`, `"a`, `1e400`, `[1e999]`, `01`, strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)} {
		if v, err := expr.Decode([]byte(src)); err == nil {
			t.Errorf("%.20s: %v without an error", src, v)
		}
	}
}

// Decode agrees with encoding/json about what is JSON and what it holds.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x\n",null,true,false]}`, `[1e400]`, `"\ud800"`, "\"\xff\"", `{"a":{"a":1},"a":2}`, "\t[ ]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := expr.Decode(raw)
		var want any
		wantErr := json.Unmarshal(raw, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/json: %v", raw, err, wantErr)
		}
		if err == nil && !cmp.Equal(want, floats(got)) {
			t.Fatalf("%q: %v, encoding/json: %v", raw, got, want)
		}
	})
}

// floats is v with the numbers that encoding/json would give.
func floats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}
