package configs_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestSyntaxesDecodeEqual writes random JSON bodies in both syntaxes and
// compares what is read: types, digits, odd keys and all.
func TestSyntaxesDecodeEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tree := mappingOf(3).Draw(rt, "tree")
		y := parse(t, "x.yaml", "sources: {s: {schedule: '@hourly', request: {url: 'https://api.example/', json: "+inline(tree, ": ")+"}}}", nil)
		m := parse(t, "x.toml", "[sources.s]\nschedule = '@hourly'\nrequest = {url = 'https://api.example/', json = "+inline(tree, " = ")+"}", nil)
		a, b := y.Sources["s"].Poll.Request.JSON, m.Sources["s"].Poll.Request.JSON
		if diff := cmp.Diff(a, b); diff != "" {
			rt.Fatalf("the syntaxes differ (-yaml +toml):\n%s", diff)
		}
		if diff := cmp.Diff(a, any(tree)); diff != "" {
			rt.Fatalf("what was read is not what was written (-read +written):\n%s", diff)
		}
	})
}

func mappingOf(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(words(), valueOf(depth), 0, 4)
}

// words are texts that neither ${…} nor {{ }} stand in.
func words() *rapid.Generator[string] {
	odd := rapid.SampledFrom([]string{"", "a.b", "~", "null", "yes", "1", "0x10", "2026-11-23", "<<", "*a", "&a", "- x", "#", "é", "\"", "'", "\\", "\n", " ", "on"})
	return rapid.OneOf(odd, rapid.StringMatching(`[A-Za-z][A-Za-z0-9 _:,.\-\[\]#&*!|>'"%@]{0,12}`))
}

func valueOf(depth int) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Map(words(), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(math.MinInt32, math.MaxInt32), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.IntRange(-1_000_000, 1_000_000), func(n int) any { return float64(n)/8 + 0.0625 }),
	)
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(scalars,
		rapid.Map(mappingOf(depth-1), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(valueOf(depth-1), 0, 4), func(s []any) any { return s }))
}

// inline writes a tree on one line; both syntaxes read double-quoted text.
func inline(v any, assign string) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for k, e := range v {
			parts = append(parts, quote(k)+assign+inline(e, assign))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, inline(e, assign))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return quote(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
