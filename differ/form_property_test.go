package differ_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/canon"
	"github.com/deltahook/deltahook/internal/ordered"
)

// parcel is an item as it truly is. Each field is compared in a way of its own.
type parcel struct {
	status string         // by ignore_case
	cents  int            // a number that may be text, with a tolerance of 5
	tags   []string       // a list without an order, sorted here
	scans  map[int]string // a list whose elements have ids
	note   string         // "": absent, or null
}

const parcelTolerance = 5

func parcelSettings() differ.ResponseSettings {
	r := listed
	pick := ordered.Map[string]{}
	for _, name := range []string{"status", "price", "tags", "scans", "note"} {
		pick = append(pick, ordered.Entry[string]{Key: name, Value: name})
	}
	r.Pick = append(pick, ordered.Entry[string]{Key: "noise", Value: "noise"})
	r.Ignore, r.IgnoreCase, r.Unordered, r.NullIsAbsent = []string{"noise"}, []string{"status"}, []string{"tags"}, true
	r.Carry = ordered.Map[string]{{Key: "seen", Value: "seen"}}
	r.Numbers = numbers("price", float64(parcelTolerance)/100)
	r.Lists = ordered.Map[differ.ListSettings]{{Key: "scans", Value: differ.ListSettings{ID: differ.Paths{"event.id"}}}}
	return r
}

func drawParcel(t *rapid.T) parcel {
	p := parcel{
		status: rapid.SampledFrom([]string{"transit", "delivered"}).Draw(t, "status"),
		cents:  rapid.IntRange(99_990, 100_010).Draw(t, "cents"),
		tags:   rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 4).Draw(t, "tags"),
		scans:  rapid.MapOfN(rapid.IntRange(1, 5), rapid.SampledFrom([]string{"x", "y"}), 0, 4).Draw(t, "scans"),
		note:   rapid.SampledFrom([]string{"", "", "n"}).Draw(t, "note"),
	}
	slices.Sort(p.tags)
	return p
}

// differs is the truth about what is a change of p.
func (p parcel) differs(now parcel) bool {
	return p.status != now.status || max(p.cents-now.cents, now.cents-p.cents) > parcelTolerance ||
		!slices.Equal(p.tags, now.tags) || !maps.Equal(p.scans, now.scans) || p.note != now.note
}

// spell writes p with noise that is no change.
func (p parcel) spell(t *rapid.T, id string) string {
	price := fmt.Sprintf("%d.%02d", p.cents/100, p.cents%100)
	grouped := price
	if len(price) > 6 {
		grouped = price[:len(price)-6] + "," + price[len(price)-6:]
	}
	var scans []string
	for _, id := range rapid.Permutation(slices.Sorted(maps.Keys(p.scans))).Draw(t, "order of scans") {
		scans = append(scans, fmt.Sprintf(rapid.SampledFrom([]string{`{"event":{"id":%d},"s":%q}`, `{"s":%[2]q,"event":{"id":%[1]d.0}}`}).Draw(t, "scan"), id, p.scans[id]))
	}
	var tags []string
	for _, tag := range rapid.Permutation(p.tags).Draw(t, "order of tags") {
		tags = append(tags, `"`+tag+`"`)
	}
	fields := []string{
		`"id":"` + id + `"`,
		`"status":"` + rapid.SampledFrom([]func(string) string{strings.ToLower, strings.ToUpper, strings.Title}).Draw(t, "case")(p.status) + `"`, //nolint:staticcheck // one word of ASCII
		`"price":` + rapid.SampledFrom([]string{price, price + "0", `"` + price + `"`, `" +` + grouped + ` "`, `"` + grouped + `%"`}).Draw(t, "price"),
		`"tags":[` + strings.Join(tags, ",") + `]`,
		`"scans":[` + strings.Join(scans, ",") + `]`,
		fmt.Sprintf(`"seen":%d`, rapid.IntRange(0, 2).Draw(t, "seen")),
		fmt.Sprintf(`"noise":%d`, rapid.IntRange(0, 2).Draw(t, "noise")),
	}
	if p.note != "" {
		fields = append(fields, `"note":"`+p.note+`"`)
	} else if rapid.Bool().Draw(t, "null") {
		fields = append(fields, `"note":null`)
	}
	return "{" + strings.Join(rapid.Permutation(fields).Draw(t, "order of fields"), ",") + "}"
}

