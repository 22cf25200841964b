package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/poller"
)

var listed = differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}

func atOnce(s differ.Settings) differ.Settings {
	s.Changes.ConfirmDeletes = 1
	return s
}

func TestFirstAnswerIsSilent(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2,"s":"a"}]}`)
	b.expect(`{"items":[{"id":1,"s":"b"},{"id":2,"s":"a"}]}`, "s.updated 1@1")
}

func TestAnEmptyFirstAnswerIsABaseline(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[]}`)
	b.expect(`{"items":[{"id":1}]}`, "s.created 1@1")
}

func TestBaselineCanBeTold(t *testing.T) {
	b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{Baseline: differ.Baseline{Emit: true}}}, listed)
	b.expect(`{"items":[{"id":1},{"id":2}]}`, "s.created 1@1", "s.created 2@1")
}

func TestChangesAreToldOnce(t *testing.T) {
	b := newBench(t, atOnce(differ.Settings{}), listed)
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2,"s":"a"},{"id":3,"s":"a"}]}`)
	changed := `{"items":[{"id":4,"s":"n"},{"id":1,"s":"b"},{"id":3,"s":"a"}]}`
	b.expect(changed, "s.created 4@1", "s.updated 1@1", "s.deleted 2@1")
	commits := len(b.store.commits)
	b.expect(changed)
	b.expect(`{"items":[{"id":3,"s":"a"},{"id":1,"s":"b"},{"id":4,"s":"n"}],"time":1}`)
	b.restart()
	b.expect(changed)
	if len(b.store.commits) != commits {
		t.Error("an answer that changes nothing was committed")
	}
}

// What comes back to the very bytes that it had before is a change each time.
func TestBackAndForthIsTold(t *testing.T) {
	const a, b = `{"items":[{"id":1,"s":"a"}],"n":%d}`, `{"items":[{"id":1,"s":"b"}],"n":%d}`
	bench := newBench(t, differ.Settings{}, listed)
	n := 0
	next := func(body string) string { n++; return fmt.Sprintf(body, n) }
	bench.expect(next(a))
	for revision := 1; revision < 8; revision += 2 {
		bench.expect(next(a)) // its spelling is known now
		bench.expect(next(b), fmt.Sprintf("s.updated 1@%d", revision))
		bench.expect(next(a), fmt.Sprintf("s.updated 1@%d", revision+1))
	}
}

func TestSpellingIsNoChange(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1,"price":112.13,"name":"é","deep":{"a":1,"b":[1,2]}}]}`)
	b.expect(`{"items":[{"deep":{"b":[1.0,2e0],"a":1},"name":"\u00e9","price":112.1300,"id":1.0}]}`)
	b.expect(`{"items":[{"id":1,"price":112.13,"name":"é","deep":{"a":1,"b":[2,1]}}]}`, "s.updated 1@1")
}

