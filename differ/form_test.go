package differ_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
)

func numbers(of ...any) (out ordered.Map[differ.NumberSettings]) {
	for i := 0; i < len(of); i += 2 {
		tolerance, _ := of[i+1].(float64)
		out = append(out, ordered.Entry[differ.NumberSettings]{Key: of[i].(string), Value: differ.NumberSettings{Tolerance: tolerance}})
	}
	return out
}

// last is the event that was committed last.
func (b *bench) last() differ.Event {
	b.t.Helper()
	for _, c := range slices.Backward(b.store.commits) {
		if events := c.Events; len(events) > 0 {
			return events[len(events)-1]
		}
	}
	b.t.Fatal("no event was committed")
	return differ.Event{}
}

// says holds the last event against what it must say.
func (b *bench) says(before, after, diff string) {
	b.t.Helper()
	e := b.last()
	if string(e.Old) != before || string(e.New) != after || string(e.Diff) != diff {
		b.t.Errorf("told\nold  %s\nnew  %s\ndiff %s\nwant\nold  %s\nnew  %s\ndiff %s", e.Old, e.New, e.Diff, before, after, diff)
	}
}

func TestNumbersThatAreText(t *testing.T) {
	r := listed
	r.Numbers = numbers("price", nil, "quotes.#.p", nil)
	s := differ.Settings{Events: ordered.Map[differ.RuleSettings]{
		{Key: "dear", Value: differ.RuleSettings{When: "new.price > 1000 && old.price <= 1000"}},
	}}
	b := newBench(t, s, r)
	b.expect(`{"items":[{"id":1,"price":"112.1300","quotes":[{"p":"-5.39%"}]}]}`)
	b.expect(`{"items":[{"id":1,"price":"+112.13","quotes":[{"p":-5.390}]}]}`)
	b.expect(`{"items":[{"id":1,"price":" 1,112.1300 ","quotes":[{"p":"-5.39%"}]}]}`, "dear 1@1")
	b.says(`{"id":1,"price":112.1300,"quotes":[{"p":-5.39}]}`, `{"id":1,"price":1112.1300,"quotes":[{"p":-5.39}]}`,
		`[{"op":"replace","path":"/price","value":1112.1300}]`)
	b.expect(`{"items":[{"id":1,"price":"N/A","quotes":[]}]}`) // the rule cannot compare a text
	b.restart()
	b.expect(`{"items":[{"id":1,"price":"n/a","quotes":[]}]}`)
	if got := len(b.store.commits); got != 4 {
		t.Errorf("%d commits: what is no number stays text", got)
	}
}

func TestDecimalComma(t *testing.T) {
	r := listed
	r.Numbers = ordered.Map[differ.NumberSettings]{{Key: "p", Value: differ.NumberSettings{Decimal: ",", Tolerance: 0.1}}}
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"p":"1.234,5"}]}`)
	b.expect(`{"items":[{"id":1,"p":1234.5}]}`)
	b.expect(`{"items":[{"id":1,"p":"1.234,6"}]}`)
	b.expect(`{"items":[{"id":1,"p":"1.234,61"}]}`, "s.updated 1@1")
	b.says(`{"id":1,"p":1234.5}`, `{"id":1,"p":1234.61}`, `[{"op":"replace","path":"/p","value":1234.61}]`)
}

func TestDriftAddsUp(t *testing.T) {
	r := listed
	r.Numbers = numbers("p", 0.1)
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"p":100}]}`)
	b.expect(`{"items":[{"id":1,"p":"100.04"}]}`)
	b.expect(`{"items":[{"id":1,"p":"100.08"}]}`)
	b.restart()
	b.expect(`{"items":[{"id":1,"p":"100.1"}]}`)
	b.expect(`{"items":[{"id":1,"p":"100.12"}]}`, "s.updated 1@1")
	b.says(`{"id":1,"p":100}`, `{"id":1,"p":100.12}`, `[{"op":"replace","path":"/p","value":100.12}]`)
	b.expect(`{"items":[{"id":1,"p":"100.02"}]}`)
}

