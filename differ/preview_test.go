package differ_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

func TestPreviewHasTheFirstItems(t *testing.T) {
	r := differ.ResponseSettings{
		Items: "items", ID: differ.Paths{"id"}, ItemOK: "item.s != 'broken'",
		Pick: ordered.Map[string]{{Key: "state", Value: "s"}},
	}
	b := newBench(t, differ.Settings{}, r)
	items := []string{`{"id":"x","s":"broken"}`}
	var want []differ.Item
	for i := range 12 {
		items = append(items, fmt.Sprintf(`{"id":%d,"s": "a","more":1}`, i))
		if i < 10 {
			want = append(want, differ.Item{Key: fmt.Sprint(i), Content: []byte(`{"state":"a"}`)})
		}
	}
	p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[`+strings.Join(items, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if p.Listed != 13 || p.Unknown != 1 || !p.Baseline {
		t.Errorf("preview is %+v", p)
	}
}

// A rule that cannot be evaluated would look like one that doesn't match.
func TestPreviewHasTheErrorsOfRules(t *testing.T) {
	rules := ordered.Map[differ.RuleSettings]{
		{Key: "dear", Value: differ.RuleSettings{When: "new.s > 5"}},
		{Key: "any"},
	}
	b := newBench(t, differ.Settings{Events: rules}, listed)
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2,"s":1}]}`)
	p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"s":"b"},{"id":2,"s":9}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Changes {
		for j, r := range p.Changes[i].Rules {
			if (r.Verdict == differ.RuleError) != (r.Error != "") {
				t.Errorf("the error of %+v", r)
			}
			p.Changes[i].Rules[j].Error = ""
		}
	}
	want := []differ.Explained{
		{Key: "1", Change: differ.Updated, Revision: 1, Rules: []differ.Ruled{
			{Rule: "dear", Verdict: differ.RuleError}, {Rule: "any", Verdict: differ.RuleTold}}},
		{Key: "2", Change: differ.Updated, Revision: 1, Rules: []differ.Ruled{
			{Rule: "dear", Verdict: differ.RuleTold}, {Rule: "any", Verdict: differ.RuleTold}}},
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
