package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/units"
)

// expecting is a source that expects a change every two hours, and tells ops of
// its own events, and of no other.
func expecting() differ.Settings {
	s := reminders(differ.RuleSettings{At: "nil"})
	s.Changes.ExpectWithin = units.Duration(2 * time.Hour)
	return s
}

func runQuiet(t *testing.T, s differ.Settings, test func(t *testing.T, c *calendar)) {
	t.Helper()
	runCalendar(t, s, func(t *testing.T, c *calendar) {
		c.stop()
		c.options.Alerts = []string{"ops"}
		c.start()
		test(t, c)
	})
}

// expectOwn compares the own events told since it was asked last with "TYPE
// TIME SINCE LAST_CHANGE".
func (c *calendar) expectOwn(want ...string) {
	c.t.Helper()
	got := []string{}
	for _, e := range c.told() {
		var data struct {
			Source       string
			Since        time.Time
			LastChange   time.Time `json:"last_change"`
			ExpectWithin string    `json:"expect_within"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Source != "s" || data.ExpectWithin != "2h" || e.Key != "" || len(e.Bodies) != 1 || e.Bodies[0].Endpoint != "ops" {
			c.t.Errorf("told %+v, %s", e, e.Data)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s", e.Type, e.Time.Format("15:04:05"), data.Since.Format("15:04"), data.LastChange.Format("15:04")))
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		c.t.Errorf("at %s, told (-want +got):\n%s", c.now().UTC().Format(time.RFC3339), diff)
	}
}

func TestQuietIsToldOnceAndItsEnd(t *testing.T) {
	runQuiet(t, expecting(), func(_ *testing.T, c *calendar) {
		c.until("01:00:00")
		c.take("a")
		c.until("02:59:59")
		c.take("a") // no change
		c.expectOwn()
		c.until("03:00:00")
		c.expectOwn("source.quiet 03:00:00 03:00 01:00")
		c.until("06:00:00")
		c.take("a")
		c.restart()
		c.take("a")
		c.until("10:00:00")
		c.expectOwn()
		c.take("a 1")
		c.expectOwn("source.active 10:00:00 03:00 10:00")
		c.until("11:30:00")
		c.take("a 2")
		c.restart()
		c.take("a 2")
		c.until("13:00:00")
		c.expectOwn()
		c.until("14:00:00")
		c.expectOwn("source.quiet 13:30:00 13:30 11:30")
		c.take()
		c.expectOwn("source.active 14:00:00 13:30 14:00")
	})
}

// After downtime nothing is told before the source was asked: what changed
// meanwhile could not be seen.
func TestQuietAfterDowntime(t *testing.T) {
	runQuiet(t, expecting(), func(_ *testing.T, c *calendar) {
		c.take("a")
		c.until("01:00:00")
		c.stop()
		c.until("05:00:00")
		c.start()
		c.until("09:00:00")
		c.expectOwn()
		c.take("a 1")
		c.until("10:59:00")
		c.expectOwn()
		c.stop()
		c.until("15:00:00")
		c.start()
		c.until("16:00:00")
		c.take("a 1")
		c.expectOwn("source.quiet 16:00:00 11:00 09:00")
	})
}

// All watch keys of a source count together, and what changed while nothing ran
// is waited for.
func TestQuietOfWatchKeys(t *testing.T) {
	runQuiet(t, expecting(), func(_ *testing.T, c *calendar) {
		take := func(key, item string) { c.watch = key; c.take(item) }
		take("k1", "a")
		c.until("01:00:00")
		take("k2", "b") // the baseline of a new key
		c.until("02:30:00")
		take("k1", "a 1")
		c.until("04:00:00")
		take("k2", "b")
		c.expectOwn()
		c.until("04:30:00")
		c.expectOwn("source.quiet 04:30:00 04:30 02:30")
		c.restart()
		take("k3", "c") // nor is this a change
		c.expectOwn()
		take("k2", "b 1")
		c.expectOwn("source.active 04:30:00 04:30 04:30")
		c.stop()
		c.until("10:00:00")
		c.start()
		take("k1", "a 1")
		take("k3", "c")
		c.expectOwn()
		c.until("11:00:00")
		take("k2", "b 2")
		c.expectOwn()
		c.stop()
		c.until("15:00:00")
		c.start()
		take("k1", "a 1") // k2 and k3 do not answer, but this has run for long enough
		c.until("16:59:59")
		c.expectOwn()
		c.until("17:00:00")
		c.expectOwn("source.quiet 17:00:00 13:00 11:00")
		take("k3", "c 1")
		c.expectOwn("source.active 17:00:00 13:00 17:00")
	})
}

// It may be configured for a source that is known already.
func TestQuietOfASourceThatIsKnown(t *testing.T) {
	plain := expecting()
	plain.Changes.ExpectWithin = 0
	runQuiet(t, plain, func(_ *testing.T, c *calendar) {
		c.take("a")
		c.until("01:00:00")
		c.take("a 1")
		c.until("05:00:00")
		c.expectOwn()
		c.stop()
		c.settings = expecting()
		c.start()
		c.take("a 1")
		c.expectOwn("source.quiet 05:00:00 03:00 01:00")
	})
}

// A baseline that is not told is no change: one by new settings neither.
func TestQuietAndANewShape(t *testing.T) {
	runQuiet(t, expecting(), func(_ *testing.T, c *calendar) {
		c.take("a")
		c.until("02:00:00")
		c.expectOwn("source.quiet 02:00:00 02:00 00:00")
		c.stop()
		c.response.Ignore = []string{"x"}
		c.start()
		c.take("a")
		c.restart()
		c.take("a")
		c.until("23:00:00")
		c.expectOwn()
		c.take("a 1")
		c.expectOwn("source.active 23:00:00 02:00 23:00")
	})
}

func TestQuietWhenTheStoreFails(t *testing.T) {
	for _, fails := range [][2]error{{errors.New("full"), nil}, {nil, errors.New("full")}} {
		runQuiet(t, expecting(), func(_ *testing.T, c *calendar) {
			c.take("a")
			c.until("01:59:00")
			c.store.fail(fails[0], fails[1])
			c.until("02:10:00")
			c.store.fail(nil, nil)
			c.until("05:00:00")
			c.restart()
			c.take("a")
			c.until("06:00:00")
			n := len(c.told())
			if n != 1 {
				c.t.Errorf("%d events", n)
			}
		})
	}
}

// Without alerts it is logged, and once.
func TestQuietIsLogged(t *testing.T) {
	runCalendar(t, expecting(), func(t *testing.T, c *calendar) {
		log := &capture{}
		c.stop()
		c.options.Logger = log.logger()
		c.start()
		c.take("a")
		c.until("05:00:00")
		c.restart()
		c.take("a")
		c.until("06:00:00")
		c.take("a 1")
		c.expectOwn()
		if quiet, active := strings.Count(log.String(), "longer than expected"), strings.Count(log.String(), "changes again"); quiet != 1 || active != 1 {
			t.Errorf("quiet is logged %d times, active %d times:\n%s", quiet, active, log)
		}
	})
}

// A watch key that is removed takes nothing along of when its source changed.
func TestQuietWhenAWatchKeyIsForgotten(t *testing.T) {
	runQuiet(t, expecting(), func(t *testing.T, c *calendar) {
		take := func(key, item string) { c.watch = key; c.take(item) }
		forget := func(key string) {
			t.Helper()
			if err := c.differ.Forget(t.Context(), "s", key); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"k1", "k2", "k3"} {
			take(key, "a")
		}
		take("k1", "a 1")
		c.until("01:30:00")
		take("k2", "a 1")
		forget("k2")
		c.kill()
		c.start()
		take("k1", "a 1")
		take("k3", "a")
		c.until("03:29:00")
		c.expectOwn()
		c.until("03:30:00")
		c.expectOwn("source.quiet 03:30:00 03:30 01:30")
		take("k3", "a 1")
		c.expectOwn("source.active 03:30:00 03:30 03:30")
		c.until("06:00:00")
		c.expectOwn("source.quiet 05:30:00 05:30 03:30")
		forget("k3")
		c.restart()
		take("k1", "a 1")
		c.until("12:00:00")
		c.expectOwn()
		take("k1", "a 2")
		c.expectOwn("source.active 12:00:00 05:30 12:00")
	})
}

// Of a source that forgets items nobody knows when it changed before changes
// were expected: it is counted from then on.
func TestQuietOfAKnownSourceThatForgets(t *testing.T) {
	plain := expecting()
	plain.Changes.ExpectWithin = 0
	runQuiet(t, plain, func(_ *testing.T, c *calendar) {
		c.response.Absent, c.response.ForgetAfter = "kept", units.Duration(24*time.Hour)
		edit := func(s differ.Settings) {
			c.stop()
			c.settings = s
			c.start()
			c.take("a 1")
		}
		edit(plain)
		c.until("05:00:00")
		edit(expecting())
		c.until("06:00:00")
		c.expectOwn()
		edit(expecting()) // a restart does not count from the beginning
		c.until("07:00:00")
		c.expectOwn("source.quiet 07:00:00 07:00 05:00")
		edit(plain)
		c.until("08:00:00")
		edit(expecting())
		c.until("09:59:00")
		c.expectOwn()
		c.until("10:00:00")
		c.expectOwn("source.quiet 10:00:00 10:00 08:00")
	})
}