// What is tolerated costs a read once for each spelling, and never a write.
func TestToleratedIsReadOnceAndWritesNothing(t *testing.T) {
	r := listed
	r.Numbers = numbers("**.p", 0.1)
	b := newBench(t, atOnce(differ.Settings{}), r)
	reads := 0
	b.store.Store = &counting{b.store.Store, &reads}
	n := 0
	body := func(items string) string { n++; return fmt.Sprintf(`{"items":[%s],"n":%d}`, items, n) }
	b.expect(body(`{"id":1,"deep":[{"p":5}]},{"id":2,"v":1}`))
	for _, step := range []struct {
		item  string
		reads int
	}{
		{`{"id":1,"deep":[{"p":5.01}]}`, 1},
		{`{"id":1,"deep":[{"p":5.01}]}`, 0},
		{`{"id":1,"deep":[{"p":5.02}]}`, 1},
		{`{"id":1,"deep":[{"p":5}]}`, 0},
		{`{"id":1,"deep":[{"p":5.02}]}`, 1},
	} {
		before := reads
		b.expect(body(step.item + `,{"id":2,"v":1}`))
		if reads-before != step.reads {
			t.Errorf("%s: %d reads, want %d", step.item, reads-before, step.reads)
		}
	}
	b.restart()
	b.expect(body(`{"id":1,"deep":[{"p":5.02}]},{"id":2,"v":1}`))
	before := reads
	b.expect(body(`{"id":1,"deep":[{"p":5.02}]},{"id":2,"v":2}`), "s.updated 2@1")
	if reads-before != 1 {
		t.Errorf("%d reads, want that of item 2 alone", reads-before)
	}
	if len(b.store.commits) != 2 {
		t.Errorf("%d commits, want the baseline and item 2", len(b.store.commits))
	}
	b.expect(body(`{"id":1,"deep":[{"p":5.02},{"p":1}]},{"id":2,"v":2}`), "s.updated 1@1")
	b.says(`{"id":1,"deep":[{"p":5}]}`, `{"id":1,"deep":[{"p":5.02},{"p":1}]}`,
		`[{"op":"replace","path":"/deep/0/p","value":5.02},{"op":"add","path":"/deep/1","value":{"p":1}}]`)
}

type counting struct {
	differ.Store
	reads *int
}

func (c *counting) Items(ctx context.Context, unit string, keys []string) ([]differ.Item, error) {
	*c.reads += len(keys)
	return c.Store.Items(ctx, unit, keys)
}

func TestToleranceWithinLists(t *testing.T) {
	r := listed
	r.Lists = ordered.Map[differ.ListSettings]{{Key: "fees", Value: differ.ListSettings{ID: differ.Paths{"kind", "zone"}}}}
	r.Unordered = []string{"prices"}
	r.Numbers = numbers("fees.#.amount", 0.5, "prices", 1.0)
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":1,"amount":1},{"kind":"a","zone":2,"amount":9}],"prices":[100,101]}]}`)
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":2.0,"amount":"9.5"},{"kind":"a","zone":1,"amount":0.5}],"prices":[100.9,100.1]}]}`)
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":1,"amount":1},{"kind":"a","zone":2,"amount":9}],"prices":[100.9,99.5]}]}`)
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":1,"amount":1},{"kind":"a","zone":2,"amount":9}],"prices":[101.9,100.9]}]}`)
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":1,"amount":1},{"kind":"a","zone":2,"amount":9}],"prices":[101.9,101.8]}]}`, "s.updated 1@1")
	b.expect(`{"items":[{"id":1,"fees":[{"kind":"a","zone":1,"amount":9},{"kind":"a","zone":2,"amount":1}],"prices":[101.9,101.8]}]}`, "s.updated 1@2")
}

