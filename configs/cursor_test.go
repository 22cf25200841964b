package configs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A list of what changed, read as a list of all there is, would delete the
// rest.
func TestDeltasThatWouldDeleteAreWarnedOf(t *testing.T) {
	cfg := parse(t, "x.yaml", `
defaults: {source: {schedule: "@hourly", cursor: {name: c, value: body.c}}}
sources:
  list: {request: {url: "https://api.example/{{ cursor.c }}"}, response: {items: a, id: id}}
  whole: {request: {url: "https://api.example/{{ cursor.c }}"}}
  meant: {request: {url: "https://api.example/{{ cursor.c }}"}, response: {items: a, id: id, absent: deleted}}
  kept: {request: {url: "https://api.example/{{ cursor.c }}"}, response: {items: a, id: id, absent: kept}}
  body: {request: {url: "https://api.example/", json: {a: [{b: "{{ cursor.c }}"}]}}}
  unused: {request: {url: "https://api.example/"}}
`, nil)
	want := []string{
		"x.yaml:2:42: defaults.source.cursor: items that an answer does not list will count as deleted: " +
			"set response.absent to kept where answers list only what changed, or to deleted",
		"x.yaml:2:42: defaults.source.cursor: nothing in the request uses {{ cursor.c }}",
	}
	if diff := cmp.Diff(want, texts(cfg.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
