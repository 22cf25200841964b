package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// told is a webhook, read.
type told struct {
	sighting
	thing
	kind     string // any, enter or third: which of the source's rules
	change   string
	revision int
	new, old string // states; "" for null
	time     time.Time
}

// lane is what must arrive in order: one item at one endpoint.
type lane struct {
	endpoint string
	thing    thing
}

// inOrder sorts sightings by the run that sent them; those of one run stay in
// the order of their arrival.
func inOrder(all []sighting) []sighting {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b sighting) int { return cmp.Compare(a.run, b.run) })
	return all
}

// violations are the promises that what was received breaks, each in a
// sentence. Every sentence begins with the promise's name:
//
//	lost       a revision that never came, or a last state that was never told
//	ahead      a state that was not taken in when the program had its ETag
//	doubled    one revision of an item, of one type, under two ids
//	altered    one id with two bodies
//	overtaken  an earlier revision after a later one; repeats of one are allowed
//	repeated   an id again that the same run of the program knew to be taken
//	torn       an old state that is not the new one of the revision before
//	invented   a state that the API never told, or after a later one of it
//	misruled   an event that no rule makes
//	both       an event that was sent, though another one took its place
//
// At wiki updates coalesce: there a revision may be missing that is an update,
// if the next one that came begins where it would have, and the store says that
// another one took its place. An id has one body there, and one elsewhere.
//
// The sightings are in the order in which they were sent.
func violations(w truth, got []sighting) []string {
	v := &verdict{truth: w, lanes: map[lane][]told{}}
	v.identities(got)
	for _, at := range slices.SortedFunc(maps.Keys(v.lanes), compareLanes) {
		v.order(at, v.lanes[at])
		if at.endpoint == "wiki" {
			v.outline(at, firsts(v.lanes[at]), firsts(v.lanes[lane{"shop", at.thing}]))
			continue
		}
		v.story(at, firsts(v.lanes[at]))
	}
	for at := range w.final {
		for _, endpoint := range w.to {
			if v.lanes[lane{endpoint, at}] == nil {
				v.add("lost: %s never heard of %s/%s", endpoint, at.source, at.key)
			}
		}
	}
	return v.found
}

// verdict is a check under way.
type verdict struct {
	truth truth
	lanes map[lane][]told
	found []string
}

func (v *verdict) add(format string, args ...any) {
	v.found = append(v.found, fmt.Sprintf(format, args...))
}

// identities holds each id to one event and one body, and sorts the webhooks
// into lanes.
func (v *verdict) identities(got []sighting) {
	type event struct {
		thing    thing
		kind     string
		revision int
	}
	type taken struct {
		run          int
		endpoint, id string
	}
	type told struct {
		wiki bool
		id   string
	}
	ids, bodies, acked := map[event]string{}, map[told]string{}, map[taken]bool{}
	for _, s := range got {
		t, err := readTold(s)
		if err != nil {
			v.add("misruled: %s: %v", s.id, err)
			continue
		}
		body := told{s.endpoint == "wiki", s.id}
		if first, there := bodies[body]; there && first != s.body {
			v.add("altered: %s came as\n  %s\nand as\n  %s", s.id, first, s.body)
		}
		bodies[body] = s.body
		if body.wiki && v.truth.superseded[s.id] {
			v.add("both: %s came, though another one took its place", t)
		}
		e := event{t.thing, t.kind, t.revision}
		if first := ids[e]; first != "" && first != s.id {
			v.add("doubled: %s is %s and %s", t, first, s.id)
		}
		ids[e] = s.id
		if acked[taken{s.run, s.endpoint, s.id}] {
			v.add("repeated: %s in run %d, which had it taken before", t, s.run)
		}
		acked[taken{s.run, s.endpoint, s.id}] = s.acked
		at := lane{s.endpoint, t.thing}
		v.lanes[at] = append(v.lanes[at], t)
	}
}