func TestEveryDigitCounts(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1,"n":9007199254740992}]}`)
	b.expect(`{"items":[{"id":1,"n":9007199254740993}]}`, "s.updated 1@1")
	e := b.store.commits[1].Events[0]
	if want := `{"id":1,"n":9007199254740993}`; string(e.New) != want {
		t.Errorf("new is %s, want %s", e.New, want)
	}
	if want := `[{"op":"replace","path":"/n","value":9007199254740993}]`; string(e.Diff) != want {
		t.Errorf("diff is %s, want %s", e.Diff, want)
	}
}

func TestPickAndIgnore(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "status", Value: "last.code"}, {Key: "meta", Value: "meta"}}
	r.Ignore = []string{"meta.at", "meta.*.count"}
	b := newBench(t, differ.Settings{}, r)
	b.expect(`{"items":[{"id":1,"last":{"code":"A"},"noise":1,"meta":{"at":1,"x":{"count":1,"v":1}}}]}`)
	b.expect(`{"items":[{"id":1,"last":{"code":"A"},"noise":2,"meta":{"at":2,"x":{"count":2,"v":1}}}]}`)
	b.expect(`{"items":[{"id":1,"last":{"code":"B"},"noise":3,"meta":{"at":3,"x":{"count":3,"v":1}}}]}`, "s.updated 1@1")
	e := b.store.commits[1].Events[0]
	if want := `{"status":"B","meta":{"x":{"v":1}}}`; string(e.New) != want {
		t.Errorf("new is %s, want %s", e.New, want)
	}
	b.expect(`{"items":[{"id":1,"meta":{"at":3,"x":{"count":3,"v":1}}}]}`, "s.updated 1@2")
}

func TestWholeDocument(t *testing.T) {
	b := newBench(t, differ.Settings{}, differ.ResponseSettings{Ignore: []string{"time"}})
	b.expect(`{"temp":20.5,"time":1}`)
	b.expect(`{"temp":20.5,"time":2}`)
	b.expect(`{"temp":21,"time":3}`, "s.updated s@1")

	byID := newBench(t, atOnce(differ.Settings{}), differ.ResponseSettings{ID: differ.Paths{"trip"}})
	byID.expect(`{"trip":"x","s":1}`)
	byID.expect(`{"trip":"y","s":1}`, "s.created y@1", "s.deleted x@1")
}

func TestCompositeIDsDoNotMix(t *testing.T) {
	r := differ.ResponseSettings{Items: "@this", ID: differ.Paths{"a", "b"}}
	b := newBench(t, differ.Settings{}, r)
	b.expect(`[]`)
	b.expect(`[{"a":"x/y","b":"z"},{"a":"x","b":"y/z"},{"a":7,"b":"8"}]`, "s.created x~1y/z@1", "s.created x/y~1z@1", "s.created 7/8@1")
}

func TestDeletionIsConfirmed(t *testing.T) {
	const both, one = `{"items":[{"id":1},{"id":2}]}`, `{"items":[{"id":1}]}`
	b := newBench(t, differ.Settings{}, listed)
	b.expect(both)
	b.expect(one)
	b.expect(both)
	b.expect(one)
	b.expect(`{"items":[{"id":1,"x":1}]}`, "s.updated 1@1", "s.deleted 2@1")
	b.expect(`{"items":[{"id":1,"x":1},{"id":2}]}`, "s.created 2@2")
}

func TestTheSameAnswerConfirmsADeletion(t *testing.T) {
	for name, again := range map[string]*poller.Answer{
		"the same bytes": {Source: "s", Status: 200, Pages: [][]byte{[]byte(`{"items":[{"id":1}]}`)}},
		"304":            {Source: "s", Status: 304, Unmodified: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 3}}, listed)
			b.expect(`{"items":[{"id":1},{"id":2}]}`)
			b.expect(`{"items":[{"id":1}]}`)
			for _, want := range [][]string{nil, {"s.deleted 2@1"}, nil} {
				if err := b.differ.Take(t.Context(), again); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, b.events()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// An absence that was counted in memory only must not be forgotten behind an
// ETag: until it is confirmed, none is stored.
func TestNoValidatorIsStoredWhileADeletionWaits(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	take := func(body, etag string) {
		a := b.answer(body)
		a.Bookmarks = poller.Bookmarks{Request: "r", ETag: etag}
		if err := b.differ.Take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	take(`{"items":[{"id":1,"s":1},{"id":2}]}`, "one")
	if marks := b.restart(); marks["s"].ETag != "one" {
		t.Fatalf("stored ETag is %q, want that of the baseline", marks["s"].ETag)
	}
	take(`{"items":[{"id":1,"s":2}]}`, "two")
	if marks := b.restart(); marks["s"].ETag != "" {
		t.Errorf("ETag %q is stored though a deletion waits to be confirmed", marks["s"].ETag)
	}
}

func TestFaultyAnswersChangeNothing(t *testing.T) {
	const good = `{"items":[{"id":1,"s":"a"},{"id":2,"s":"a"}]}`
	b := newBench(t, atOnce(differ.Settings{}), listed)
	b.expect(good)
	for body, want := range map[string]string{
		`{}`:                              "nothing is at items",
		`{"error":"limit reached"}`:       "nothing is at items",
		`{"items":null}`:                  "a list was expected at items, not null",
		`{"items":{}}`:                    "a list was expected at items, not an object",
		`{"items":"x"}`:                   "a list was expected at items, not text",
		`{"items":7}`:                     "not a number",
		`{"items":false}`:                 "not true or false",
		`{"items":[{"id":1,"s":"b"},{}]}`: "number 2 has no id at id",
		`{"items":[{"id":null}]}`:         "number 1 has no id at id",
		`{"items":[{"id":""}]}`:           "number 1 has no id at id",
		`{"items":[{"id":{"x":1}}]}`:      "number 1 has no id at id",
		`{"items":[{"id":3},{"id":"3"}]}`: `the id "3" is there twice`,
		`{"items":[{"id":1,"s":"b"},{"id":1,"s":"b"}]}`:          `the id "1" is there twice`,
		`{"items":[{"id":"` + strings.Repeat("k", 4097) + `"}]}`: "an id of 4097 bytes",
		`{"items":[1,2]}`: "number 1 has no id at id",
	} {
		f := b.refused(body)
		if f.Class != poller.ClassItems || !strings.Contains(f.Error(), want) {
			t.Errorf("%s: got %v, want class items and %q", body, f, want)
		}
		b.expect(good)
	}
	b.expect(`{"items":[{"id":1,"s":"c"},{"id":2,"s":"a"}]}`, "s.updated 1@1")
}

func TestUnknownItems(t *testing.T) {
	r := listed
	r.ItemOK = `item.error == nil`
	b := newBench(t, atOnce(differ.Settings{}), r)
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2,"s":"a"}]}`)
	b.expect(`{"items":[{"id":1,"error":"x"},{"id":2,"s":"b"}]}`, "s.updated 2@1")
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2,"s":"b"}]}`)
	// An unknown item without an id could be any: nothing counts as gone.
	b.expect(`{"items":[{"error":"x"},{"id":2,"s":"c"}]}`, "s.updated 2@2")
	b.expect(`{"items":[{"id":2,"s":"c"}]}`, "s.deleted 1@1")
}

func TestRules(t *testing.T) {
	r := listed
	r.Pick = ordered.Map[string]{{Key: "status", Value: "s"}, {Key: "price", Value: "p"}}
	rules := ordered.Map[differ.RuleSettings]{
		{Key: "done", Value: differ.RuleSettings{On: []string{"updated"}, When: `new.status == "DL"`, To: []string{"shop"}}},
		{Key: "fell", Value: differ.RuleSettings{When: `change == "updated" && pct(old.price, new.price) <= -5`, To: []string{"slack", "shop"}}},
		{Key: "any", Value: differ.RuleSettings{When: `changed("status") || item.flag == true`}},
		{Key: "new", Value: differ.RuleSettings{On: []string{"created"}, When: `old == {} && key == "9" && source == "s" && revision == 1 && type == "new"`}},
	}
	b := newBench(t, atOnce(differ.Settings{Events: rules}), r)
	b.expect(`{"items":[{"id":1,"s":"OD","p":100},{"id":2,"s":"OD","p":100}]}`)
	b.expect(`{"items":[{"id":1,"s":"DL","p":100},{"id":2,"s":"OD","p":95}]}`, "done 1@1", "any 1@1", "fell 2@1")
	b.expect(`{"items":[{"id":1,"s":"DL","p":95.1},{"id":2,"s":"OD","p":95},{"id":9,"s":"OD"}]}`, "done 1@2", "any 9@1", "new 9@1")
	b.expect(`{"items":[{"id":1,"s":"DL","p":95.2,"flag":true},{"id":2,"s":"OD","p":95},{"id":9,"s":"OD"}]}`, "done 1@3", "any 1@3")

	var to []string
	for _, body := range b.store.commits[1].Events[2].Bodies {
		to = append(to, body.Endpoint)
	}
	if want := []string{"slack", "shop"}; !slices.Equal(to, want) {
		t.Errorf("the event goes to %v, want %v", to, want)
	}
}

func TestARuleThatFailsStopsNoOther(t *testing.T) {
	rules := ordered.Map[differ.RuleSettings]{
		{Key: "bad", Value: differ.RuleSettings{When: `new.s + 1 > 2`}},
		{Key: "good", Value: differ.RuleSettings{}},
	}
	b := newBench(t, differ.Settings{Events: rules}, listed)
	b.expect(`{"items":[{"id":1,"s":"a"}]}`)
	b.expect(`{"items":[{"id":1,"s":"b"}]}`, "good 1@1")
	b.expect(`{"items":[{"id":1,"s":7}]}`, "bad 1@2", "good 1@2")
}

// What the commit's answer says and what it did are two things: both ways
// round, one change is told exactly once.
func TestUnknownOutcomeOfACommit(t *testing.T) {
	lost := errors.New("the connection went away")
	for name, set := range map[string]func(*recorder, error){
		"it was applied": func(r *recorder, err error) { r.after = err },
		"it was not":     func(r *recorder, err error) { r.before = err },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, atOnce(differ.Settings{}), listed)
			b.expect(`{"items":[{"id":1,"s":"a"},{"id":2}]}`)
			const changed = `{"items":[{"id":1,"s":"b"},{"id":3}]}`
			set(b.store, lost)
			if err := b.differ.Take(t.Context(), b.answer(changed)); !errors.Is(err, lost) {
				t.Fatalf("got %v, want the store's error", err)
			}
			set(b.store, nil)
			if err := b.differ.Take(t.Context(), b.answer(changed)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"s.updated 1@1", "s.created 3@1", "s.deleted 2@1"}, b.events()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			b.expect(changed)
		})
	}
}

func TestNewShapeIsANewSilentBaseline(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1,"s":"a","t":1}]}`)
	b.expect(`{"items":[{"id":1,"s":"b","t":1}]}`, "s.updated 1@1")
	a := b.answer(`{"items":[{"id":1,"s":"b","t":2}]}`)
	a.Bookmarks = poller.Bookmarks{Request: "r", ETag: "e"}
	if err := b.differ.Take(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	b.events()

	r := listed
	r.Pick = ordered.Map[string]{{Key: "state", Value: "s"}}
	if marks := b.configure(differ.Settings{}, r); marks["s"].ETag != "" {
		t.Error("the validators of the old shape are still used")
	}
	b.expect(`{"items":[{"id":1,"s":"c","t":3},{"id":2,"s":"a"}]}`)
	b.expect(`{"items":[{"id":1,"s":"d","t":3},{"id":2,"s":"a"}]}`, "s.updated 1@3")
}

