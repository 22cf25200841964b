package differ_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/canon"
)

func TestDiffSays(t *testing.T) {
	for _, test := range []struct{ name, before, after, want string }{
		{"nothing", `{"a":1}`, `{"a":1}`, `[]`},
		{"nothing but spelling", `{"a":1.0,"b":"é"}`, `{"b":"\u00e9","a":1}`, `[]`},
		{"a field", `{"status":"OD","eta":1}`, `{"status":"DL","eta":1}`, `[{"op":"replace","path":"/status","value":"DL"}]`},
		{"digits as sent", `{"p":112.13}`, `{"p":112.1400}`, `[{"op":"replace","path":"/p","value":112.1400}]`},
		{"large numbers", `{"n":9007199254740992}`, `{"n":9007199254740993}`, `[{"op":"replace","path":"/n","value":9007199254740993}]`},
		{"come and gone", `{"a":1,"b":2}`, `{"b":2,"c":{"x": [1, 2]}}`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/c","value":{"x":[1,2]}}]`},
		{"null is not absent", `{"a":null}`, `{}`, `[{"op":"remove","path":"/a"}]`},
		{"names to escape", `{"a/b":1,"m~n":1}`, `{"a/b":2,"m~n":2}`, `[{"op":"replace","path":"/a~1b","value":2},{"op":"replace","path":"/m~0n","value":2}]`},
		{"put in front", `[1,2,3]`, `[0,1,2,3]`, `[{"op":"add","path":"/0","value":0}]`},
		{"put at the end", `{"s":[1,2]}`, `{"s":[1,2,3]}`, `[{"op":"add","path":"/s/2","value":3}]`},
		{"taken from the middle", `[1,2,3,4]`, `[1,3,4]`, `[{"op":"remove","path":"/1"}]`},
		{"within an element", `[{"id":1,"s":"a"},{"id":2,"s":"a"}]`, `[{"id":1,"s":"a"},{"id":2,"s":"b"}]`, `[{"op":"replace","path":"/1/s","value":"b"}]`},
		{"another kind", `{"a":[1]}`, `{"a":{"0":1}}`, `[{"op":"replace","path":"/a","value":{"0":1}}]`},
		{"the root", `1`, `"1"`, `[{"op":"replace","path":"","value":"1"}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(differ.Diff([]byte(test.before), []byte(test.after))); got != test.want {
				t.Errorf("from %s to %s:\n got %s\nwant %s", test.before, test.after, got, test.want)
			}
		})
	}
}

// values draws JSON values, small enough to be alike often.
func values() *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{`1`, `1.0`, `2`, `-3.50`, `true`, `null`, `"a"`, `"\u0061"`, `"a/b~c"`, `""`, `9007199254740993`})
	names := rapid.SampledFrom([]string{`a`, `b`, `c/d`, `e~f`, `id`})
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return leaf
		}
		return rapid.Custom(func(t *rapid.T) string {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				return leaf.Draw(t, "leaf")
			case 1:
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 5).Draw(t, "list"), ",") + "]"
			}
			var fields []string
			for _, name := range rapid.SliceOfNDistinct(names, 0, 4, rapid.ID).Draw(t, "names") {
				fields = append(fields, `"`+name+`":`+value(depth-1).Draw(t, "field"))
			}
			return "{" + strings.Join(fields, ",") + "}"
		})
	}
	return value(3)
}

func TestDiffAppliedToBeforeIsAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A root that stays an object: the library that applies patches
		// wants one.
		before := `{"root":` + values().Draw(t, "before") + `}`
		after := `{"root":` + values().Draw(t, "after") + `}`
		diff := differ.Diff([]byte(before), []byte(after))
		patch, err := jsonpatch.DecodePatch(diff)
		if err != nil {
			t.Fatalf("%s: %v", diff, err)
		}
		got, err := patch.Apply([]byte(before))
		if err != nil {
			t.Fatalf("%s on %s: %v", diff, before, err)
		}
		if want := canon.Append(nil, []byte(after)); !bytes.Equal(canon.Append(nil, got), want) {
			t.Fatalf("%s\non %s\nis %s\nnot %s", diff, before, got, want)
		}
		same := bytes.Equal(canon.Append(nil, []byte(before)), canon.Append(nil, []byte(after)))
		if same != (string(diff) == "[]") {
			t.Fatalf("%s and %s are the same: %v, but their diff is %s", before, after, same, diff)
		}
	})
}

func TestDiffOfLongArraysStaysBounded(t *testing.T) {
	long := func(step int) []byte {
		list := make([]int, 20_000)
		for i := range list {
			list[i] = i * step
		}
		b, _ := json.Marshal(list)
		return b
	}
	var ops []json.RawMessage
	if err := json.Unmarshal(differ.Diff(long(1), long(7)), &ops); err != nil {
		t.Fatal(err)
	}
	if len(ops) != 19_999 { // only element 0 is the same
		t.Errorf("%d operations, want one for each element that differs", len(ops))
	}
}

// Each operation repeats the names that lead to it, which others chose.
func TestDiffUnderLongNamesStaysBounded(t *testing.T) {
	name := strings.Repeat("n", 32<<10)
	for _, shape := range []func(value string) string{
		func(value string) string { // an object
			var b strings.Builder
			for i := range 2_000 {
				fmt.Fprintf(&b, `,"%d":%s`, i, value)
			}
			return `{"` + name + `":{` + b.String()[1:] + `}}`
		},
		func(value string) string {
			return `{"` + name + `":[` + strings.Repeat(value+",", 2_000) + value + `]}`
		},
		func(value string) string { // longer by far than it was
			return `{"` + name + `":[` + strings.Repeat("0,", 2_000*int(value[0]-'0')) + `0]}`
		},
	} {
		before, after := shape("1"), shape("2")
		patch := differ.Diff([]byte(before), []byte(after))
		if most := 20 * (len(before) + len(after)); len(patch) > most {
			t.Errorf("%d bytes of patch for %d and %d", len(patch), len(before), len(after))
		}
		if !bytes.Equal(patch, []byte(`[{"op":"replace","path":"","value":`+after+`}]`)) {
			t.Errorf("it begins with %.80s", patch)
		}
	}
}

func TestDiffOfDeepValuesStaysBounded(t *testing.T) {
	deep := func(leaf string) []byte {
		return []byte(strings.Repeat(`[`, 900) + `"` + strings.Repeat(leaf, 1<<20) + `"` + strings.Repeat(`]`, 900))
	}
	// Each level compared by its whole text would be 2 GB to read.
	diff := differ.Diff(deep("a"), deep("b"))
	if len(diff) < 1<<20 || len(diff) > 1<<20+10_000 {
		t.Errorf("a diff of %d bytes", len(diff))
	}
}
