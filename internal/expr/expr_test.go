package expr_test

import (
	"testing"

	"github.com/deltahook/deltahook/internal/expr"
)

func TestSmoke(t *testing.T) {
	p, err := expr.CompileBool(`new.status == "DL"`, expr.Env{"new": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Bool(map[string]any{"new": map[string]any{"status": "DL"}}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	x, err := expr.ParseText(`a {{ {"a": {"b": 1}} }} b {{ "}}" }}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(x.String(nil))
	u, err := expr.ParseURL(`https://x/{{ key }}?a={{ key }}&b={{ raw(key) }}`, expr.Env{"key": ""})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(u.String(map[string]any{"key": "a/b c"}))
	_, err = expr.ParseText(`hi {{ nwe.x }}`, expr.Env{"new": nil})
	t.Log(err)
	tr, errs := expr.ParseTree(map[string]any{"a": map[string]any{"$each": "keys", "n": "{{ it }}"}}, expr.Env{"keys": []string(nil)})
	if errs != nil {
		t.Fatal(errs)
	}
	b, err := tr.JSON(map[string]any{"keys": []string{"1", "<2>"}})
	t.Log(string(b), err)
}
