package canon_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/internal/canon"
)

func TestCanonicalFormIsOneForEqualValues(t *testing.T) {
	for _, same := range [][]string{
		{`{"a":1,"b":2}`, `{ "b" : 2, "a" : 1 }`, `{"b":2.0,"a":10e-1}`, `{"\u0061":1,"b":2}`},
		{`{"x":{"q":[1,{"z":1,"y":2}],"p":null}}`, `{"x":{"p":null,"q":[1.0,{"y":2,"z":1}]}}`},
		{`"é/\""`, `"\u00e9\/\u0022"`},
		{`"😀"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`},
		{`"\ud800"`, `"\uD800"`},
		{`0`, `-0`, `0.000`, `0e99`, `-0.0e-7`},
		{`1e3`, `1000`, `1000.00`, `0.1e4`, `1E+3`},
		{`1e400`, `10e399`, `0.1e401`},
		{`[]`, `[ ]`, "[\n\t]"},
		{`{}`, `{ }`},
		{`[true,false,null,"a"]`, "[ true , false ,\r\n null,\"a\" ]"},
	} {
		want := canon.Append(nil, []byte(same[0]))
		for _, other := range same[1:] {
			if got := canon.Append(nil, []byte(other)); !bytes.Equal(got, want) {
				t.Errorf("%s is %s, but %s is %s", same[0], want, other, got)
			}
		}
	}
}

func TestCanonicalFormTellsDifferentValuesApart(t *testing.T) {
	for _, pair := range [][2]string{
		{`9007199254740992`, `9007199254740993`},
		{`0.1`, `0.10000000000000000001`},
		{`1`, `"1"`},
		{`1`, `-1`},
		{`1e20`, `1e21`},
		{`null`, `{}`},
		{`{"a":null}`, `{}`},
		{`[1,2]`, `[2,1]`},
		{`""`, `" "`},
		{`"\ud800"`, `"\ud801"`},
		{`"\ud800"`, `"\\ud800"`},
		{`"é"`, `"e\u0301"`},
	} {
		a, b := canon.Append(nil, []byte(pair[0])), canon.Append(nil, []byte(pair[1]))
		if bytes.Equal(a, b) {
			t.Errorf("%s and %s are both %s", pair[0], pair[1], a)
		}
	}
}

func TestNumberKeepsItsValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lit := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "lit")
		got := string(canon.Number(nil, []byte(lit)))
		want, _ := new(big.Rat).SetString(lit)
		have, ok := new(big.Rat).SetString(got)
		if !ok || want.Cmp(have) != 0 {
			t.Fatalf("%s became %s", lit, got)
		}
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s became %s, which is not JSON", lit, got)
		}
		if again := string(canon.Number(nil, []byte(got))); again != got {
			t.Fatalf("%s, then %s", got, again)
		}
	})
}

func TestNumberWithSenselessExponentStaysSmall(t *testing.T) {
	for _, lit := range []string{"1e999999999999", "1e-999999999999", "1e999999999"} {
		if got := canon.Number(nil, []byte(lit)); len(got) > 20 {
			t.Errorf("%s became %d bytes", lit, len(got))
		}
	}
}

func TestValidRefuses(t *testing.T) {
	for body, want := range map[string]string{
		``:                               "ends too early at byte 0",
		`   `:                            "ends too early at byte 3",
		`{"a":1`:                         "ends too early at byte 6",
		`{"a":[1,2`:                      "ends too early at byte 9",
		`{"a":"x`:                        "ends too early at byte 7",
		`<html>`:                         "a JSON value was expected at byte 0",
		`{"a":1}{"b":2}`:                 "unexpected text after the value at byte 7",
		`{"a":1,"a":2}`:                  `the name "a" twice, at byte 0`,
		`[{"a":1,"\u0061":2}]`:           `the name "a" twice, at byte 1`,
		`{'a':1}`:                        "a name in double quotes was expected at byte 1",
		`[1,]`:                           "a JSON value was expected at byte 3",
		`[01]`:                           "a comma or ] was expected at byte 2",
		`[1.]`:                           "a digit was expected at byte 3",
		`[-]`:                            "a digit was expected at byte 2",
		`[1e]`:                           "a digit was expected at byte 3",
		`["\x"]`:                         "an unknown escape at byte 3",
		`["\u12g4"]`:                     "four hexadecimal digits were expected at byte 6",
		"[\"a\nb\"]":                     "a control character in a string at byte 3",
		"[\"a\xff\"]":                    "not UTF-8 at byte 3",
		`NaN`:                            "a JSON value was expected",
		`nul`:                            "a JSON value was expected",
		strings.Repeat("[", 100_000):     "nested too deep",
		"{" + manyNames(40) + `,"n7":0}`: `the name "n7" twice`,
	} {
		err := canon.Valid([]byte(body))
		var syntax *canon.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", body, err, want)
		}
	}
}

