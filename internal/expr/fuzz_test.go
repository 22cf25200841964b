package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/expr"
)

// Whatever is compiled, there is a program or an *Error of one line; whatever
// is evaluated, there is no panic.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`new.status == "DL"`, `changed("eta")`, `{"a": [1, 2][0]}.a ?? nil`, `let x = 1; x in 1..3`,
		`filter(item, # > 1) | map(.x)`, `if true {1} else {2}`, `duration("7d")`, "key matches '^a'", `"\u{1F600}"`, `$env`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := expr.Compile(src, rule)
		if err != nil {
			checkError(t, err)
			return
		}
		if slow(src) {
			return
		}
		_, err = p.Eval(map[string]any{"key": "k", "item": []any{int64(1), "x", nil}, "new": map[string]any{"status": "DL"}})
		if err != nil {
			checkError(t, err)
		}
	})
}

// A text is its literal parts and the values in between.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{"a {{ key }} b", "{{", "}}", "{{ {a: {}} }}", `{{ "}}" }}`, "{{ // }}\n}}", "{{ /* }} */ 1 }}", "é{{`}}`}}", "{{'\\'}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		text, err := expr.ParseText(src, expr.Env{"key": ""})
		if err != nil {
			checkError(t, err)
			return
		}
		if slow(src) {
			return
		}
		got, err := text.String(map[string]any{"key": "k"})
		switch {
		case err != nil:
			checkError(t, err)
		case !strings.Contains(src, "{{") && (got != src || !text.Constant()):
			t.Errorf("%q became %q", src, got)
		case strings.Contains(src, "{{") && text.Constant():
			t.Errorf("%q is taken for a constant", src)
		}
	})
}

// slow are expressions that may take long: time isn't limited.
func slow(src string) bool { return strings.Contains(src, "..") || strings.Contains(src, "repeat") }

func checkError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*expr.Error](err); !ok || strings.Contains(err.Error(), "\n") {
		t.Errorf("%#v is not an *Error of one line: %v", err, err)
	}
}
