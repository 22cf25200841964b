package differ_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
)

const atNoon = `"2000-01-01T12:00:00Z"`

func TestTimerTellsOnce(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{Before: minutes(5)}), func(t *testing.T, c *calendar) {
		c.take("a " + atNoon + ` {"n":1.50}`)
		c.until("11:54:59")
		c.expect()
		c.until("11:55:00")
		events := c.told()
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		e := events[0]
		if e.Type != "soon" || e.Change != differ.Due || e.Key != "a" || e.Revision != 0 || e.Old != nil || e.Diff != nil ||
			!e.Time.Equal(time.Date(2000, 1, 1, 11, 55, 0, 0, time.UTC)) || len(e.Bodies) != 1 {
			t.Errorf("told %+v", e)
		}
		if want := `{"id":"a","start":"2000-01-01T12:00:00Z","more":{"n":1.50}}`; string(e.New) != want || string(e.Item) != want {
			t.Errorf("new is %s, item is %s, want %s", e.New, e.Item, want)
		}
		c.take("a " + atNoon + ` 2`) // changes, and its time does not
		c.until("13:00:00")
		c.restart()
		c.until("23:00:00")
		c.expect()
		if n := c.metric("deltahook_timers_total", ""); n != 0 {
			t.Errorf("%v times have come since the restart", n)
		}
	})
}

func TestTimerAfterATime(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{After: minutes(30)}), func(_ *testing.T, c *calendar) {
		c.take()
		c.take("a " + atNoon)
		c.until("23:00:00")
		c.expect("soon a@1 12:30:00")
	})
}

func TestTimersInTheOrderOfTheirTimes(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		var items []string
		for i := range 500 {
			items = append(items, fmt.Sprintf(`k%d "2000-01-01T%02d:%02d:00Z"`, i, 1+i%7, i%60))
		}
		c.take(items...)
		c.until("23:00:00")
		events := c.told()
		if len(events) != 500 {
			t.Fatalf("%d events, want 500", len(events))
		}
		for i := range events[1:] {
			if events[i+1].Time.Before(events[i].Time) {
				t.Fatalf("%s is told after %s", events[i+1].Time, events[i].Time)
			}
		}
	})
}

// A time that moves before it has come is told as it is then; one that moves
// afterwards is told again; none is told twice.
func TestTimerMoves(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(_ *testing.T, c *calendar) {
		at := func(clock string) string { return `a "2000-01-01T` + clock + `Z"` }
		c.take(at("12:00:00"))
		c.take(at("11:00:00"))
		c.restart()
		c.take(at("13:00:00"))
		c.take(at("10:00:00"))
		c.until("11:30:00")
		c.expect("soon a@3 10:00:00")
		c.take(at("12:00:00"))
		c.until("12:01:00")
		c.expect("soon a@4 12:00:00")
		c.take(at("12:05:00"))
		c.until("12:06:00")
		c.expect("soon a@5 12:05:00")
		c.take(at("12:00:00")) // again, and lately enough
		c.restart()
		c.take(at("12:05:00"))
		c.until("12:07:00")
		c.take(at("12:06:30"))
		c.until("23:00:00")
		c.expect("soon a@8 12:06:30") // it moved into the past, not too far
	})
}

func TestTimerIsDropped(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		c.take("a "+atNoon, "b "+atNoon, "c "+atNoon, "d "+atNoon, "e "+atNoon)
		c.take("b null", `c ""`, "d", "e 1e30")
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		c.restart()
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers are left after a restart", n)
		}
		c.until("23:00:00")
		c.expect()
	})
}

// An item that went, or lost its time, and comes back is not told of twice.
func TestTimerOfAnItemThatFlaps(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		c.take("a "+atNoon, "b "+atNoon)
		c.until("12:00:01")
		c.expect("soon a@0 12:00:00", "soon b@0 12:00:00")
		c.take("b null")
		c.restart()
		c.take("a "+atNoon, "b "+atNoon)
		c.until("12:01:00")
		c.take()
		c.until("12:20:00")
		c.expect()
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		c.take("a "+atNoon, "b "+atNoon)
		c.until("23:00:00")
		c.expect()
	})
}

