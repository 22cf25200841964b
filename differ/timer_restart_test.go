package differ_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

// A process that is started anew every now and then tells of times
// exactly what one tells that goes on, whatever is configured.
func TestTimersAndRestarts(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var lives [2][]string
			for i := range lives {
				synctest.Test(t, func(t *testing.T) {
					r := &reminded{random: rand.New(rand.NewPCG(uint64(seed), 1)), restarts: i == 1}
					lives[i] = r.play(t)
				})
			}
			if diff := cmp.Diff(lives[0], lives[1]); diff != "" {
				t.Errorf("told (-goes on +restarts):\n%s", diff)
			}
		})
	}
}

// reminded is a random life of a source with reminders. Its random numbers do
// not depend on whether it restarts.
type reminded struct {
	*calendar
	random   *rand.Rand
	restarts bool
	step     int
	is       map[string]string // items as they are now
}

// drawn are random settings.
func (r *reminded) drawn() (differ.Settings, differ.ResponseSettings) {
	pick := func(all ...string) string { return all[r.random.IntN(len(all))] }
	rule := func() differ.RuleSettings {
		s := differ.RuleSettings{At: pick("new.start", `new["start"]`), When: pick("", "", "new.more != 1")}
		s.Before, s.Late = minutes(r.random.IntN(3)*5), minutes(r.random.IntN(3)*10)
		if r.random.IntN(3) == 0 {
			s.Cooldown = minutes(1 + r.random.IntN(30))
		}
		return s
	}
	s := reminders(rule())
	if r.random.IntN(2) == 0 {
		s.Events = append(s.Events, ordered.Entry[differ.RuleSettings]{Key: "other", Value: rule()})
	}
	response := listed
	if response.Absent = pick("", "kept"); response.Absent == "kept" && r.random.IntN(2) == 0 {
		response.ForgetAfter = minutes(20 + r.random.IntN(60))
	}
	if r.random.IntN(4) == 0 {
		response.Ignore = []string{"nothing"}
	}
	return s, response
}

func (r *reminded) play(t *testing.T) []string {
	settings, response := r.drawn()
	r.calendar = newCalendar(t, settings)
	r.response, r.options.Alerts = response, []string{"ops"}
	r.is = map[string]string{}
	start := r.now()
	r.start()
	var log []string
	for range 60 {
		switch op := r.random.IntN(20); {
		case op < 11:
			r.watch = []string{"", "k1", "k2"}[r.random.IntN(3)]
			if r.watch == "" {
				r.watch = "k1"
			}
			log = append(log, r.answerNow(start))
		case op < 17:
			time.Sleep(time.Duration(1+r.random.IntN(15)) * time.Minute)
		case op == 17:
			if err := r.differ.Forget(t.Context(), "s", "k2"); err != nil {
				t.Fatal(err)
			}
			log = append(log, "forget k2")
		case op == 18:
			r.stop()
			r.settings, r.response = r.drawn()
			log = append(log, "edit")
			r.start()
		}
		synctest.Wait()
		if restart := r.random.IntN(3) == 0; restart && r.restarts {
			if r.step++; r.step%2 == 0 {
				r.kill()
			} else {
				r.stop()
			}
			r.start()
			synctest.Wait()
		}
	}
	time.Sleep(3 * time.Hour)
	synctest.Wait()
	r.stop()
	var told []string
	for _, e := range r.told() {
		told = append(told, fmt.Sprintf("%s %s %s@%d %s %s %s", e.Type, e.Watch, e.Key, e.Revision, e.Time.Format("15:04:05"), e.New, e.Data))
	}
	slices.Sort(told)
	if t.Failed() {
		t.Log(strings.Join(log, "\n"))
	}
	return told
}

// answerNow takes in an answer in which some items moved.
func (r *reminded) answerNow(start time.Time) string {
	now := int(r.now().Sub(start) / time.Minute)
	var items []string
	for _, name := range []string{"a", "b", "c"} {
		key := r.watch + name
		switch r.random.IntN(6) {
		case 0:
			continue
		case 1:
			r.is[key] = name + " null"
		case 2, 3:
			at := start.Add(time.Duration(now+r.random.IntN(60)-20) * time.Minute)
			r.is[key] = fmt.Sprintf("%s %q %d", name, at.Format(time.RFC3339), r.random.IntN(2))
		}
		if is, ok := r.is[key]; ok {
			items = append(items, is)
		}
	}
	r.take(items...)
	return fmt.Sprintf("%d %s %q", now, r.watch, items)
}
