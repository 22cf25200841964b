package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestViolationsFindsWhatIsPlanted shows that the kill test can fail: a story
// in which all is well is free of violations, and each thing that is put wrong
// in it is found under its name.
func TestViolationsFindsWhatIsPlanted(t *testing.T) {
	for _, planted := range []struct {
		name string
		want string // "": nothing
		do   func([]sighting) []sighting
	}{
		{"nothing", "", func(all []sighting) []sighting { return all }},
		{"repeat after a crash", "", func(all []sighting) []sighting {
			return insertAfter(all, "shop a 3", inRun(2, sightingOf(all, "shop a 3")))
		}},
		{"repeat after a refusal", "", func(all []sighting) []sighting {
			refused := sightingOf(all, "shop a 2")
			refused.acked = false
			return insertBefore(all, "shop a 2", refused)
		}},
		{"last change lost", "lost: ", without("shop a 4")},
		{"change in the middle lost", "lost: ", without("shop a 2")},
		{"first change lost", "lost: ", without("shop a 1")},
		{"only change lost", "lost: ", without("shop b 1")},
		{"deletion lost", "lost: ", without("shop c 2")},
		{"second rule's event lost", "lost: ", without("audit a 3 third")},
		{"first rule's event lost", "lost: ", without("audit a 3")},
		{"event of the rule that remembers lost", "lost: ", without("audit a 2 enter")},
		{"told while it holds still", "misruled: ", func(all []sighting) []sighting {
			return insertAfter(all, "audit a 3", notice{1, "audit", "a", 3, "enter", `{"n":2}`, `{"n":3}`}.sighting())
		}},
		{"doubled", "doubled: ", func(all []sighting) []sighting {
			return insertAfter(all, "shop a 2", renamed(sightingOf(all, "shop a 2")))
		}},
		{"doubled after a restart", "doubled: ", func(all []sighting) []sighting {
			return append(all, inRun(3, renamed(sightingOf(all, "shop a 4"))))
		}},
		{"doubled for the other endpoint", "doubled: ", func(all []sighting) []sighting {
			all[where(all, "shop a 2")].id = "evt_other"
			return all
		}},
		{"body altered", "altered: ", func(all []sighting) []sighting {
			s := inRun(2, sightingOf(all, "shop a 2"))
			s.body = strings.Replace(s.body, "10:00:02", "10:00:59", 1)
			return insertAfter(all, "shop a 2", s)
		}},
		{"id used again", "altered: ", func(all []sighting) []sighting {
			all[where(all, "shop a 3")].id = sightingOf(all, "shop a 2").id
			return all
		}},
		{"two revisions swapped", "overtaken: ", func(all []sighting) []sighting {
			i, j := where(all, "shop a 2"), where(all, "shop a 3")
			all[i], all[j] = all[j], all[i]
			return all
		}},
		{"earlier revision repeated after a later one", "overtaken: ", func(all []sighting) []sighting {
			return insertAfter(all, "shop a 3", inRun(2, sightingOf(all, "shop a 2")))
		}},
		{"second rule before the first", "overtaken: ", func(all []sighting) []sighting {
			i, j := where(all, "audit a 3"), where(all, "audit a 3 third")
			all[i], all[j] = all[j], all[i]
			return all
		}},
		{"sent again though taken", "repeated: ", func(all []sighting) []sighting {
			return insertAfter(all, "shop a 2", sightingOf(all, "shop a 2"))
		}},
		{"old state not the one before", "torn: ", reworded("a 2", `"old":{"n":1}`, `"old":null`)},
		{"state that never was", "invented: ", reworded("a 4", `"new":{"n":4}`, `"new":{"n":9}`)},
		{"state of the past", "invented: ", reworded("a 4", `"new":{"n":4}`, `"new":{"n":2}`)},
		{"change of another kind", "misruled: ", reworded("a 2", `"updated"`, `"created"`)},
		{"event that no rule makes", "misruled: ", func(all []sighting) []sighting {
			return insertAfter(all, "audit a 2", notice{2, "audit", "a", 2, "third", `{"n":1}`, `{"n":2}`}.sighting())
		}},
		{"event of an unknown type", "misruled: ", reworded("a 2", `s.any`, `s.some`)},
	} {
		t.Run(planted.name, func(t *testing.T) {
			w, all := story()
			found := violations(w, inOrder(planted.do(all)))
			switch {
			case planted.want == "" && len(found) > 0:
				t.Errorf("found what is not there: %s", strings.Join(found, "\n"))
			case planted.want != "" && !slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, planted.want) }):
				t.Errorf("did not find %q: %q", planted.want, found)
			}
		})
	}
}