// What is due when an item is first seen is told where it isn't too late.
func TestTimerThatIsPastWhenItIsMade(t *testing.T) {
	for name, first := range map[string]func(c *calendar){"a baseline": func(*calendar) {}, "a change": func(c *calendar) { c.take() }} {
		t.Run(name, func(t *testing.T) {
			runCalendar(t, reminders(differ.RuleSettings{Before: minutes(5), Late: minutes(3)}), func(t *testing.T, c *calendar) {
				c.until("11:57:00")
				first(c)
				c.take("a "+atNoon, `b "2000-01-01T12:01:59Z"`, `c "2000-01-01T11:58:59Z"`, `d "1999-01-01T11:59:59Z"`)
				c.until("11:57:01")
				var got []string
				for _, e := range c.told() {
					got = append(got, e.Key)
				}
				if strings.Join(got, "") != "ab" {
					t.Errorf("told of %q, want a and b", got)
				}
				if n := c.metric("deltahook_timers_total", "late"); n != 0 {
					t.Errorf("%v times count as missed, though nobody waited for them", n)
				}
				c.restart()
				c.until("23:00:00")
				c.expect()
			})
		})
	}
}

func TestTimerAfterDowntime(t *testing.T) {
	for down, want := range map[string]int{"12:00:30": 1, "12:10:00": 1, "12:10:01": 0, "23:00:00": 0} {
		t.Run(down, func(t *testing.T) {
			runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
				log := &capture{}
				c.options.Logger = log.logger()
				c.take("a " + atNoon)
				c.until("11:59:59")
				c.stop()
				c.until(down)
				c.start()
				synctest.Wait()
				events := c.told()
				if len(events) != want {
					t.Errorf("%d events, want %d", len(events), want)
				}
				if late := c.metric("deltahook_timers_total", "late"); int(late) != 1-want {
					t.Errorf("%v times count as missed, want %d", late, 1-want)
				}
				if logged := strings.Count(log.String(), "came too late"); logged != 1-want {
					t.Errorf("it is logged %d times:\n%s", logged, log)
				}
				c.restart()
				c.until("23:59:00")
				c.expect()
				if late := c.metric("deltahook_timers_total", "late"); late != 0 {
					t.Errorf("%v times are missed a second time", late)
				}
			})
		})
	}
}

func TestTimersOnDaylightSavingNights(t *testing.T) {
	for _, c := range []struct{ zone, start, at string }{
		{"Europe/Berlin", "2000-03-26T01:30:00", "2000-03-26T00:30:00Z"},
		{"Europe/Berlin", "2000-03-26T02:30:00", "2000-03-26T01:00:00Z"}, // skipped: the end of the gap
		{"Europe/Berlin", "2000-03-26T03:30", "2000-03-26T01:30:00Z"},
		{"Europe/Berlin", "2000-10-29T02:30:00.0000000", "2000-10-29T00:30:00Z"}, // twice: the first
		{"Europe/Berlin", "2000-10-29T03:30", "2000-10-29T02:30:00Z"},
		{"America/New_York", "2000-04-02T02:15:00", "2000-04-02T07:00:00Z"},
		{"America/New_York", "2000-10-29T01:15:00", "2000-10-29T05:15:00Z"},
		{"America/New_York", "2000-10-29", "2000-10-29T04:00:00Z"},
		{"Eastern Standard Time", "2000-10-30", "2000-10-30T05:00:00Z"},
		{"", "2000-03-26T02:30:00", "2000-03-26T02:30:00Z"},
		{"Europe/Berlin", "2000-03-26T02:30:00-08:00", "2000-03-26T10:30:00Z"},
	} {
		t.Run(c.zone+" "+c.start, func(t *testing.T) {
			s := reminders(differ.RuleSettings{})
			s.Timezone = c.zone
			synctest.Test(t, func(t *testing.T) {
				cal := newCalendar(t, s)
				at, err := time.Parse(time.RFC3339, c.at)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(at.Add(-3 * time.Hour).Sub(cal.now()))
				cal.start()
				cal.take(`a "` + c.start + `"`)
				time.Sleep(3*time.Hour - time.Millisecond)
				cal.expect()
				time.Sleep(time.Millisecond)
				cal.expect("soon a@0 " + at.Format(time.TimeOnly))
				time.Sleep(5 * time.Hour)
				cal.expect()
				cal.stop()
			})
		})
	}
}

