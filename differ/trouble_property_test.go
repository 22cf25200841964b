package differ_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// drawTroubled draws settings in which the features of a source meet.
func drawTroubled(t *rapid.T, patient bool) (s differ.Settings, r differ.ResponseSettings) {
	yes := func(what string) bool { return rapid.Bool().Draw(t, what) }
	r = differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}
	if yes("pick") {
		r.Pick = ordered.Map[string]{{Key: "v", Value: "v"}, {Key: "tags", Value: "tags"}, {Key: "s", Value: "s"}}
		if yes("carry") {
			r.Carry = ordered.Map[string]{{Key: "c", Value: "c"}}
		}
	} else {
		r.Ignore = []string{"c"}
	}
	if yes("tolerance") {
		r.Numbers = numbers("v", differ.NumberSettings{Tolerance: 2})
	}
	if yes("unordered") {
		r.Unordered = []string{"tags"}
	}
	if yes("null") {
		r.NullIsAbsent = true
	}
	if yes("case") {
		r.IgnoreCase = []string{"s"}
	}
	if yes("item_ok") {
		r.ItemOK = "item.ok != false"
	}
	if yes("kept") {
		r.Absent = "kept"
		if yes("forget") {
			r.ForgetAfter = units.Duration(20 * time.Minute)
		}
	}
	if yes("deleted_when") {
		r.DeletedWhen = "item.gone == true"
	}
	c := &s.Changes
	c.ConfirmDeletes, c.Confirm = 1, 1
	if patient { // what a restart begins anew
		c.ConfirmDeletes, c.Confirm = rapid.IntRange(1, 3).Draw(t, "confirm_deletes"), rapid.IntRange(1, 3).Draw(t, "confirm")
	}
	if yes("limit deletes") {
		c.MaxDeletes = differ.Share{Set: true, Count: rapid.IntRange(0, 2).Draw(t, "max_deletes")}
	}
	if yes("limit events") {
		c.MaxEvents = rapid.IntRange(2, 5).Draw(t, "max_events")
	}
	if yes("release_after") {
		c.ReleaseAfter = rapid.IntRange(1, 4).Draw(t, "release_after")
	}
	if yes("history") {
		c.History = history("v", 10*time.Minute)
	}
	if yes("expect") {
		c.ExpectWithin = units.Duration(time.Hour)
	}
	s.Events = drawTroubledRules(t, len(c.History) > 0)
	if yes("at") {
		s.Events = append(s.Events, timed)
	}
	return s, r
}

// timed is a rule whose timers are noted; its times never come here.
var timed = rule("rule.at", differ.RuleSettings{At: "1795424400 + new.v*60"})

// drawTroubledRules draws rules that edits may replace by others.
func drawTroubledRules(t *rapid.T, history bool) (rules ordered.Map[differ.RuleSettings]) {
	whens := []string{"", "change == 'deleted' || new.v > 3", "change != 'deleted' && new.v % 2 == 0", "change != 'deleted' && new.v > 4 - (now().Minute() / 10)", `changed("v", "s")`}
	if history {
		whens = append(whens, `change != 'deleted' && pct(window("v", "5m").max, new.v) < -10`, `change != 'deleted' && new.v == window("v", "10m").first`)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		r := differ.RuleSettings{When: rapid.SampledFrom(whens).Draw(t, "when")}
		if rapid.Bool().Draw(t, "enter") {
			r.Trigger = "enter"
		}
		if rapid.Bool().Draw(t, "cooldown") {
			r.Cooldown = units.Duration(7 * time.Minute)
		}
		if rapid.IntRange(0, 3).Draw(t, "some kinds") == 0 {
			r.On = []string{"created", "updated"}
		}
		rules = append(rules, rule(fmt.Sprintf("rule.%d", i), r))
	}
	return rules
}

// drawItems draws an answer over a few items.
func drawItems(t *rapid.T) string {
	var items []string
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		fate := rapid.IntRange(0, 9).Draw(t, "fate of "+id)
		if fate < 2 {
			continue
		}
		fields := []string{fmt.Sprintf(`"id":%q`, id), fmt.Sprintf(rapid.SampledFrom([]string{`"v":%d`, `"v":%d.0`}).Draw(t, "spelling"), rapid.IntRange(0, 9).Draw(t, "v"))}
		fields = append(fields, `"tags":`+rapid.SampledFrom([]string{`[]`, `["x","y"]`, `["y","x"]`, `["x"]`}).Draw(t, "tags"))
		if s := rapid.SampledFrom([]string{``, `"s":null`, `"s":"on"`, `"s":"ON"`}).Draw(t, "s"); s != "" {
			fields = append(fields, s)
		}
		fields = append(fields, fmt.Sprintf(`"c":%d`, rapid.IntRange(0, 2).Draw(t, "c")))
		switch fate {
		case 8:
			fields = append(fields, `"ok":false`)
		case 9:
			fields = append(fields, `"gone":true`)
		}
		items = append(items, "{"+strings.Join(fields, ",")+"}")
	}
	return `{"items":[` + strings.Join(rapid.Permutation(items).Draw(t, "order"), ",") + `]}`
}