func TestChangedFollowsTheComparison(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "p", Value: "p"}, {Key: "s", Value: "s"}, {Key: "t", Value: "t"}, {Key: "n", Value: "n"}}
	r.Carry = ordered.Map[string]{{Key: "at", Value: "at"}}
	r.Numbers = numbers("p", 0.1)
	r.IgnoreCase, r.Unordered, r.NullIsAbsent = []string{"s"}, []string{"t"}, true
	rules := ordered.Map[differ.RuleSettings]{}
	for _, name := range append(r.Pick.Keys(), "at") {
		rules = append(rules, ordered.Entry[differ.RuleSettings]{Key: name, Value: differ.RuleSettings{When: fmt.Sprintf("changed(%q)", name)}})
	}
	b := newBench(t, differ.Settings{Events: rules}, r)
	b.expect(`{"items":[{"id":1,"p":1,"s":"a","t":[1,2],"n":null,"at":"x"}]}`)
	b.expect(`{"items":[{"id":1,"p":1.1,"s":"A","t":[2,1],"at":"y"}]}`)
	b.expect(`{"items":[{"id":1,"p":1.1,"s":"B","t":[2,1],"at":"z"}]}`, "s 1@1", "at 1@1")
	b.says(`{"p":1,"s":"a","t":[1,2],"n":null,"at":"x"}`, `{"p":1.1,"s":"B","t":[1,2],"at":"z"}`,
		`[{"op":"replace","path":"/p","value":1.1},{"op":"replace","path":"/s","value":"B"},{"op":"remove","path":"/n"},{"op":"replace","path":"/at","value":"z"}]`)
	b.expect(`{"items":[{"id":1,"p":1.3,"s":"b","t":[2,3],"n":0,"at":"z"}]}`, "p 1@2", "t 1@2", "n 1@2")
}