// The clock on the wall is set while the process runs: forward, what is due is
// told within a minute; back, nothing is told twice.
func TestTimersWhenTheClockIsSet(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{Late: units.Duration(3 * time.Hour)}), func(_ *testing.T, c *calendar) {
		c.take("a "+atNoon, `b "2000-01-01T20:00:00Z"`)
		c.until("10:00:00")
		c.jumped.Store(int64(2*time.Hour + time.Minute))
		time.Sleep(time.Minute)
		c.expect("soon a@0 12:00:00")
		c.jumped.Store(int64(-time.Hour))
		time.Sleep(time.Hour)
		c.until("12:30:00")
		c.restart()
		c.until("13:00:00")
		c.expect()
		c.take("a "+atNoon+" 2", `b "2000-01-01T20:00:00Z" 2`)
		c.until("23:00:00")
		c.expect("soon b@1 20:00:00")
	})
}

func TestTimerWhen(t *testing.T) {
	rule := differ.RuleSettings{When: `new.more != 1 && item.more == new.more && change == "due" && revision < 9 && old.more == nil && !changed("more")`}
	runCalendar(t, reminders(rule), func(t *testing.T, c *calendar) {
		c.take("a "+atNoon+" 1", "b "+atNoon+" 1", "c "+atNoon+" 2")
		c.take("a "+atNoon+" 2", "b "+atNoon+" 1", "c "+atNoon+" 1")
		c.until("12:00:00")
		c.expect("soon a@1 12:00:00")
		if n := c.metric("deltahook_timers_total", "untrue"); n != 2 {
			t.Errorf("%v times count as untrue, want 2", n)
		}
		c.take("a "+atNoon+" 2", "b "+atNoon+" 2", "c "+atNoon+" 2") // too late to become true
		c.until("23:00:00")
		c.expect()
	})
}

func TestTimerRuleThatFails(t *testing.T) {
	s := reminders(differ.RuleSettings{When: "new.more > 1"})
	s.Events = append(s.Events, ordered.Map[differ.RuleSettings]{{Key: "other", Value: differ.RuleSettings{At: "new.start.x"}}}...)
	runCalendar(t, s, func(t *testing.T, c *calendar) {
		log := &capture{}
		c.options.Logger = log.logger()
		c.restart()
		c.take("a "+atNoon+` "x"`, "b "+atNoon+" 2")
		if n := c.metric("deltahook_rule_errors_total", "other"); n != 2 {
			t.Errorf("%v errors of at, want 2", n)
		}
		c.until("12:00:00")
		c.expect("soon b@0 12:00:00")
		if n := c.metric("deltahook_rule_errors_total", "soon"); n != 1 {
			t.Errorf("%v errors of when, want 1", n)
		}
		if n := strings.Count(log.String(), "could not be evaluated"); n != 2 {
			t.Errorf("it is logged %d times:\n%s", n, log)
		}
	})
}