// TestViolationsFindsWhatCoalescesWrongly is the same for the endpoint at which
// updates coalesce: there the second and third revision of a came as one.
func TestViolationsFindsWhatCoalescesWrongly(t *testing.T) {
	const second, third = "evt_a2any", "evt_a3any"
	for _, planted := range []struct {
		name string
		want string // "": nothing
		do   func(truth, []sighting) []sighting
	}{
		{"nothing", "", func(_ truth, all []sighting) []sighting { return all }},
		{"the store doesn't say that one took its place", "lost: ", func(w truth, all []sighting) []sighting {
			delete(w.superseded, second)
			return all
		}},
		{"superseded and sent", "both: ", func(_ truth, all []sighting) []sighting {
			return insertBefore(all, "wiki a 3", notice{1, "wiki", "a", 2, "any", `{"n":1}`, `{"n":2}`}.sighting())
		}},
		{"old of the last one", "torn: ", wiki(third, `"old":{"n":1}`, `"old":{"n":2}`)},
		{"new of the first one", "torn: ", wiki(third, `"new":{"n":3}`, `"new":{"n":2}`)},
		{"a new id", "torn: ", func(_ truth, all []sighting) []sighting {
			all[where(all, "wiki a 3")].id = "evt_merged"
			return all
		}},
		{"two bodies", "altered: ", func(_ truth, all []sighting) []sighting {
			return insertAfter(all, "wiki a 3", notice{2, "wiki", "a", 3, "any", `{"n":2}`, `{"n":3}`}.sighting())
		}},
		{"last one superseded", "lost: ", func(w truth, all []sighting) []sighting {
			w.superseded["evt_a4any"] = true
			return without("wiki a 4")(all)
		}},
		{"creation superseded", "lost: ", func(w truth, all []sighting) []sighting {
			w.superseded["evt_a1any"] = true
			return without("wiki a 1")(wiki(third, `"old":{"n":1}`, `"old":null`)(w, all))
		}},
		{"by a deletion", "lost: ", func(w truth, all []sighting) []sighting {
			w.superseded["evt_c1any"] = true
			return without("wiki c 1")(all)
		}},
		{"elsewhere", "lost: ", func(w truth, all []sighting) []sighting { return without("shop a 2")(all) }},
	} {
		t.Run(planted.name, func(t *testing.T) {
			w, all := story()
			all = without("wiki a 2")(all)
			w.superseded = map[string]bool{second: true}
			wiki(third, `"old":{"n":2}`, `"old":{"n":1}`)(w, all)
			found := violations(w, inOrder(planted.do(w, all)))
			switch {
			case planted.want == "" && len(found) > 0:
				t.Errorf("found what is not there: %s", strings.Join(found, "\n"))
			case planted.want != "" && !slices.ContainsFunc(found, func(v string) bool { return strings.HasPrefix(v, planted.want) }):
				t.Errorf("did not find %q: %q", planted.want, found)
			}
		})
	}
}

// wiki changes the text of an event there.
func wiki(id, before, after string) func(truth, []sighting) []sighting {
	return func(_ truth, all []sighting) []sighting {
		i := slices.IndexFunc(all, func(s sighting) bool { return s.endpoint == "wiki" && s.id == id })
		all[i].body = strings.Replace(all[i].body, before, after, 1)
		return all
	}
}

// TestViolationsFindsAnETagAhead is the same for an ETag: it may be sent only
// when what it stands for was taken in.
func TestViolationsFindsAnETagAhead(t *testing.T) {
	second := time.Date(2026, 1, 1, 10, 0, 2, 0, time.UTC) // when a's second revision was seen
	for _, planted := range []struct {
		name  string
		state string
		since time.Time
		want  int // violations: each endpoint's
	}{
		{"after it was seen", `{"n":2}`, second, 0},
		{"before it was seen", `{"n":2}`, second.Add(-time.Millisecond), 2},
		{"never seen", `{"n":5}`, second, 2}, // at wiki nothing says when
	} {
		t.Run(planted.name, func(t *testing.T) {
			w, all := story()
			w.known[thing{"s", "a"}] = map[string]time.Time{planted.state: planted.since}
			found := violations(w, all)
			if len(found) != planted.want || len(found) > 0 && !strings.HasPrefix(found[0], "ahead: ") {
				t.Errorf("found %d, want %d: %q", len(found), planted.want, found)
			}
		})
	}
}