func TestUnorderedListsAreToldWithTheLeastDifference(t *testing.T) {
	r := listed
	r.Unordered = []string{"tags", "deep.*.tags"}
	for name, c := range map[string]struct{ before, after, told, diff string }{
		"a new one where the known ones moved": {
			`"tags":["a","b","c"]`, `"tags":["d","c","a","b"]`, `"tags":["a","b","c","d"]`,
			`[{"op":"add","path":"/tags/3","value":"d"}]`,
		},
		"a new one where they did not": {
			`"tags":["a","b","c"]`, `"tags":["a","d","b","c"]`, `"tags":["a","d","b","c"]`,
			`[{"op":"add","path":"/tags/1","value":"d"}]`,
		},
		"one that went": {
			`"tags":["a","b","c"]`, `"tags":["c","a"]`, `"tags":["a","c"]`,
			`[{"op":"remove","path":"/tags/1"}]`,
		},
		"one more of the same": {
			`"tags":["a","b"]`, `"tags":["b","b","a"]`, `"tags":["a","b","b"]`,
			`[{"op":"add","path":"/tags/2","value":"b"}]`,
		},
		"in an element of a list that has an order": {
			`"deep":[{"v":1,"tags":[1,2]},{"v":2,"tags":[3,4]}]`, `"deep":[{"v":0},{"v":1,"tags":[2,1]},{"v":2,"tags":[4,3]}]`,
			`"deep":[{"v":0},{"v":1,"tags":[1,2]},{"v":2,"tags":[3,4]}]`,
			`[{"op":"add","path":"/deep/0","value":{"v":0}}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, differ.Settings{}, r)
			b.expect(`{"items":[{"id":1,` + c.before + `}]}`)
			b.expect(`{"items":[{"id":1,`+c.after+`}]}`, "s.updated 1@1")
			b.says(`{"id":1,`+c.before+`}`, `{"id":1,`+c.told+`}`, c.diff)
			b.expect(`{"items":[{"id":1,` + c.told + `}],"again":1}`)
		})
	}
}

func TestListsWithIDsTellWhichElement(t *testing.T) {
	r := listed
	r.Lists = ordered.Map[differ.ListSettings]{
		{Key: "scans", Value: differ.ListSettings{ID: differ.Paths{"eventId"}}},
		{Key: "scans.#.notes", Value: differ.ListSettings{ID: differ.Paths{"n"}}},
	}
	for name, c := range map[string]struct{ before, after, told, diff string }{
		"the newest first": {
			`[{"eventId":2,"s":"b"},{"eventId":1,"s":"a"}]`, `[{"eventId":3,"s":"c"},{"eventId":2,"s":"b"},{"eventId":1,"s":"a"}]`,
			`[{"eventId":3,"s":"c"},{"eventId":2,"s":"b"},{"eventId":1,"s":"a"}]`,
			`[{"op":"add","path":"/scans/0","value":{"eventId":3,"s":"c"}}]`,
		},
		"one changed and all moved": {
			`[{"eventId":1,"s":"a"},{"eventId":2,"s":"b"},{"eventId":3,"s":"c"}]`, `[{"eventId":"3","s":"C"},{"eventId":1,"s":"a"},{"eventId":2,"s":"b"}]`,
			`[{"eventId":1,"s":"a"},{"eventId":2,"s":"b"},{"eventId":"3","s":"C"}]`,
			`[{"op":"replace","path":"/scans/2/eventId","value":"3"},{"op":"replace","path":"/scans/2/s","value":"C"}]`,
		},
		"another in its place": {
			`[{"eventId":1,"s":"a"},{"eventId":2,"s":"b"}]`, `[{"eventId":4,"s":"a"},{"eventId":2,"s":"b"}]`,
			`[{"eventId":4,"s":"a"},{"eventId":2,"s":"b"}]`,
			`[{"op":"add","path":"/scans/0","value":{"eventId":4,"s":"a"}},{"op":"remove","path":"/scans/1"}]`,
		},
		"the first went, the second changed": {
			`[{"eventId":1},{"eventId":2,"s":"b"},{"eventId":3}]`, `[{"eventId":2,"s":"B"},{"eventId":3}]`, `[{"eventId":2,"s":"B"},{"eventId":3}]`,
			`[{"op":"remove","path":"/scans/0"},{"op":"replace","path":"/scans/0/s","value":"B"}]`,
		},
		"a list in a list": {
			`[{"eventId":1,"notes":[{"n":1,"t":"x"},{"n":2,"t":"y"}]},{"eventId":2}]`, `[{"eventId":2},{"eventId":1,"notes":[{"n":2,"t":"z"},{"n":1,"t":"x"}]}]`,
			`[{"eventId":1,"notes":[{"n":1,"t":"x"},{"n":2,"t":"z"}]},{"eventId":2}]`,
			`[{"op":"replace","path":"/scans/0/notes/1/t","value":"z"}]`,
		},
		"an id that is there twice": {
			`[{"eventId":1,"s":"a"},{"eventId":1,"s":"b"},{"eventId":2}]`, `[{"eventId":2},{"eventId":1,"s":"b"},{"eventId":1,"s":"c"}]`,
			`[{"eventId":1,"s":"b"},{"eventId":2},{"eventId":1,"s":"c"}]`,
			`[{"op":"remove","path":"/scans/0"},{"op":"add","path":"/scans/2","value":{"eventId":1,"s":"c"}}]`,
		},
		"elements without an id": {
			`[{"s":"a"},"x",{"eventId":2}]`, `["x",{"eventId":2},{"s":"b"}]`, `["x",{"eventId":2},{"s":"b"}]`,
			`[{"op":"remove","path":"/scans/0"},{"op":"add","path":"/scans/2","value":{"s":"b"}}]`,
		},
		"all of them others": {
			`[{"eventId":1}]`, `[{"eventId":2}]`, `[{"eventId":2}]`,
			`[{"op":"add","path":"/scans/0","value":{"eventId":2}},{"op":"remove","path":"/scans/1"}]`,
		},
		"no list any more": {
			`[{"eventId":1}]`, `null`, `null`, `[{"op":"replace","path":"/scans","value":null}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, differ.Settings{}, r)
			b.expect(`{"items":[{"id":1,"scans":` + c.before + `}]}`)
			b.expect(`{"items":[{"id":1,"scans":`+c.after+`}]}`, "s.updated 1@1")
			b.says(`{"id":1,"scans":`+c.before+`}`, `{"id":1,"scans":`+c.told+`}`, c.diff)
		})
	}
}

