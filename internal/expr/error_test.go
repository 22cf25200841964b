package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/expr"
)

func TestBadExpressions(t *testing.T) {
	for src, want := range map[string]string{
		``:                               `the expression is empty`,
		"  \n":                           `the expression is empty`,
		`{{ new.status }}`:               `a bare expression is expected here: write it without {{ }}`,
		`nwe.status == "DL"`:             `column 1: unknown name "nwe" (did you mean "new"?)`,
		`new.statsu == "DL"`:             `column 5: unknown field "statsu" (did you mean "status"?)`,
		`new["statsu"] == "DL"`:          `column 5: unknown field "statsu" (did you mean "status"?)`,
		`old?.statu == "DL"`:             `column 6: unknown field "statu" (did you mean "status"?)`,
		`new.to.town == "Köln"`:          `column 8: unknown field "town" (there are city)`,
		`"é" == new.etta`:                `column 12: unknown field "etta" (did you mean "eta"?)`,
		`changd("eta")`:                  `column 1: unknown name "changd" (did you mean "changed"?)`,
		`lenn(key) > 1`:                  `column 1: unknown name "lenn" (did you mean "len"?)`,
		`zzzzzz`:                         `column 1: unknown name "zzzzzz"`,
		`env.HOME == ""`:                 `column 1: unknown name "env"`,
		`$env["key"] == ""`:              `column 1: unknown name "$env"`,
		"key == 'a' &&\n  foo":           `line 2, column 3: unknown name "foo"`,
		`key = "x"`:                      `column 5: unexpected "=" (did you mean "=="?)`,
		`key == `:                        `column 7: unexpected end of the expression`,
		`(key == "x"`:                    `column 11: unexpected end of the expression`,
		`key == "x")`:                    `column 11: unexpected ")"`,
		`key == "x" "hunter2"`:           `column 12: unexpected string`,
		`key other`:                      `column 5: unexpected "other"`,
		`key == "x`:                      `column 10: literal not terminated`,
		`key @ 1`:                        `column 5: unrecognized character: U+0040 '@'`,
		`key == 3`:                       `column 5: invalid operation: == (mismatched types string and int)`,
		`new.eta > 3`:                    `column 9: invalid operation: > (mismatched types string and int)`,
		`since > 3`:                      `column 7: invalid operation: > (mismatched types time and int)`,
		`changed(1)`:                     `column 9: cannot use int as argument (type string) to call changed`,
		`pct(1)`:                         `column 1: not enough arguments to call pct`,
		`key matches "("`:                "column 5: error parsing regexp: missing closing ): `(`",
		`duration("7x") > now()`:         `column 16: invalid operation: > (mismatched types duration and time)`,
		`since + duration("7x")`:         `gives time, not true or false`,
		`since < now() + duration("7x")`: `column 26: "7x" is not a duration such as 30s, 5m, 2h or 7d`,
		"key == '' &&\n since < now() + duration('7x')": `line 2, column 27: "7x" is not a duration such as 30s, 5m, 2h or 7d`,
		"\n$env == nil":  `line 2, column 1: unknown name "$env"`,
		`key`:            `gives string, not true or false`,
		`1 + 1`:          `gives int, not true or false`,
		`{"a": 1}`:       `gives map, not true or false`,
		`raw(key) == ""`: `column 1: unknown name "raw"`,
	} {
		_, err := expr.CompileBool(src, rule)
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
			continue
		}
		if e, ok := errors.AsType[*expr.Error](err); !ok || strings.Contains(e.Text, "\n") {
			t.Errorf("%s: %#v is not an *Error of one line", src, err)
		}
	}
}

func TestErrorsAtRunTime(t *testing.T) {
	for src, want := range map[string]string{
		`item.a.b`:         `column 8: cannot take "b" of nil (?. takes it where there may be none)`,
		`item.s > 5`:       `column 8: invalid operation: string > int`,
		`item.l[7]`:        `column 7: index out of range: 7 (array length is 1)`,
		`date(item.s)`:     `column 1: invalid date x`,
		`duration(item.s)`: `column 1: "x" is not a duration such as 30s, 5m, 2h or 7d`,
	} {
		p, err := expr.Compile(src, rule)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if _, err := p.Eval(map[string]any{"item": decode(t, `{"s":"x","l":[1]}`)}); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}