// story is a world of three items, and what was received when all went well:
// a was created and changed three times, b created, c created and deleted.
func story() (truth, []sighting) {
	w := newTruth("shop", "audit", "wiki")
	w.emits["s"] = true
	var all []sighting
	add := func(run int, key string, revision int, before, after string) {
		at := thing{"s", key}
		if w.served[at] == nil {
			w.served[at] = map[string]int{}
		}
		delete(w.final, at)
		if after != "null" {
			w.served[at][after], w.final[at] = revision, after
		}
		for _, endpoint := range w.to {
			all = append(all, notice{run, endpoint, key, revision, "any", before, after}.sighting())
			if endpoint == "audit" && after != "null" && revision%2 == 0 {
				all = append(all, notice{run, endpoint, key, revision, "enter", before, after}.sighting())
			}
			if endpoint == "audit" && after != "null" && revision%3 == 0 {
				all = append(all, notice{run, endpoint, key, revision, "third", before, after}.sighting())
			}
		}
	}
	add(1, "a", 1, "null", `{"n":1}`)
	add(1, "c", 1, "null", `{"n":1}`)
	add(1, "a", 2, `{"n":1}`, `{"n":2}`)
	add(1, "a", 3, `{"n":2}`, `{"n":3}`)
	add(2, "b", 1, "null", `{"n":1}`)
	add(2, "c", 2, `{"n":1}`, "null")
	add(3, "a", 4, `{"n":3}`, `{"n":4}`)
	return w, all
}

// notice is a webhook that a receiver took.
type notice struct {
	run           int
	endpoint, key string
	revision      int
	kind          string
	before, after string // states, or null
}

func (h notice) sighting() sighting {
	change := map[[2]bool]string{{true, false}: "created", {false, false}: "updated", {false, true}: "deleted"}
	return sighting{
		run: h.run, endpoint: h.endpoint, id: fmt.Sprintf("evt_%s%d%s", h.key, h.revision, h.kind), acked: true,
		body: fmt.Sprintf(`{"type":"s.%s","timestamp":"2026-01-01T10:00:%02dZ","data":{"source":"s","key":%q,"change":%q,"revision":%d,"new":%s,"old":%s}}`,
			h.kind, h.revision, h.key, change[[2]bool{h.before == "null", h.after == "null"}], h.revision, h.after, h.before),
	}
}

// where finds a sighting by "ENDPOINT KEY REVISION", of the first rule unless
// a kind follows.
func where(all []sighting, name string) int {
	f := strings.Fields(name)
	id := "evt_" + f[1] + f[2] + strings.Join(append(f[3:], "any")[:1], "")
	return slices.IndexFunc(all, func(s sighting) bool { return s.endpoint == f[0] && s.id == id })
}

func sightingOf(all []sighting, name string) sighting { return all[where(all, name)] }

func without(name string) func([]sighting) []sighting {
	return func(all []sighting) []sighting { i := where(all, name); return slices.Delete(all, i, i+1) }
}

func insertAfter(all []sighting, name string, s sighting) []sighting {
	return slices.Insert(all, where(all, name)+1, s)
}

func insertBefore(all []sighting, name string, s sighting) []sighting {
	return slices.Insert(all, where(all, name), s)
}

// reworded changes the text of a revision, named "KEY REVISION", at both
// endpoints.
func reworded(name, before, after string) func([]sighting) []sighting {
	return func(all []sighting) []sighting {
		for _, endpoint := range []string{"shop ", "audit ", "wiki "} {
			s := &all[where(all, endpoint+name)]
			s.body = strings.Replace(s.body, before, after, 1)
		}
		return all
	}
}

func renamed(s sighting) sighting {
	s.id += "_again"
	return s
}

func inRun(run int, s sighting) sighting {
	s.run = run
	return s
}