// troubled plays answers as a server and a poller do: with an ETag.
type troubled struct {
	*bench
	settings differ.Settings
	response differ.ResponseSettings
	tags     bool
	marks    poller.Bookmarks
	seenC    int
}

func newTroubled(t *testing.T, s differ.Settings, r differ.ResponseSettings) *troubled {
	t.Helper()
	return &troubled{bench: newBench(t, s, r), settings: s, response: r}
}

// compile makes the source anew, by a name.
func (b *troubled) compile(name string) *differ.Source {
	b.t.Helper()
	src, err := differ.NewSource(name, b.settings, b.response, []string{"shop"})
	if err != nil {
		b.t.Fatal(err)
	}
	return src
}

// restart starts again, at a time when nothing is due yet.
func (b *troubled) restart() {
	b.marks = b.bench.restart()["s"]
	differ.SetNow(b.differ, func() time.Time { return b.received.AddDate(-1, 0, 0) })
}

// reload has the differ that runs go by its source made anew, in one of the
// ways in which that comes to the same as if nothing had happened.
func (b *troubled) reload(how string) {
	b.t.Helper()
	update := func(s differ.Setup, names ...string) map[string]poller.Bookmarks {
		b.t.Helper()
		s.Alerts = b.options.Alerts
		for _, name := range names {
			src := b.compile(name)
			if s.Sources = append(s.Sources, src); name == "s" {
				b.source = src
			}
		}
		marks, err := b.differ.Update(b.t.Context(), s)
		if (err != nil) != (how == "refused") {
			b.t.Fatalf("%s: %v", how, err)
		}
		return marks
	}
	switch how {
	case "touched":
		b.marks = update(differ.Setup{}, "s")["s"]
	case "readdressed":
		update(differ.Setup{Readdressed: map[string]bool{"s": true}}, "s")
	case "removed":
		update(differ.Setup{})
		b.marks = update(differ.Setup{}, "s")["s"]
	case "renamed":
		update(differ.Setup{Renamed: map[string]string{"z": "s"}}, "z", "other")
		b.marks = update(differ.Setup{Renamed: map[string]string{"s": "z"}}, "s")["s"]
	case "refused":
		b.store.unread = errors.New("the disk is gone")
		update(differ.Setup{Renamed: map[string]string{"z": "s"}}, "z")
		b.store.unread = nil
	}
}

// request is the answer of a server that has body.
func (b *troubled) request(body string, at time.Time) *poller.Answer {
	a := &poller.Answer{Source: "s", Status: 200, Received: at}
	tag := ""
	if b.tags {
		tag = body
	}
	if b.marks.ETag != "" && b.marks.ETag == tag {
		a.Unmodified, a.Status = true, 304
	} else {
		a.Pages = [][]byte{[]byte(body)}
	}
	a.Bookmarks = poller.Bookmarks{ETag: tag, Cursor: fmt.Sprint(at.Unix())}
	return a
}

// play plays an answer; its bookmarks count where it was taken in.
func (b *troubled) play(body string, at time.Time) error {
	a := b.request(body, at)
	err := b.differ.Take(b.t.Context(), a)
	if err == nil {
		b.marks = a.Bookmarks
	}
	return err
}

// told is what was told since it was asked last.
func (b *troubled) told() (out []string) {
	for _, c := range b.store.commits[b.seenC:] {
		for _, e := range c.Events {
			out = append(out, fmt.Sprintf("%s %s@%d %s new=%s old=%s diff=%s data=%s at %s", e.Type, e.Key, e.Revision, e.Change, e.New, e.Old, e.Diff, e.Data, e.Time))
		}
	}
	b.seenC = len(b.store.commits)
	return out
}

// state is all that the store has, once everything is flushed.
func (b *troubled) state() (out []string) {
	b.run(b.t.(*testing.T))()
	for s, err := range b.store.Load(b.t.Context()) {
		if err != nil {
			b.t.Fatal(err)
		}
		for key, m := range s.Items {
			out = append(out, fmt.Sprintf("item %s %x %d", key, m.Hash, m.Revision))
		}
		for _, n := range s.Notes {
			out = append(out, fmt.Sprintf("note %s %s %q", n.Key, n.Name, n.Data))
		}
		out = append(out, fmt.Sprint("cursor ", s.Bookmarks.Cursor))
	}
	slices.Sort(out)
	return out
}

