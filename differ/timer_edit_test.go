package differ_test

import (
	"testing"
	"testing/synctest"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

// Nothing is told of a source that is disabled.
func TestTimersOfADisabledSource(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(_ *testing.T, c *calendar) {
		c.take("a "+atNoon, `b "2000-01-01T13:00:00Z"`)
		c.stop()
		c.settings.Disabled = true
		c.start()
		c.until("12:30:00")
		c.restart()
		c.stop()
		c.settings.Disabled = false
		c.start()
		c.until("23:00:00")
		c.expect("soon b@0 13:00:00")
	})
}

// Editing a rule moves the timers that wait for their time, and tells nothing
// a second time.
func TestTimersAndEdits(t *testing.T) {
	runCalendar(t, atOnce(differ.Settings{}), func(t *testing.T, c *calendar) {
		edit := func(s differ.Settings) {
			t.Helper()
			c.stop()
			c.settings = s
			c.start()
			synctest.Wait()
		}
		c.take("a "+atNoon, `b "2000-01-01T14:00:00"`, "c null")
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers without a rule", n)
		}
		edit(reminders(differ.RuleSettings{})) // a new rule: of what is remembered
		c.restart()
		c.until("11:58:00")
		c.expect()
		edit(reminders(differ.RuleSettings{Before: minutes(1)}))
		c.until("11:59:00")
		c.expect("soon a@0 11:59:00")
		edit(reminders(differ.RuleSettings{Late: minutes(5), To: []string{"shop"}, When: "true"}))
		c.until("12:30:00")
		c.expect() // told of that time already
		edit(reminders(differ.RuleSettings{At: "new.other"}))
		edit(reminders(differ.RuleSettings{At: `new["start"]`}))
		moved := reminders(differ.RuleSettings{})
		moved.Timezone = "Europe/Berlin" // of b
		edit(moved)
		c.until("13:00:00")
		c.expect("soon b@0 13:00:00")
		edit(atOnce(differ.Settings{}))
		if n := differ.Timers(c.differ, "s"); n != 0 {
			t.Errorf("%d timers of a rule that is gone", n)
		}
		c.until("13:11:00")
		edit(moved)
		c.until("23:00:00")
		c.expect()
	})
}

// A change of what is picked has all items remembered anew, and their timers.
func TestTimersAndANewShape(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(_ *testing.T, c *calendar) {
		c.take("a "+atNoon, "b "+atNoon, `c "2000-01-01T13:00:00Z"`)
		c.stop()
		c.response.Pick = ordered.Map[string]{{Key: "begin", Value: "start"}}
		c.settings = reminders(differ.RuleSettings{At: "new.begin", Before: minutes(10)})
		c.start()
		c.until("11:55:00")
		c.expect() // nothing is known of begin
		c.take("a "+atNoon, `c "2000-01-01T14:00:00Z"`)
		c.until("23:00:00")
		c.expect("soon a@0 11:50:00", "soon c@0 13:50:00")
	})
}

// So it is where the rule itself stays: what is remembered was read otherwise,
// and says nothing of what the rule asks for.
func TestTimersWaitForANewShape(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		c.take("a "+atNoon, `b "2000-01-01T12:08:00Z"`, `c "2000-01-01T11:00:00Z" true`)
		c.stop()
		c.response.Pick = ordered.Map[string]{{Key: "start", Value: "start"}, {Key: "off", Value: "more"}}
		c.settings = reminders(differ.RuleSettings{When: "not new.off"})
		c.start()
		c.until("12:05:00")
		c.expect() // whether a is off is not known
		if n := c.metric("deltahook_rule_errors_total", ""); n != 0 {
			t.Errorf("%v errors of the rule", n)
		}
		c.take("a "+atNoon+" false", `b "2000-01-01T12:08:00Z" false`)
		c.until("23:00:00")
		c.expect("soon a@0 12:00:00", "soon b@0 12:08:00")
	})
}

// A watch key that is done has no next answer: its times are told of what is
// remembered.
func TestTimersOfADoneKeyWaitForNothing(t *testing.T) {
	done := reminders(differ.RuleSettings{})
	done.Watch.Until = "new.more == true"
	runCalendar(t, done, func(_ *testing.T, c *calendar) {
		c.watch = "k1"
		c.take("a " + atNoon + " true")
		c.watch = "k2"
		c.take("a " + atNoon + " false")
		c.stop()
		c.response.Ignore = []string{"x"}
		c.start()
		c.until("23:00:00")
		if events := c.told(); len(events) != 1 || events[0].Watch != "k1" {
			c.t.Errorf("told %+v", events)
		}
	})
}

// A source that has watch keys from now on has no other items any more.
func TestTimersOfASourceThatGetsWatchKeys(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(_ *testing.T, c *calendar) {
		c.take("a " + atNoon)
		c.stop()
		c.settings.Watch.Keyed = true
		c.start()
		c.watch = "k1"
		c.take("a " + atNoon)
		c.until("23:00:00")
		if events := c.told(); len(events) != 1 || events[0].Watch != "k1" {
			c.t.Errorf("told %+v", events)
		}
	})
}

func TestTimersGoOnAfterAReset(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		c.take("a "+atNoon, "b "+atNoon, `c "2000-01-01T13:00:00Z"`)
		reset := c.answer("")
		reset.Pages, reset.Reset = nil, true
		if err := c.differ.Take(t.Context(), reset); err != nil {
			t.Fatal(err)
		}
		c.until("12:00:00")
		c.expect("soon a@0 12:00:00", "soon b@0 12:00:00")
		c.take("a " + atNoon)
		c.until("23:00:00")
		c.expect()
	})
}

func TestTimersOfWatchKeys(t *testing.T) {
	runCalendar(t, reminders(differ.RuleSettings{}), func(t *testing.T, c *calendar) {
		for _, c.watch = range []string{"k1", "k2", "k3"} {
			c.take("a " + atNoon)
		}
		if err := c.differ.Forget(t.Context(), "s", "k2"); err != nil {
			t.Fatal(err)
		}
		c.restart()
		if err := c.differ.Forget(t.Context(), "s", "k3"); err != nil {
			t.Fatal(err)
		}
		c.until("23:00:00")
		events := c.told()
		if len(events) != 1 || events[0].Watch != "k1" || events[0].Source != "s" {
			t.Errorf("told %+v", events)
		}
	})
}
