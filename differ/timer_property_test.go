package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
)

// reminderModel is what must be told, plainly: in minutes.
type reminderModel struct {
	at   map[string]int // the times of items; those that name none are absent
	wait map[string]bool
	told map[string]bool // "KEY MINUTE"
}

const modelBefore, modelLate = 5, 10

// look tells what is due at a minute.
func (m *reminderModel) look(now int) {
	for key, at := range m.at {
		if due := at - modelBefore; m.wait[key] && due <= now {
			m.wait[key] = false
			if now-due <= modelLate {
				m.told[fmt.Sprint(key, " ", at)] = true
			}
		}
	}
}

// answer takes in the times of items.
func (m *reminderModel) answer(at map[string]int) {
	for key, minute := range at {
		if was, ok := m.at[key]; !ok || was != minute {
			m.wait[key] = !m.told[fmt.Sprint(key, " ", minute)]
		}
	}
	m.at = at
}

// Whatever items do, and however often the process ends, is killed or cannot
// write: each time is told once, unless it came too late.
func TestTimersAgainstAModel(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playModel(t, rand.New(rand.NewPCG(uint64(seed), 0))) })
		})
	}
}

func playModel(t *testing.T, random *rand.Rand) {
	c := newCalendar(t, reminders(differ.RuleSettings{Before: minutes(modelBefore)}))
	m := &reminderModel{at: map[string]int{}, wait: map[string]bool{}, told: map[string]bool{}}
	start := c.now()
	c.start()
	now, up := 0, true
	pass := func(minutes int) {
		for range minutes {
			time.Sleep(time.Minute)
			if now++; up {
				m.look(now)
			}
		}
		synctest.Wait()
	}
	var log []string
	for range 60 {
		op := random.IntN(10)
		log = append(log, fmt.Sprintf("%d at minute %d", op, now))
		switch {
		case op < 5:
			at := map[string]int{}
			var items []string
			for _, key := range []string{"a", "b", "c"} {
				switch minute := now + random.IntN(40) - 15; random.IntN(8) {
				case 0: // it is not there
				case 1:
					items = append(items, key+" null")
				case 2, 3, 4: // as it was
					if was, ok := m.at[key]; ok {
						minute = was
					}
					fallthrough
				default:
					at[key] = minute
					items = append(items, fmt.Sprintf("%s %q %d", key, start.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339), random.IntN(2)))
				}
			}
			log = append(log, fmt.Sprint(items))
			c.take(items...)
			m.answer(at)
			m.look(now)
			synctest.Wait()
		case op < 7:
			pass(1 + random.IntN(12))
		case op == 7: // ends, or is killed: what waits to be flushed is lost
			if random.IntN(2) == 0 {
				c.kill()
			} else {
				c.stop()
			}
			if up = false; random.IntN(2) == 0 {
				pass(random.IntN(20))
			}
			c.start()
			up = true
			m.look(now)
			synctest.Wait()
		case op == 8: // the store cannot be written
			c.store.fail(errors.New("full"), nil)
			pass(1 + random.IntN(3))
			c.store.fail(nil, nil)
			pass(2)
		case op == 9: // what it says is lost
			c.store.fail(nil, errors.New("lost"))
			pass(1 + random.IntN(3))
			c.store.fail(nil, nil)
			pass(2)
		}
	}
	pass(60)
	synctest.Wait()
	c.stop()
	var got []string
	for _, e := range c.told() {
		var item struct{ Start time.Time }
		if err := json.Unmarshal(e.New, &item); err != nil {
			t.Fatal(err)
		}
		if due := item.Start.Add(-modelBefore * time.Minute); !e.Time.Equal(due) {
			t.Errorf("%s is told as due at %s, want %s", e.Key, e.Time, due)
		}
		got = append(got, fmt.Sprint(e.Key, " ", int(item.Start.Sub(start)/time.Minute)))
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(m.told)), got); diff != "" {
		t.Errorf("told (-model +differ):\n%s\nafter %v", diff, log)
	}
}