// That a rule fails is told once, whether its at or its when does.
func TestTimerRuleThatFailsIsTold(t *testing.T) {
	s := reminders(differ.RuleSettings{When: "new.more > 1"})
	runCalendar(t, s, func(t *testing.T, c *calendar) {
		c.stop()
		c.options.Alerts = []string{"ops"}
		c.start()
		failing := func(when string, want int) {
			t.Helper()
			n := 0
			for _, e := range c.told() {
				if e.Type == differ.TypeFailing && strings.Contains(string(e.Data), `"rule":"soon"`) {
					n++
				}
			}
			if n != want {
				t.Errorf("%s, it is told %d times that the rule fails, want %d", when, n, want)
			}
		}
		c.take("a " + atNoon + ` "x"`)
		failing("before the time", 0)
		c.until("12:00:00")
		failing("when the time has come", 1)
		c.take("a " + atNoon + " 2") // its time can be read
		failing("when it is well", 0)
		c.take("a true")
		failing("when there is no time", 1)
		c.restart()
		c.take("a true 3")
		failing("again", 0)
	})
}

// A rule may ask for the history that there is when the time has come.
func TestTimerAndHistory(t *testing.T) {
	s := reminders(differ.RuleSettings{When: `window("more", "1h").max > 5`})
	s.Changes.History = ordered.Map[units.Duration]{{Key: "more", Value: minutes(120)}}
	runCalendar(t, s, func(_ *testing.T, c *calendar) {
		c.until("10:59:00")
		c.take("a "+atNoon+" 7", "b "+atNoon+" 2")
		c.until("11:30:00")
		c.take("a "+atNoon+" 1", "b "+atNoon+" 8")
		c.until("11:40:00")
		c.take("a "+atNoon+" 1", "b "+atNoon+" 2")
		c.restart()
		c.until("23:00:00")
		c.expect("soon b@2 12:00:00")
	})
}

func TestTimerCooldown(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{Cooldown: minutes(60)}), func(t *testing.T, c *calendar) {
		at := func(clock string) string { return `a "2000-01-01T` + clock + `Z"` }
		c.take(at("12:00:00"), "b "+atNoon)
		c.until("12:01:00")
		c.expect("soon a@0 12:00:00", "soon b@0 12:00:00")
		c.take(at("12:30:00"))
		c.restart()
		c.until("12:31:00")
		c.expect()
		if n := c.metric("deltahook_timers_total", "cooldown"); n != 1 {
			t.Errorf("%v times were passed over, want 1", n)
		}
		c.take(at("13:00:00"), `b "2000-01-01T12:59:00Z"`) // b was gone for a while
		c.until("23:00:00")
		c.expect("soon a@2 13:00:00")
	})
}

// Where the store fails, the event waits, and comes once.
func TestTimerWhenTheStoreFails(t *testing.T) {
	full := errors.New("no space left")
	for name, fails := range map[string][2]error{"and does nothing": {full, nil}, "and has done it": {nil, full}} {
		t.Run(name, func(t *testing.T) {
			runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
				log := &capture{}
				c.options.Logger = log.logger()
				c.restart()
				c.take("a " + atNoon)
				c.until("11:59:59")
				c.store.fail(fails[0], fails[1])
				c.until("12:05:00")
				c.store.fail(nil, nil)
				c.until("23:00:00")
				c.expect("soon a@0 12:00:00")
				if c.store.tries > 15 {
					t.Errorf("the store was tried %d times within five minutes", c.store.tries)
				}
				if n := strings.Count(log.String(), "trying again"); n != 1 {
					t.Errorf("it is logged %d times:\n%s", n, log)
				}
			})
		})
	}
}

