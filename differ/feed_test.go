package differ_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/poller"
)

// shop is a source "orders" whose items name the watch keys of "parcels".
type shop struct {
	t      *testing.T
	store  differ.Store
	from   differ.FeedSettings
	pick   ordered.Map[string]
	differ *differ.Differ
	told   int // times that parcels were told of
	now    time.Time
}

func newShop(t *testing.T, from differ.FeedSettings) *shop {
	s := &shop{t: t, store: mem.New(), from: from, now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	s.from.Source = "orders"
	s.pick = ordered.Map[string]{{Key: "parcel", Value: "p"}, {Key: "carrier", Value: "c"}}
	s.restart()
	return s
}

func (s *shop) restart() {
	s.t.Helper()
	orders, err := differ.NewSource("orders", differ.Settings{Changes: differ.ChangeSettings{ConfirmDeletes: 1, MaxDeletes: differ.Share{Of: 1, Set: true}}},
		differ.ResponseSettings{Items: "list", ID: differ.Paths{"id"}, ItemOK: "item.error == nil", Pick: s.pick}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	parcels, err := differ.NewSource("parcels", differ.Settings{Watch: differ.WatchSettings{From: s.from}}, differ.ResponseSettings{}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.differ = differ.New([]*differ.Source{orders, parcels}, s.store, nil, differ.Options{})
	if _, err := s.differ.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	err = s.differ.LoadFeeds(s.t.Context(), func(source string) {
		if source != "parcels" {
			s.t.Errorf("told of %s", source)
		}
		s.told++
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// answer plays an answer with items written ID=PARCEL@CARRIER, where PARCEL may
// be JSON, or "error", which item_ok refuses.
func (s *shop) answer(watch, items string) error {
	s.now = s.now.Add(time.Minute)
	var list []string
	for item := range strings.FieldsSeq(items) {
		id, rest, _ := strings.Cut(item, "=")
		parcel, carrier, _ := strings.Cut(rest, "@")
		if parcel == "error" {
			list = append(list, fmt.Sprintf(`{"id":%q,"error":1}`, id))
			continue
		}
		if !strings.ContainsAny(parcel[:min(1, len(parcel))], `["1{n`) {
			parcel = fmt.Sprintf("%q", parcel)
		}
		list = append(list, fmt.Sprintf(`{"id":%q,"p":%s,"c":%q}`, id, parcel, carrier))
	}
	a := &poller.Answer{Source: "orders", Status: 200, Received: s.now, Pages: [][]byte{[]byte(`{"list":[` + strings.Join(list, ",") + `]}`)}}
	if watch != "" {
		a.Keys = []string{watch}
	}
	return s.differ.Take(s.t.Context(), a)
}

// expect plays an answer, and holds which keys it names then, and whether
// parcels are told.
func (s *shop) expect(items string, told bool, want string) {
	s.t.Helper()
	s.told = 0
	if err := s.answer("", items); err != nil {
		s.t.Fatalf("%s: %v", items, err)
	}
	if s.told > 1 || (s.told == 1) != told {
		s.t.Errorf("%s: told %d times, want %v", items, s.told, told)
	}
	s.named(want, true)
}

// named holds which keys are named, now and after a restart.
func (s *shop) named(want string, settled bool) {
	s.t.Helper()
	for _, when := range []string{"now", "after a restart"} {
		keys, ok := s.differ.Named("parcels")
		if diff := cmp.Diff(want, strings.Join(keys, " ")); diff != "" || ok != settled {
			s.t.Errorf("%s: settled %v; keys (-want +got):\n%s", when, ok, diff)
		}
		s.restart()
	}
}

func TestFeed(t *testing.T) {
	s := newShop(t, differ.FeedSettings{Path: "parcel", When: `new.carrier == "fedex"`})
	s.named("", false)
	s.expect("1=a@fedex 2=b@ups 3=c@fedex 4=a@fedex", true, "a c")
	s.expect("1=a@fedex 2=b@ups 3=c@fedex 4=a@fedex 5=c@fedex", false, "a c")
	s.expect("1=x@fedex 2=b@fedex 3=c@fedex 4=a@fedex 5=c@fedex", true, "a b c x")
	s.expect("1=x@fedex 2=b@fedex 3=error 4=a@fedex 5=c@ups", false, "a b c x")
	s.expect("1=x@fedex 2=b@fedex 4=a@fedex", true, "a b x")
	s.expect("1=a@fedex 2=b@fedex 4=x@fedex", false, "a b x")
	s.expect("", true, "")
	s.expect(`1=["l","m",["n","l",null,{}]]@fedex 2=null@fedex 3=17.0@fedex 4=""@fedex 5="\u0007"@fedex`, true, "17 l m n")
	s.expect(`1="\u0020a\u00a0"@fedex 2=a@fedex 3="\u0020"@fedex`, true, "a")
}

// Other settings of the items, and a reset, leave open which keys there are,
// until the next answer.
func TestFeedOfOtherSettings(t *testing.T) {
	s := newShop(t, differ.FeedSettings{Path: "parcel"})
	s.expect("1=a@x 2=b@x", true, "a b")
	s.pick = append(s.pick, ordered.Entry[string]{Key: "number", Value: "p"})
	s.from.Path = "number"
	s.restart()
	s.named("", false)
	s.expect("1=a@x 3=c@x", true, "a c")

	s.now = s.now.Add(time.Minute)
	if err := s.differ.Take(t.Context(), &poller.Answer{Source: "orders", Status: 410, Received: s.now, Reset: true}); err != nil {
		t.Fatal(err)
	}
	if keys, settled := s.differ.Named("parcels"); settled || strings.Join(keys, " ") != "a c" {
		t.Errorf("after a reset %q are named, settled %v", keys, settled)
	}
	s.restart()
	if _, settled := s.differ.Named("parcels"); settled {
		t.Error("after a reset and a restart the keys are settled")
	}
	s.expect("1=d@x", true, "d")
}

// The source that is read may have watch keys of its own; what is forgotten of
// them names nothing any more.
func TestFeedOfAWatchSource(t *testing.T) {
	s := newShop(t, differ.FeedSettings{Path: "parcel", When: `watch != "eu"`})
	for watch, items := range map[string]string{"us": "1=a@x 2=b@x", "asia": "1=b@x", "eu": "1=z@x"} {
		if err := s.answer(watch, items); err != nil {
			t.Fatal(err)
		}
	}
	s.named("a b", true)
	s.told = 0
	if err := s.differ.Forget(t.Context(), "orders", "us"); err != nil {
		t.Fatal(err)
	}
	if s.told != 1 {
		t.Errorf("told %d times, want once", s.told)
	}
	s.named("b", true)
}

// unsure is a store whose commits happen, but sometimes say that they didn't.
type unsure struct {
	*mem.Store
	lie bool
}

func (u *unsure) Commit(ctx context.Context, c *differ.Commit) error {
	err := u.Store.Commit(ctx, c)
	if u.lie && err == nil {
		return errors.New("the reply was lost")
	}
	return err
}

// A commit whose outcome is unknown is read again.
func TestFeedOfACommitThatWasLost(t *testing.T) {
	s := newShop(t, differ.FeedSettings{Path: "parcel"})
	u := &unsure{Store: mem.New()}
	s.store = u
	s.restart()
	s.expect("1=a@x", true, "a")
	u.lie = true
	if err := s.answer("", "1=a@x 2=b@x"); err == nil {
		t.Fatal("the commit did not fail")
	}
	u.lie = false
	s.expect("1=a@x 2=b@x", true, "a b")
}

// What is wrong between sources, and what is not.
func TestFeedSettings(t *testing.T) {
	read := map[string]differ.ResponseSettings{
		"orders": {Pick: ordered.Map[string]{{Key: "parcel", Value: "p"}}}, "whole": {}, "a": {}, "b": {}, "c": {},
	}
	for _, c := range []struct {
		from map[string]differ.FeedSettings
		want string
	}{
		{map[string]differ.FeedSettings{"a": {Source: "orders", Path: "parcel.number"}}, ""},
		{map[string]differ.FeedSettings{"a": {Source: "whole", Path: "anything", When: "new.x == 1"}}, ""},
		{map[string]differ.FeedSettings{"a": {Source: "orders", Path: "@this|parcel"}}, ""},
		{map[string]differ.FeedSettings{"a": {Source: "a", Path: "x"}}, "fault a.watch.from.source: the source itself: its keys would come of its own items"},
		{map[string]differ.FeedSettings{"a": {Source: "b", Path: "x"}, "b": {Source: "c", Path: "x"}, "c": {Source: "a", Path: "x"}}, "fault a.watch.from.source: a circle: a <- b <- c <- a"},
		{map[string]differ.FeedSettings{"c": {Source: "a", Path: "x"}, "a": {Source: "b", Path: "x"}, "b": {Source: "a", Path: "x"}}, "fault a.watch.from.source: a circle: a <- b <- a"},
		{map[string]differ.FeedSettings{"a": {Source: "orders", Path: "parcels"}}, `fault a.watch.from.path: "parcels" is not among the fields that response.pick of orders names (did you mean "parcel"?)`},
		{map[string]differ.FeedSettings{"a": {Source: "orders", Path: "parcel", When: "new.carrier == 1"}}, `fault a.watch.from.when: column 5: unknown field "carrier"`},
		{map[string]differ.FeedSettings{"a": {Source: "whole", Path: "x", When: "new."}}, ""}, // told by the source's own check
	} {
		r := fault.New()
		differ.CheckFeeds(r, c.from, read)
		var all []string
		for _, f := range r.All() {
			all = append(all, fmt.Sprint("fault ", strings.Join(f.Path, "."), ": ", f.Text))
		}
		if got := strings.Join(all, "\n"); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: %q, want %q", c.from, got, c.want)
		}
	}
}