func TestUnmodifiedNeedsSomethingToStandFor(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	err := b.differ.Take(t.Context(), &poller.Answer{Source: "s", Status: 304, Unmodified: true})
	if err == nil || !strings.Contains(err.Error(), "304") {
		t.Errorf("got %v, want a failure that names the status", err)
	}
}

func TestPreviewWritesNothing(t *testing.T) {
	b := newBench(t, differ.Settings{}, listed)
	b.expect(`{"items":[{"id":1,"s":"a"},{"id":2}]}`)
	p, err := b.differ.Preview(t.Context(), b.answer(`{"items":[{"id":1,"s":"b"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []differ.Explained{{Key: "1", Change: differ.Updated, Revision: 1, Rules: []differ.Ruled{
		{Rule: "s.created", Verdict: differ.RuleNotOn}, {Rule: "s.updated", Verdict: differ.RuleTold}, {Rule: "s.deleted", Verdict: differ.RuleNotOn}}}}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(p.Events) != 1 || !json.Valid(p.Events[0].Diff) || len(p.Others) != 1 || p.Others[0].Guard != differ.GuardAbsent {
		t.Errorf("preview is %+v", p)
	}
	if len(b.store.commits) != 1 {
		t.Error("something was committed")
	}
}

// A list that the path makes by itself was not part of the body that was
// checked.
func TestComputedItemsAreCheckedToo(t *testing.T) {
	r := differ.ResponseSettings{Items: "p.@fromstr", ID: differ.Paths{"id"}}
	b := newBench(t, differ.Settings{}, r)
	for _, list := range []string{
		`[{"id":1,"x":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}]`,
		`[{"id":1,"a":1,"a":2}]`,
	} {
		text, _ := json.Marshal(list)
		if f := b.refused(`{"p":` + string(text) + `}`); f.Class != poller.ClassItems {
			t.Errorf("%.30s: %v", list, f)
		}
	}
	b.expect(`{"p":"[{\"id\":1}]"}`)
	b.expect(`{"p":"[{\"id\":1,\"s\":2}]"}`, "s.updated 1@1")
}

var unlessErr = differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}, ItemOK: "item.err == nil"}

func TestABlindAnswerConfirmsNoDeletionHoweverOftenItComes(t *testing.T) {
	b := newBench(t, differ.Settings{}, unlessErr)
	b.expect(`{"items":[{"id":1},{"id":2}]}`)
	b.expect(`{"items":[{"id":1}]}`)
	for range 3 {
		b.expect(`{"items":[{"id":1},{"err":"x"}]}`)
	}
	if err := b.differ.Take(t.Context(), &poller.Answer{Source: "s", Status: 304, Unmodified: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.events(); got != nil {
		t.Errorf("told %v by an answer that must not count", got)
	}
	b.expect(`{"items":[{"id":1}]}`, "s.deleted 2@1")
}

func TestNoValidatorIsStoredWhileAnItemIsUnknown(t *testing.T) {
	b := newBench(t, differ.Settings{}, unlessErr)
	take := func(body, etag string) string {
		a := b.answer(body)
		a.Bookmarks = poller.Bookmarks{Request: "r", ETag: etag}
		if err := b.differ.Take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return b.restart()["s"].ETag
	}
	if got := take(`{"items":[{"id":1,"v":1},{"id":2}]}`, "one"); got != "one" {
		t.Errorf("after a whole answer: %q", got)
	}
	for etag, body := range map[string]string{
		"two":   `{"items":[{"id":1,"v":2},{"id":2,"err":"x"}]}`,
		"three": `{"items":[{"id":1,"v":3},{"err":"x"}]}`,
	} {
		if got := take(body, etag); got != "" {
			t.Errorf("%s: ETag %q is stored", body, got)
		}
	}
}

func TestANewShapeKeepsRevisionsOfWhatItDoesNotShow(t *testing.T) {
	b := newBench(t, atOnce(differ.Settings{}), unlessErr)
	b.expect(`{"items":[{"id":1,"s":1},{"id":2,"s":1}]}`)
	b.expect(`{"items":[{"id":1,"s":2},{"id":2,"s":2}]}`, "s.updated 1@1", "s.updated 2@1")
	b.expect(`{"items":[{"id":1,"s":2}]}`, "s.deleted 2@2")
	r := unlessErr
	r.Pick = ordered.Map[string]{{Key: "state", Value: "s"}}
	b.configure(atOnce(differ.Settings{}), r)
	b.expect(`{"items":[{"id":1,"err":"x"}]}`)
	b.restart()
	b.expect(`{"items":[{"id":1,"s":2},{"id":2,"s":2}]}`, "s.created 1@2", "s.created 2@3")
}

func TestGoneItemsAreForgottenInTheEnd(t *testing.T) {
	s := atOnce(differ.Settings{})
	s.Changes.MaxDeletes, s.Changes.MaxEvents = differ.Share{Of: 1, Set: true}, 1_000_000
	b := newBench(t, s, differ.ResponseSettings{Items: "@this", ID: differ.Paths{"@this"}})
	const most, page = 100_000, 10_000
	list := func(from int) string {
		ids := make([]int, page)
		for i := range ids {
			ids[i] = from + i
		}
		text, _ := json.Marshal(ids)
		return string(text)
	}
	for i := range 13 {
		b.take(list(i * page))
		b.store.commits, b.seen = nil, 0
	}
	if n := differ.Remembered(b.differ, "s"); n > most+page {
		t.Errorf("%d items remembered, of which %d are there", n, page)
	}
	b.expect("["+list(12 * page)[1:len(list(12*page))-1]+",0]", "s.created 0@1") // forgotten
	got := b.take("[" + list(12 * page)[1:len(list(12*page))-1] + ",110000]")
	if want := []string{"s.created 110000@3", "s.deleted 0@2"}; !slices.Equal(got, want) { // remembered
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestARuleThatFailsForEveryItemIsLoggedOnce(t *testing.T) {
	var log strings.Builder
	b := newBench(t, differ.Settings{}, listed)
	b.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
	b.configure(differ.Settings{Events: ordered.Map[differ.RuleSettings]{{Key: "dear", Value: differ.RuleSettings{When: "new.p > 5"}}}}, listed)
	list := func(p int) string {
		var items []string
		for i := range 500 {
			items = append(items, fmt.Sprintf(`{"id":%d,"p":"%d"}`, i, p))
		}
		return `{"items":[` + strings.Join(items, ",") + `]}`
	}
	b.take(list(1))
	b.take(list(2))
	b.take(list(3))
	if n := strings.Count(log.String(), "could not be evaluated"); n != 1 {
		t.Errorf("%d lines, want 1:\n%.600s", n, log.String())
	}
	if !strings.Contains(log.String(), "changes=500") {
		t.Errorf("the line does not say how often: %s", log.String())
	}
}

// What is read anew after a lost reply is counted once.
func TestItemsAreCountedOnceAfterALostReply(t *testing.T) {
	b := newBench(t, atOnce(differ.Settings{}), listed)
	registry := prometheus.NewRegistry()
	b.options.Registerer = registry
	b.restart()
	b.expect(`{"items":[{"id":1},{"id":2},{"id":3}]}`)
	b.store.after = errors.New("reply lost")
	_ = b.differ.Take(t.Context(), b.answer(`{"items":[{"id":1},{"id":2}]}`))
	b.store.after = nil
	b.events()
	b.expect(`{"items":[{"id":1}]}`, "s.deleted 2@1")
	if got := counted(t, registry, "deltahook_items"); got != 1 {
		t.Errorf("%v items are counted, want 1", got)
	}
}