func TestPreviewOfTimers(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{Before: minutes(5)}), func(t *testing.T, c *calendar) {
		show := func(body string) string {
			t.Helper()
			p, err := c.differ.Preview(t.Context(), c.answer(body))
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, item := range slices.Concat(p.Changes, p.Others) {
				for _, r := range item.Rules {
					out = append(out, strings.TrimSpace(item.Key+" "+string(r.Verdict)+" "+strings.TrimPrefix(r.Until.Format("15:04"), "00:00")+r.Error))
				}
			}
			return strings.Join(out, ", ")
		}
		const list = `{"items":[{"id":"a","start":"2000-01-01T12:00:00Z","more":%d},{"id":"b","start":"1999-01-01T11:00:00Z"},{"id":"c"},{"id":"d","start":true}]}`
		first := "a waiting 11:55, b passed 10:55, c no_time, d error a value of the type bool is not a time"
		if got := show(fmt.Sprintf(list, 0)); got != first {
			t.Errorf("of the first answer: %s, want %s", got, first)
		}
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers were made", n)
		}
		c.take("a "+atNoon, `b "1999-01-01T11:00:00Z"`, "c", "d true")
		if got := show(fmt.Sprintf(list, 1)); got != "a waiting 11:55" {
			t.Errorf("of a change: %s", got)
		}
		c.until("12:00:00")
		if got := show(fmt.Sprintf(list, 1)); got != "a passed 11:55" {
			t.Errorf("of what was told: %s", got)
		}
	})
}

func TestTimerFaults(t *testing.T) {
	for text, rule := range map[string]differ.RuleSettings{
		"on]: does not go with at":       {At: "new.x", On: []string{"updated"}},
		"trigger]: enter does not go":    {At: "new.x", Trigger: "enter"},
		"after]: does not go with befor": {At: "new.x", Before: 1, After: 1},
		"before]: needs at":              {Before: 1},
		"after]: needs at":               {After: 1},
		"late]: needs at":                {Late: 1},
		`at]: column 5: unknown field`:   {At: "new.strt"},
		`at]: column 6: unknown field`:   {At: "item.y"},
		`when]: column 6: unknown field`: {At: "new.x", When: "item.y"},
	} {
		_, err := differ.NewSource("s", differ.Settings{Events: ordered.Map[differ.RuleSettings]{{Key: "soon", Value: rule}}},
			differ.ResponseSettings{Pick: ordered.Map[string]{{Key: "x", Value: "x"}, {Key: "start", Value: "y"}}}, nil)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want %s", rule, err, text)
		}
	}
}

// A zone may stand beside the time; null is no time.
func TestTimerWithAZoneBeside(t *testing.T) {
	rule := differ.RuleSettings{At: "time(new.start, new.more)", When: `time(new.start, new.more) > time("2000-01-01") && time(nil) == nil`}
	runCalendar(t, reminders(rule), func(_ *testing.T, c *calendar) {
		c.take(`a "2000-01-01T12:00:00" "Tokyo Standard Time"`, `b "2000-01-01T12:00:00" "Europe/Berlin"`, `c "2000-01-01T12:00:00" null`, `d null "UTC"`)
		c.until("23:00:00")
		c.expect("soon a@0 03:00:00", "soon b@0 11:00:00", "soon c@0 12:00:00")
	})
}

// While an answer is held, timers go on from what is remembered, and those that
// the answer would make are not made.
func TestTimersWhileAnAnswerIsHeld(t *testing.T) {
	s := reminders(differ.RuleSettings{})
	s.Changes.MaxDeletes = differ.Share{Set: true} // none
	runCalendar(t, s, func(t *testing.T, c *calendar) {
		c.take("a "+atNoon, "b "+atNoon)
		c.take(`a "2000-01-01T11:00:00Z"`, `c "2000-01-01T11:00:00Z"`)
		c.restart()
		c.until("12:00:00")
		c.expect("soon a@0 12:00:00", "soon b@0 12:00:00")
		if len(c.differ.Holds()) != 1 {
			t.Error("nothing is held")
		}
		if err := c.differ.Decide(t.Context(), "s", "", differ.ReleasedSilently); err != nil {
			t.Fatal(err)
		}
		c.take(`a "2000-01-01T13:00:00Z"`, `c "2000-01-01T13:00:00Z"`)
		c.until("23:00:00")
		c.expect("soon a@0 13:00:00", "soon c@0 13:00:00")
	})
}
