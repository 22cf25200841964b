package docs_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/emitter"
)

// TestStatesAreDocumented holds the page of whoever runs it to what deliveries
// are shown in, what a replay takes, and what it counts.
func TestStatesAreDocumented(t *testing.T) {
	page := read(t, filepath.Join(root, operations, "README.md"))
	within := func(from, to string) string {
		t.Helper()
		_, text, begun := strings.Cut(page, from)
		text, _, ended := strings.Cut(text, to)
		if !begun || !ended {
			t.Fatalf("the page has nothing from %q to %q", from, to)
		}
		return text
	}
	states := within("| state | meaning |\n|---|---|\n", "\n\n")
	replayed := within("`--state` says", "\n")
	for _, state := range append(emitter.States(), emitter.AnyState) {
		if slices.Contains(emitter.States(), state) && !strings.Contains(states, "| `"+string(state)+"` |") {
			t.Errorf("the table of states lacks %s", state)
		}
		order := emitter.ReplayOrder{All: true, State: state}
		if takes := order.Check() == nil; takes != strings.Contains(replayed, "`"+string(state)+"`") {
			t.Errorf("a replay takes the state %s: %t, and the page says otherwise", state, takes)
		}
	}
	if n := strings.Count(states, "\n") + 1; n != len(emitter.States()) {
		t.Errorf("the table has %d states of %d", n, len(emitter.States()))
	}
	counts := within("The answer counts: ", "\n")
	found := 0
	fields := append(reflect.VisibleFields(reflect.TypeFor[emitter.Replayed]()), reflect.VisibleFields(reflect.TypeFor[emitter.ReplayJob]())...)
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() != reflect.Int || name == "-" {
			continue
		}
		if found++; !strings.Contains(counts, "`"+name+"`") {
			t.Errorf("what a replay counts lacks %s", name)
		}
	}
	if found < 7 {
		t.Errorf("only %d counts were found", found)
	}
}