func manyNames(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, `"n`+string(canon.Number(nil, []byte(big.NewInt(int64(i)).String())))+`":1`)
	}
	return strings.Join(parts, ",")
}

func TestCompactDrops(t *testing.T) {
	const body = `{ "transactionId": "x", "n": 1.10, "list": [ {"id":1,"t":5}, {"id":2,"t":6} ],
		"deep": {"a": {"at": 1, "keep": 2}, "at": 3}, "dot.ted": 1, "only": {"t": 1} }`
	for _, test := range []struct{ paths, want string }{
		{"", `{"transactionId":"x","n":1.10,"list":[{"id":1,"t":5},{"id":2,"t":6}],"deep":{"a":{"at":1,"keep":2},"at":3},"dot.ted":1,"only":{"t":1}}`},
		{"transactionId list.#.t", `{"n":1.10,"list":[{"id":1},{"id":2}],"deep":{"a":{"at":1,"keep":2},"at":3},"dot.ted":1,"only":{"t":1}}`},
		{"list.0 deep.*.at", `{"transactionId":"x","n":1.10,"list":[{"id":2,"t":6}],"deep":{"a":{"keep":2},"at":3},"dot.ted":1,"only":{"t":1}}`},
		{"**.at list dot\\.ted", `{"transactionId":"x","n":1.10,"deep":{"a":{"keep":2}},"only":{"t":1}}`},
		{"trans*Id list.* only.t deep", `{"n":1.10,"list":[],"dot.ted":1,"only":{}}`},
		{"n.x absent list.9", `{"transactionId":"x","n":1.10,"list":[{"id":1,"t":5},{"id":2,"t":6}],"deep":{"a":{"at":1,"keep":2},"at":3},"dot.ted":1,"only":{"t":1}}`},
		{"*", `{}`},
	} {
		var paths canon.Paths
		for path := range strings.FieldsSeq(test.paths) {
			if err := paths.Add(path, canon.Sense{Drop: true}); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(canon.Compact(nil, []byte(body), &paths)); got != test.want {
			t.Errorf("without %s:\n got %s\nwant %s", test.paths, got, test.want)
		}
	}
}

func TestPathsRefuse(t *testing.T) {
	for _, path := range []string{"", "a..b", ".a", "a.", `a\`, "a.**"} {
		if new(canon.Paths).Add(path, canon.Sense{Drop: true}) == nil {
			t.Errorf("%q was taken", path)
		}
	}
}

// FuzzValid holds Valid against encoding/json, and the copies against what
// encoding/json makes of the original.
func FuzzValid(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,{"b":null}],"c":"\u00e9\n"}`, `[]`, `"\ud800"`, `-0.0e-7`, `{"a":1,"a":2}`, `{"z":1,"a":{"y":1,"b":[true,false]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := canon.Valid(body)
		if err == nil && !json.Valid(body) {
			t.Fatalf("encoding/json refuses %q", body)
		}
		if err != nil {
			return
		}
		compact := canon.Compact(nil, body, nil)
		if !reflect.DeepEqual(decode(t, compact), decode(t, body)) {
			t.Fatalf("compact: %q became %q", body, compact)
		}
		canonical := canon.Append(nil, body)
		if err := canon.Valid(canonical); err != nil {
			t.Fatalf("canonical form %q of %q: %v", canonical, body, err)
		}
		if again := canon.Append(nil, canonical); !bytes.Equal(again, canonical) {
			t.Fatalf("%q, then %q", canonical, again)
		}
		if fromCompact := canon.Append(nil, compact); !bytes.Equal(fromCompact, canonical) {
			t.Fatalf("%q by way of the compact form is %q", canonical, fromCompact)
		}
	})
}

func decode(t *testing.T, body []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return v
}

func list(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"item-` + big.NewInt(int64(i)).String() + `","status":"in transit","price":112.1300,"seen":{"at":"2026-11-23T10:00:00Z","by":"carrier"},"tags":["a","b"],"weight":28.8}`)
	}
	b.WriteString(`]`)
	return b.Bytes()
}

func BenchmarkValid(b *testing.B) {
	body := list(1400)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := canon.Valid(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	body := list(1400)
	var out []byte
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		out = canon.Append(out[:0], body)
	}
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	body := list(1400)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		json.Valid(body)
	}
}
