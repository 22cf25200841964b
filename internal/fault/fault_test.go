package fault_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/fault"
)

func TestReport(t *testing.T) {
	r := fault.New()
	source := r.At("sources", "a.b")
	source.At("schedule").Errorf("%q is none", "x")
	rule := source.At("events", "moved")
	rule.At("to").Index(1).Errorf("no such endpoint")
	rule.At("when").Warnf("always true")
	source.At("request", "url").Errorf("is missing") // rule's path must not show through
	want := []fault.Fault{
		{Path: []string{"sources", "a.b", "schedule"}, Text: `"x" is none`},
		{Path: []string{"sources", "a.b", "events", "moved", "to", "1"}, Text: "no such endpoint"},
		{Path: []string{"sources", "a.b", "events", "moved", "when"}, Text: "always true", Warning: true},
		{Path: []string{"sources", "a.b", "request", "url"}, Text: "is missing"},
	}
	if diff := cmp.Diff(want, r.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBranchesDoNotShare makes two reports of one: neither may write into the
// other's path.
func TestBranchesDoNotShare(t *testing.T) {
	r := fault.New().At("a", "b", "c")
	one, two := r.At("one"), r.At("two")
	one.Errorf("x")
	two.Errorf("y")
	want := []fault.Fault{
		{Path: []string{"a", "b", "c", "one"}, Text: "x"},
		{Path: []string{"a", "b", "c", "two"}, Text: "y"},
	}
	if diff := cmp.Diff(want, r.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
