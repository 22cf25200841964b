package expr_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/expr-lang/expr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/expr"
)

// rule is an Env as a rule has it, with the picked fields known.
var rule = expr.Env{
	"new":     types.Map{"status": types.Any, "eta": types.String, "to": types.Map{"city": types.Any}},
	"old":     types.Map{"status": types.Any, "eta": types.String, "to": types.Map{"city": types.Any}},
	"item":    nil,
	"key":     "",
	"changed": func(names ...string) bool { return false },
	"pct":     func(from, to float64) float64 { return (to - from) / from * 100 },
	"since":   time.Time{},
}

// decode is a value as Decode gives it, for a test to work on.
func decode(t *testing.T, s string) any {
	t.Helper()
	v, err := expr.Decode([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEval(t *testing.T) {
	body := decode(t, `{"n":5,"one":1.0,"big":9007199254740993,"f":2.5,"s":"a","l":[5,6,1],"none":null}`)
	for src, want := range map[string]any{
		// What json.Number would answer with false.
		"body.n == 5":                           true,
		"body.n > 4.5":                          true,
		"body.n in [1, 5]":                      true,
		"6 in body.l":                           true,
		"body.one == 1":                         true,
		"body.big == 9007199254740993":          true,
		"body.big == 9007199254740992":          false,
		"body.f * 2 == 5":                       true,
		"body.l[body.one]":                      int64(6),
		"body.missing":                          nil,
		"body.missing?.deeper":                  nil,
		"body.none ?? 'x'":                      "x",
		"body.none == nil":                      true,
		"pct(body.f * 40, 95.0)":                -5.0,
		"nothing == nil":                        true,
		"duration('7d') == duration('168h')":    true,
		"duration('1w2d') + duration('-1h30m')": 214*time.Hour + 30*time.Minute,
		"fromJSON('[9007199254740993]')[0] - 1": 9007199254740992,
		"map(filter(body.l, # > 1), # * 2)":     []any{10, 12},
		"[max(body.l), min(body.l, 0.5), sum(body.l), mean(body.l), median(body.l)]":         []any{int64(6), 0.5, 12, 4.0, 5.0},
		"[sort(body.l), uniq(concat(body.l, body.l)), indexOf('abc', body.s), abs(-body.n)]": []any{[]any{int64(1), int64(5), int64(6)}, []any{int64(5), int64(6), int64(1)}, 0, int64(5)},
		"last(sort(map([{'u': 'b'}, {'u': 'a'}], .u)))":                                      "b",
		"let x = body.n; x + 1":                       6,
		"uuid() != uuid() && len(uuid()) == 36":       true,
		"now().UnixMilli() > 1700000000000":           true,
		"date('2026-01-02T00:00:00Z').Format('2006')": "2026",
	} {
		p, err := expr.Compile(src, expr.Env{"body": nil, "nothing": nil, "pct": rule["pct"]})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := p.Eval(map[string]any{"body": body})
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", src, diff)
		}
	}
}

func TestNowIsTheStandardClock(t *testing.T) {
	p, err := expr.CompileBool("now() - since == duration('36h')", rule)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		time.Sleep(36 * time.Hour)
		if ok, err := p.Bool(map[string]any{"since": start}); err != nil || !ok {
			t.Errorf("36 hours later: %v, %v", ok, err)
		}
	})
}

// A function in vars goes before the one of the Env, so that one program can
// be given functions that look at the change at hand.
func TestFunctions(t *testing.T) {
	p, err := expr.CompileBool(`changed("a", "b")`, rule)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"key": "k"}
	if ok, err := p.Bool(vars); err != nil || ok {
		t.Errorf("the Env's function: %v, %v", ok, err)
	}
	if diff := cmp.Diff(map[string]any{"key": "k"}, vars); diff != "" {
		t.Errorf("vars were changed: %s", diff)
	}
	var got []string
	vars["changed"] = func(names ...string) bool { got = names; return true }
	if ok, err := p.Bool(vars); err != nil || !ok {
		t.Errorf("the function of vars: %v, %v", ok, err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
	if ok, err := p.Bool(nil); err != nil || ok {
		t.Errorf("no vars at all: %v, %v", ok, err)
	}
}

func TestBoolSaysWhatItGot(t *testing.T) {
	for src, want := range map[string]string{
		"item.missing": "gave nil, not true or false",
		"item.s":       "gave a string, not true or false",
		"item.n":       "gave a number, not true or false",
		"item.l":       "gave a list, not true or false",
		"item":         "gave a map, not true or false",
	} {
		p, err := expr.CompileBool(src, rule)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		_, err = p.Bool(map[string]any{"item": decode(t, `{"s":"hidden","n":1,"l":[]}`)})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

func TestUses(t *testing.T) {
	p, err := expr.Compile(`changed("eta") && filter(item.list, .key == "item")[0].old ?? true`, rule)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"changed": true, "item": true, "key": false, "old": false, "new": false, "eta": false} {
		if got := p.Uses(name); got != want {
			t.Errorf("Uses(%q) = %v", name, got)
		}
	}
}

func TestLimits(t *testing.T) {
	if _, err := expr.Compile(strings.Repeat(" ", 10_000)+"1", nil); err == nil || !strings.Contains(err.Error(), "10001 bytes") {
		t.Errorf("a long source: %v", err)
	}
	if _, err := expr.Compile("1"+strings.Repeat("+key", 1_500), rule); err == nil || !strings.Contains(err.Error(), "more than 2000 parts") {
		t.Errorf("many nodes: %v", err)
	}
	for _, src := range []string{"len(map(1..2000, map(1..2000, 1)))", "repeat(key, 100000000)", "count(1..100000000)"} {
		p, err := expr.Compile(src, rule)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if _, err := p.Eval(map[string]any{"key": "x"}); err == nil || !strings.Contains(err.Error(), "more than 1000000 elements") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestConcurrentEval(t *testing.T) {
	p, err := expr.Compile(`map(item, # + 1)`, rule)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				got, err := p.Eval(map[string]any{"item": []any{i, i * 10}})
				if diff := cmp.Diff([]any{i + 1, i*10 + 1}, got); diff != "" || err != nil {
					t.Errorf("%v %s", err, diff)
					return
				}
			}
		})
	}
	wg.Wait()
}