// TestExactlyTheTrueChangesOfParcels plays random parcels with random noise,
// repetitions, faults, restarts and lost replies. What is told is exactly what
// changed, and each event's diff, applied by a library of others, leads from
// what was told last to what is told now.
func TestExactlyTheTrueChangesOfParcels(t *testing.T) {
	ids := []string{"a", "b", "c"}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, atOnce(differ.Settings{Changes: differ.ChangeSettings{MaxDeletes: differ.Share{Of: 1, Set: true}}}), parcelSettings())
		truth, remembered := map[string]parcel{}, map[string]parcel{}
		told := map[string][]byte{} // what was told last of each item
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			var items, want []string
			for _, id := range rapid.Permutation(ids).Draw(rt, "order") {
				switch rapid.IntRange(0, 5).Draw(rt, "fate of "+id) {
				case 0:
					delete(truth, id)
				case 1, 2:
					truth[id] = drawParcel(rt)
				case 3:
					if p, ok := truth[id]; ok {
						p.cents = remembered[id].cents + rapid.IntRange(-6, 6).Draw(rt, "drift")
						truth[id] = p
					}
				}
				now, there := truth[id]
				was, before := remembered[id]
				switch {
				case !there:
					if before && step > 0 {
						want = append(want, "s.deleted "+id)
					}
					delete(remembered, id)
					continue
				case step == 0:
					remembered[id] = now
				case !before:
					want, remembered[id] = append(want, "s.created "+id), now
				case was.differs(now):
					want, remembered[id] = append(want, "s.updated "+id), now
				}
				items = append(items, now.spell(rt, id))
			}
			body := `{"items":[` + strings.Join(items, ",") + `]}`
			committed := len(b.store.commits)
			switch rapid.IntRange(0, 6).Draw(rt, "trouble") {
			case 0:
				b.refused(faulty(rt, `{"items":[]}`))
			case 1:
				b.restart()
			case 2:
				b.store.after = errors.New("reply lost")
				_ = b.differ.Take(t.Context(), b.answer(body))
				b.store.after = nil
			case 3:
				_ = b.differ.Take(t.Context(), b.answer(body))
			}
			if err := b.differ.Take(t.Context(), b.answer(body)); err != nil {
				rt.Fatal(err)
			}
			var got []string
			for _, c := range b.store.commits[committed:] {
				if step == 0 {
					for _, item := range c.Items {
						told[item.Key] = item.Content
					}
				}
				for _, e := range c.Events {
					got = append(got, e.Type+" "+e.Key)
					follows(rt, told, e)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("events of %s (-want +got):\n%s", body, diff)
			}
		}
	})
}

// follows holds an event against what was told of its item before.
func follows(t *rapid.T, told map[string][]byte, e differ.Event) {
	if !bytes.Equal(e.Old, told[e.Key]) {
		t.Fatalf("%s of %s is from %s, but %s was told last", e.Change, e.Key, e.Old, told[e.Key])
	}
	told[e.Key] = e.New
	if e.Change == differ.Updated {
		leads(t, e.Diff, e.Old, e.New)
	}
}

// leads applies a patch by a library of others.
func leads(t *rapid.T, diff, before, after []byte) {
	patch, err := jsonpatch.DecodePatch(diff)
	if err != nil {
		t.Fatalf("%s: %v", diff, err)
	}
	got, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("%s on %s: %v", diff, before, err)
	}
	if !bytes.Equal(canon.Append(nil, got), canon.Append(nil, after)) {
		t.Fatalf("%s\non %s\nis %s\nnot %s", diff, before, got, after)
	}
}

// TestAnySettingsOverAnyValues throws values and settings at each other that
// nobody thought of. Whatever they make of it: the diff leads from old to new,
// new means the same as what was sent, and neither of the two is a change again.
func TestAnySettingsOverAnyValues(t *testing.T) {
	paths := []string{"root", "root.#", "**.a", "root.*.b", "**.id", `**.c/d`, "root.0", "**.#"}
	rapid.Check(t, func(rt *rapid.T) {
		some := func(name string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 0, 3, rapid.ID).Draw(rt, name)
		}
		r := differ.ResponseSettings{IgnoreCase: some("ignore_case"), NullIsAbsent: rapid.Bool().Draw(rt, "null_is_absent")}
		for _, path := range some("lists") {
			r.Lists = append(r.Lists, ordered.Entry[differ.ListSettings]{Key: path, Value: differ.ListSettings{ID: differ.Paths{"id"}}})
		}
		for _, path := range some("unordered") {
			if _, ok := r.Lists.Get(path); !ok {
				r.Unordered = append(r.Unordered, path)
			}
		}
		for _, path := range some("numbers") {
			tolerance := rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(rt, "tolerance")
			r.Numbers = append(r.Numbers, ordered.Entry[differ.NumberSettings]{Key: path, Value: differ.NumberSettings{Tolerance: tolerance}})
		}
		b := newBench(t, differ.Settings{}, r)
		take := func(body string) {
			if err := b.differ.Take(t.Context(), b.answer(body)); err != nil {
				rt.Fatal(err)
			}
		}
		var last []byte
		for range 4 {
			body := `{"root":` + values().Draw(rt, "value") + `}`
			before := len(b.store.commits)
			take(body)
			if len(b.store.commits) > before {
				last = b.store.commits[before].Items[0].Content
			}
			for _, c := range b.store.commits[before:] {
				for _, e := range c.Events {
					leads(rt, e.Diff, e.Old, e.New)
				}
			}
			before = len(b.store.commits)
			b.restart()
			take(strings.Replace(body, "{", `{ `, 1))
			take(string(last))
			if rapid.Bool().Draw(rt, "restart") {
				b.restart()
			}
			take(string(last) + " ")
			if len(b.store.commits) > before {
				rt.Fatalf("%s, told as %s, is a change again: %s", body, last, b.store.commits[before].Events[0].Diff)
			}
		}
	})
}