// TestTroubleChangesNothing plays a history of answers twice: to a daemon that
// never has any trouble, and to one that is restarted, whose commits are refused
// or their replies lost, that gets bad answers and is asked for previews. Both
// tell the same, and remember the same in the end.
func TestTroubleChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		patient := rapid.Bool().Draw(rt, "confirmations")
		s, r := drawTroubled(rt, patient)
		calm, hard := newTroubled(t, s, r), newTroubled(t, s, r)
		calm.tags = rapid.Bool().Draw(rt, "etags") && r.ForgetAfter == 0 // a 304 lists nothing, documented
		hard.tags = calm.tags
		for _, b := range []*troubled{calm, hard} {
			b.options.Alerts = []string{"ops"}
			b.restart()
		}
		now := calm.received
		body, taken := drawItems(rt), ""
		for range rapid.IntRange(3, 15).Draw(rt, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute}).Draw(rt, "later"))
			if rapid.IntRange(0, 2).Draw(rt, "same") > 0 {
				body = drawItems(rt)
			}
			if rapid.IntRange(0, 5).Draw(rt, "edit") == 0 {
				s.Changes.History = nil
				if rapid.Bool().Draw(rt, "history") {
					s.Changes.History = history("v", rapid.SampledFrom([]time.Duration{10 * time.Minute, time.Hour}).Draw(rt, "kept for"))
				}
				at := s.Events[len(s.Events)-1].Key == timed.Key
				if s.Events = drawTroubledRules(rt, len(s.Changes.History) > 0); at {
					s.Events = append(s.Events, timed)
				}
				for _, b := range []*troubled{calm, hard} {
					b.settings, b.response = s, r
					if b == hard && r.ForgetAfter == 0 && rapid.Bool().Draw(rt, "by a reload") {
						b.reload(rapid.SampledFrom([]string{"touched", "removed", "renamed"}).Draw(rt, "how"))
						continue
					}
					b.run(t)()
					b.source = b.compile("s")
					b.restart()
				}
				rt.Logf("edit")
				if taken != "" && len(calm.differ.Holds()) == 0 && !patient {
					now = now.Add(time.Minute)
					for _, b := range []*troubled{calm, hard} {
						if err := b.play(taken, now); err != nil {
							rt.Fatal(err)
						}
					}
					a, b := calm.told(), hard.told()
					if slices.ContainsFunc(slices.Concat(a, b), func(e string) bool { return strings.HasPrefix(e, "rule.") && !strings.HasPrefix(e, differ.TypeFailing) }) {
						rt.Fatalf("an edit of rules told %v, %v", a, b)
					}
				}
			}
			twice := false
			// After an answer that was not taken in, a 304 does not say which
			// items it lists: nothing of those that stay anyway is looked at then.
			// An answer that is read anew for it may forget a little earlier: then
			// both are restarted.
			anew := []*troubled{hard}
			if r.ForgetAfter > 0 {
				anew = append(anew, calm)
			}
			deaf := calm.tags && r.Absent == "kept" || r.ForgetAfter > 0
			switch trouble := rapid.IntRange(0, 6).Draw(rt, "trouble"); {
			case deaf && trouble > 1 && trouble < 6:
			case trouble == 0:
				reloads := []string{"readdressed", "refused", "touched", "removed", "renamed"}
				if patient {
					reloads = reloads[:2]
				}
				how := rapid.SampledFrom(reloads).Draw(rt, "reload")
				for _, b := range anew {
					b.reload(how)
				}
				rt.Logf("reload: %s", how)
			case patient && (trouble < 2 || trouble == 3):
			case trouble < 2:
				for _, b := range anew {
					b.run(t)()
					b.restart()
				}
				rt.Logf("restart")
			case trouble == 2:
				hard.store.before = errors.New("refused")
				twice = hard.play(body, now) == nil // there was nothing to commit
				hard.store.before = nil
				rt.Logf("refused")
			case trouble == 3:
				hard.store.after = errors.New("reply lost")
				_ = hard.play(body, now)
				hard.store.after = nil
				twice = true
				rt.Logf("lost")
			case trouble == 4:
				_, _ = hard.differ.Preview(t.Context(), hard.request(drawItems(rt), now))
				rt.Logf("preview")
			case trouble == 5:
				a := hard.request(strings.Replace(drawItems(rt), "]}", `,{"id":"a"},{"v":1}]}`, 1), now)
				if err := hard.differ.Take(t.Context(), a); err == nil && !a.Unmodified {
					rt.Fatal("a bad answer was taken in")
				}
				rt.Logf("bad")
			}
			if twice {
				if err := calm.play(body, now); err != nil {
					rt.Fatal(err)
				}
			}
			if rapid.IntRange(0, 4).Draw(rt, "decide") == 0 {
				state := rapid.SampledFrom([]differ.HoldState{differ.Released, differ.ReleasedSilently, differ.Discarded}).Draw(rt, "state")
				a, b := calm.differ.Decide(t.Context(), "s", "", state), hard.differ.Decide(t.Context(), "s", "", state)
				if (a == nil) != (b == nil) {
					rt.Fatalf("decide: %v, %v", a, b)
				}
				rt.Logf("decide %s: %v", state, a)
			}
			for _, b := range []*troubled{calm, hard} {
				if err := b.play(body, now); err != nil {
					rt.Fatal(err)
				}
			}
			a, b := calm.told(), hard.told()
			rt.Logf("%s %s\n\t%s", now.Format("15:04"), body, strings.Join(a, "\n\t"))
			taken = body
			if diff := cmp.Diff(a, b); diff != "" {
				rt.Fatalf("events (-calm +hard):\n%s", diff)
			}
		}
		if diff := cmp.Diff(calm.state(), hard.state()); diff != "" {
			rt.Fatalf("remembered (-calm +hard):\n%s", diff)
		}
	})
}