func TestTheOrderOfAListWithIDsIsNoChange(t *testing.T) {
	r := listed
	r.Lists = ordered.Map[differ.ListSettings]{{Key: "scans", Value: differ.ListSettings{ID: differ.Paths{"e"}}}}
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"scans":[{"e":1},{"e":2},{"x":1},{"x":1}]}]}`)
	b.expect(`{"items":[{"id":1,"scans":[{"x":1},{"e":2},{"x":1},{"e":1}]}]}`)
	b.expect(`{"items":[{"id":1,"scans":[{"x":1},{"e":2},{"e":1}]}]}`, "s.updated 1@1")
}

func TestIgnoreCaseAndNull(t *testing.T) {
	r := listed
	r.IgnoreCase, r.NullIsAbsent = []string{"s", "list.#"}, true
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"s":"In Transit","list":["A"],"x":null}]}`)
	b.expect(`{"items":[{"id":1,"s":"IN TRANSIT","list":["a"]}]}`)
	b.expect(`{"items":[{"id":1,"s":"in transit","list":["a"],"x":null,"y":null}]}`)
	b.expect(`{"items":[{"id":1,"s":"in transit","list":["a"],"X":1,"y":null}]}`, "s.updated 1@1")
	b.says(`{"id":1,"s":"In Transit","list":["A"],"x":null}`, `{"id":1,"s":"in transit","list":["a"],"X":1,"y":null}`,
		`[{"op":"replace","path":"/s","value":"in transit"},{"op":"replace","path":"/list/0","value":"a"},{"op":"remove","path":"/x"},{"op":"add","path":"/X","value":1},{"op":"add","path":"/y","value":null}]`)
}

func TestCarriedIsToldAndNoChange(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "status", Value: "status"}}
	r.Carry = ordered.Map[string]{{Key: "city", Value: "scan.city"}, {Key: "a.b*", Value: "note"}}
	s := differ.Settings{Events: ordered.Map[differ.RuleSettings]{
		{Key: "moved", Value: differ.RuleSettings{When: `new.city == "Ulm" && old.city == "Bonn"`}},
	}}
	b := newBench(t, s, r)
	b.expect(`{"items":[{"id":1,"status":"a","scan":{"city":"Bonn"},"note":1}]}`)
	b.expect(`{"items":[{"id":1,"status":"a","scan":{"city":"Mainz"},"note":2}]}`)
	b.expect(`{"items":[{"id":1,"status":"b","scan":{"city":"Ulm"}}]}`, "moved 1@1")
	b.says(`{"status":"a","city":"Bonn","a.b*":1}`, `{"status":"b","city":"Ulm"}`,
		`[{"op":"replace","path":"/status","value":"b"},{"op":"replace","path":"/city","value":"Ulm"},{"op":"remove","path":"/a.b*"}]`)
}

// Edits of the configuration: which of them make the remembered items
// meaningless, and so have the next answer remembered anew without a word.
func TestEditsOfTheComparison(t *testing.T) {
	base := func() differ.ResponseSettings {
		r := listed
		r.Pick = ordered.Map[string]{{Key: "p", Value: "p"}, {Key: "l", Value: "l"}}
		r.Numbers, r.Unordered, r.IgnoreCase = numbers("p", nil, "l.#.p", nil), []string{"l", "l.#.m"}, []string{"l.#.s"}
		return r
	}
	for name, c := range map[string]struct {
		edit func(*differ.ResponseSettings)
		anew bool
	}{
		"none":            {func(*differ.ResponseSettings) {}, false},
		"tolerance":       {func(r *differ.ResponseSettings) { r.Numbers = numbers("p", 0.5, "l.#.p", nil) }, false},
		"carry":           {func(r *differ.ResponseSettings) { r.Carry = ordered.Map[string]{{Key: "c", Value: "c"}} }, false},
		"order of paths":  {func(r *differ.ResponseSettings) { r.Unordered = []string{"l.#.m", "l", "l"} }, false},
		"order of fields": {func(r *differ.ResponseSettings) { r.Numbers = numbers("l.#.p", nil, "p", nil) }, false},
		"how elements are told apart": {func(r *differ.ResponseSettings) {
			r.Unordered, r.Lists = []string{"l.#.m"}, ordered.Map[differ.ListSettings]{{Key: "l", Value: differ.ListSettings{ID: differ.Paths{"id"}}}}
		}, false},
		"numbers":        {func(r *differ.ResponseSettings) { r.Numbers = numbers("p", nil) }, true},
		"decimal":        {func(r *differ.ResponseSettings) { r.Numbers[0].Value.Decimal = "," }, true},
		"decimal given":  {func(r *differ.ResponseSettings) { r.Numbers[0].Value.Decimal = "." }, false},
		"unordered":      {func(r *differ.ResponseSettings) { r.Unordered = nil }, true},
		"ignore_case":    {func(r *differ.ResponseSettings) { r.IgnoreCase = nil }, true},
		"null_is_absent": {func(r *differ.ResponseSettings) { r.NullIsAbsent = true }, true},
		"pick":           {func(r *differ.ResponseSettings) { r.Pick = append(r.Pick, ordered.Entry[string]{Key: "q", Value: "q"}) }, true},
		"the format":     {func(r *differ.ResponseSettings) { r.Decoding = "{}" }, true},
		"all but pick": {func(r *differ.ResponseSettings) {
			*r = differ.ResponseSettings{Items: r.Items, ID: r.ID, Pick: r.Pick}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, differ.Settings{}, base())
			b.expect(`{"items":[{"id":1,"p":"1.5","l":[]}]}`)
			edited := base()
			c.edit(&edited)
			b.configure(differ.Settings{}, edited)
			var want []string
			if !c.anew {
				want = []string{"s.updated 1@1"}
			}
			b.expect(`{"items":[{"id":1,"p":"7.5","l":[]}]}`, want...)
		})
	}
}

