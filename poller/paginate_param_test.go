package poller_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/poller"
)

func TestSetQuery(t *testing.T) {
	for _, c := range [][4]string{
		{"", "a", "1", "a=1"},
		{"b=2", "a", "1", "b=2&a=1"},
		{"a=0&b=2&a=3", "a", "x y", "a=x%20y&b=2"},
		{"a&b=%zz", "a", "", "a=&b=%zz"},
		{"b=+&%61=0", "a", "1", "b=+&a=1"},
		{"&&b", "p[x]", "1", "b&p%5Bx%5D=1"},
	} {
		if got := poller.SetQuery(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%q in %q: %q, want %q", c[1], c[0], got, c[3])
		}
	}
}

// FuzzSetQuery: the parameter has the value, and no other changed.
func FuzzSetQuery(f *testing.F) {
	f.Add("a=1&b=%20&a=2", "a", "x")
	f.Add("&;=%", "", "&")
	f.Fuzz(func(t *testing.T, query, name, value string) {
		before, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		after, err := url.ParseQuery(poller.SetQuery(query, name, value))
		if err != nil {
			t.Fatal(err)
		}
		before.Set(name, value)
		if !maps.EqualFunc(before, after, slices.Equal) {
			t.Errorf("%q: got %v, want %v", query, after, before)
		}
	})
}

func TestSetJSON(t *testing.T) {
	for _, c := range [][4]string{
		{`{}`, "a", `"x"`, `{"a":"x"}`},
		{`{"a":{"b":1.10},"z":"<"}`, "a.c.d", `[1e400,null]`, `{"a":{"b":1.10,"c":{"d":[1e400,null]}},"z":"<"}`},
		{`{"a":null}`, "a.b", `1`, `{"a":{"b":1}}`},
		{`{"a":[]}`, "a.b", `1`, `there is no mapping at "a"`},
		{`[]`, "a", `1`, `there is no mapping at ""`},
		{``, "a", `1`, "the body is not JSON"},
	} {
		got, err := poller.SetJSON([]byte(c[0]), strings.Split(c[1], "."), json.RawMessage(c[2]))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != c[3] {
			t.Errorf("%s in %s: %s, want %s", c[1], c[0], got, c[3])
		}
	}
}