// order holds that nothing comes after something later, repeats included: a
// revision is sent when the one before is settled, and then that one never
// again.
func (v *verdict) order(at lane, all []told) {
	for i := 1; i < len(all); i++ {
		if before, now := all[i-1], all[i]; compareTold(now, before) < 0 {
			v.add("overtaken: at %s %s came after %s (runs %d and %d)", at.endpoint, now, before, now.run, before.run)
		}
	}
}

// story holds that the webhooks of a lane, each taken once and sorted, tell
// the item's life without a gap, in states that were real, up to the last.
func (v *verdict) story(at lane, all []told) {
	revision, state, serial := 0, "", 0
	for _, t := range all {
		if t.kind != "any" {
			continue
		}
		for revision++; revision < t.revision; revision++ {
			v.add("lost: at %s revision %d of %s/%s", at.endpoint, revision, at.thing.source, at.thing.key)
			state = t.old
		}
		serial = v.step(t, state, serial)
		state = t.new
	}
	if state != v.truth.final[at.thing] {
		v.add("lost: %s was told of %s/%s last %s, but it is %s", at.endpoint, at.thing.source, at.thing.key,
			brief(state), brief(v.truth.final[at.thing]))
	}
	v.rules(at, all)
	v.bookmarks(at, all)
}

// outline holds that the webhooks of a lane in which updates coalesce, each
// taken once and sorted, tell what all told, who has every revision, in fewer
// steps.
func (v *verdict) outline(at lane, some, all []told) {
	whole := map[int]told{}
	for _, t := range all {
		if t.kind == "any" {
			whole[t.revision] = t
		}
	}
	revision, state := 0, ""
	for _, t := range some {
		first, last := whole[revision+1], whole[t.revision]
		for revision++; revision < t.revision; revision++ {
			missing := whole[revision]
			if gone := v.truth.superseded != nil && !v.truth.superseded[missing.id]; gone || missing.change != "updated" || t.change != "updated" {
				v.add("lost: at %s %s, of which nothing took the place", at.endpoint, missing)
			}
		}
		if t.old != first.old {
			v.add("torn: at %s the old state of %s is %s, but it was %s", at.endpoint, t, brief(t.old), brief(first.old))
		}
		if t.new != last.new || t.id != last.id || t.change != last.change {
			v.add("torn: at %s %s is %s of %s, and at shop %s of %s", at.endpoint, t, t.id, brief(t.new), last.id, brief(last.new))
		}
		if t.kind != "any" {
			v.add("misruled: at %s %s", at.endpoint, t)
		}
		state = t.new
	}
	if state != v.truth.final[at.thing] {
		v.add("lost: %s was told of %s/%s last %s, but it is %s", at.endpoint, at.thing.source, at.thing.key,
			brief(state), brief(v.truth.final[at.thing]))
	}
}

// bookmarks holds that an ETag moved only together with what it stands for: a
// state that the program did not ask for again is one that it had taken in by
// then, to be told, or as the silent start.
func (v *verdict) bookmarks(at lane, all []told) {
	for state, since := range v.truth.known[at.thing] {
		if !slices.ContainsFunc(all, func(t told) bool {
			return t.new == state && !t.time.After(since) || t.revision == 1 && t.old == state
		}) {
			v.add("ahead: %s/%s was not taken in as %s when the program had the ETag of that, as %s heard",
				at.thing.source, at.thing.key, brief(state), at.endpoint)
		}
	}
}

// step checks one revision against the one before, and gives its serial.
func (v *verdict) step(t told, state string, serial int) int {
	// The first revision of what was there at a silent start has an old
	// state that nobody was told.
	silent := t.revision == 1 && t.old != "" && !v.truth.emits[t.source]
	if !silent && t.old != state {
		v.add("torn: the old state of %s is %s, but told before was %s", t, brief(t.old), brief(state))
	}
	if kind := changeOf(t.old, t.new); t.change != kind {
		v.add("misruled: %s is %q and not %q", t, t.change, kind)
	}
	for _, s := range []string{t.old, t.new} {
		if s == "" {
			continue
		}
		n, was := v.truth.served[t.thing][s]
		if !was {
			v.add("invented: the API never said what %s says: %s", t, brief(s))
		} else if n < serial {
			v.add("invented: %s goes back from serial %d to %d", t, serial, n)
		}
		serial = max(serial, n)
	}
	return serial
}