func TestAnEditOfWhatIsCarriedIsNoChange(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "s", Value: "s"}}
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"s":1,"c":7}]}`)
	r.Carry = ordered.Map[string]{{Key: "c", Value: "c"}}
	b.configure(differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"s":1,"c":7}]}`)
	b.expect(`{"items":[{"id":1,"s":2,"c":8}]}`, "s.updated 1@1")
	b.says(`{"s":1}`, `{"s":2,"c":8}`, `[{"op":"replace","path":"/s","value":2},{"op":"add","path":"/c","value":8}]`)
}

// What is tolerated is a sample of the history still, also where a preview was
// the first to see it.
func TestToleratedIsSampled(t *testing.T) {
	r := listed
	r.Numbers = numbers("p", 1.0)
	s := differ.Settings{Events: ordered.Map[differ.RuleSettings]{{Key: "rose", Value: differ.RuleSettings{When: `window("p", "1h").max == 1.4`}}}}
	s.Changes.History = ordered.Map[units.Duration]{{Key: "p", Value: units.Duration(time.Hour)}}
	b := newBench(t, s, r)
	b.expect(`{"items":[{"id":1,"p":"1","v":1}]}`)
	if _, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"p":"1.4","v":1}]}`)); err != nil {
		t.Fatal(err)
	}
	b.expect(`{"items":[{"id":1,"p":"1.4","v":1}]}`)
	b.expect(`{"items":[{"id":1,"p":"1.2","v":2}]}`, "rose 1@1")
}

// An item that differs by what is tolerated must not be forgotten as one that
// no answer lists.
func TestToleratedIsRenewed(t *testing.T) {
	r := deltas()
	r.ForgetAfter = units.Duration(time.Hour)
	r.Numbers = numbers("p", 1.0)
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"p":1}]}`)
	for i := range 8 {
		b.received = b.received.Add(20 * time.Minute)
		b.expect(fmt.Sprintf(`{"items":[{"id":1,"p":1.%d}]}`, i+1))
		b.restart()
		b.received = b.received.Add(20 * time.Minute)
		b.expect(`{"items":[]}`)
	}
	b.expect(`{"items":[{"id":1,"p":3}]}`, "s.updated 1@1")
	b.says(`{"id":1,"p":1}`, `{"id":1,"p":3}`, `[{"op":"replace","path":"/p","value":3}]`)
}

// Lists that lie in each other and say at every level that order counts for
// nothing must not be read once for each level.
func TestDeepUnorderedValuesStayBounded(t *testing.T) {
	r := differ.ResponseSettings{Unordered: []string{"**.t"}, Numbers: numbers("**.p", 1.0)}
	b := newBench(t, differ.Settings{}, r)
	deep := func(leaf string) string {
		return strings.Repeat(`{"t":[`, 450) + `"` + strings.Repeat(leaf, 1<<20) + `"` + strings.Repeat(`]}`, 450)
	}
	b.expect(deep("a"))
	b.expect(deep("b"), "s.updated s@1")
}