// rules holds that each revision made the events that the rules say.
func (v *verdict) rules(at lane, all []told) {
	others := map[string]bool{} // events of the other rules, by kind and revision
	name := func(kind string, revision int) string {
		return fmt.Sprintf("the %s event of revision %d", kind, revision)
	}
	for _, t := range all {
		if t.kind != "any" {
			others[name(t.kind, t.revision)] = true
		}
	}
	even := func(state string) bool { return state != "" && v.truth.served[at.thing][state]%2 == 0 }
	last, entered := "", false // the state, and whether the rule enter holds for it
	for _, t := range all {
		if t.kind != "any" {
			continue
		}
		if t.old != last { // a silent start, or a gap that was found already
			entered = even(t.old)
		}
		want := map[string]bool{
			"third": t.new != "" && v.truth.served[at.thing][t.new]%3 == 0,
			"enter": even(t.new) && !entered,
		}
		last, entered = t.new, even(t.new)
		for _, kind := range []string{"enter", "third"} {
			wanted, event := want[kind] && at.endpoint == "audit", name(kind, t.revision)
			switch {
			case wanted && !others[event]:
				v.add("lost: at %s %s of %s", at.endpoint, event, t)
			case !wanted && others[event]:
				v.add("misruled: at %s %s of %s", at.endpoint, event, t)
			}
			delete(others, event)
		}
	}
	for event := range others {
		v.add("lost: at %s the first event of %s/%s, which has %s", at.endpoint, at.thing.source, at.thing.key, event)
	}
}

// readTold reads a webhook of the kill test's rules.
func readTold(s sighting) (told, error) {
	var body struct {
		Type string    `json:"type"`
		Time time.Time `json:"timestamp"`
		Data struct {
			Source   string           `json:"source"`
			Key      string           `json:"key"`
			Change   string           `json:"change"`
			Revision int              `json:"revision"`
			New      *json.RawMessage `json:"new"`
			Old      *json.RawMessage `json:"old"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(s.body), &body); err != nil {
		return told{}, err
	}
	d := body.Data
	source, kind, _ := strings.Cut(body.Type, ".")
	d.Source, _, _ = strings.Cut(d.Source, "-r") // whatever name edits gave it
	d.Key, _, _ = strings.Cut(d.Key, "-r")       // a document has that of its source, as it was named at first
	if source != d.Source || !slices.Contains([]string{"any", "enter", "third"}, kind) || d.Revision < 1 {
		return told{}, fmt.Errorf("no rule makes %s", s.body)
	}
	t := told{sighting: s, thing: thing{d.Source, d.Key}, kind: kind, change: d.Change, revision: d.Revision, time: body.Time}
	if d.New != nil {
		t.new = string(*d.New)
	}
	if d.Old != nil {
		t.old = string(*d.Old)
	}
	return t, nil
}

func (t told) String() string {
	return fmt.Sprintf("%s/%s revision %d (%s)", t.source, t.key, t.revision, t.kind)
}

// firsts are the webhooks of a lane without repeats, sorted as they must come.
func firsts(all []told) []told {
	all = slices.Clone(all)
	slices.SortStableFunc(all, compareTold)
	return slices.CompactFunc(all, func(a, b told) bool { return compareTold(a, b) == 0 })
}

// compareTold orders the webhooks of one lane: by revision, and within one by
// the order of the rules, which is that of their names.
func compareTold(a, b told) int {
	return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.kind, b.kind))
}

func compareLanes(a, b lane) int {
	return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.thing.source, b.thing.source), cmp.Compare(a.thing.key, b.thing.key))
}

func changeOf(before, after string) string {
	switch {
	case before == "":
		return "created"
	case after == "":
		return "deleted"
	default:
		return "updated"
	}
}

// brief is a state, or its beginning.
func brief(state string) string {
	if state == "" {
		return "nothing"
	}
	if len(state) > 60 {
		return state[:60] + "…"
	}
	return state
}
