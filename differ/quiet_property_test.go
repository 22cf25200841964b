package differ_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// Whatever happens, silence and its end are told by turns: silence not before
// its time and of the right last change, its end when something changed and at
// no other time, and in the end that all is silent.
func TestQuietWhateverHappens(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playQuiet(t, rand.New(rand.NewPCG(uint64(seed), 2))) })
		})
	}
}

// silence is what is known of a source that is expected to change.
type silence struct {
	*calendar
	random  *rand.Rand
	version map[string]int // of the item of a watch key; 0: it was never answered
	last    time.Time      // of a change or a first answer
	changed time.Time
	log     []string
}

func playQuiet(t *testing.T, random *rand.Rand) {
	s := &silence{calendar: newCalendar(t, expecting()), random: random, version: map[string]int{}}
	s.options.Alerts = []string{"ops"}
	s.start()
	quiet := false
	hear := func() {
		t.Helper()
		for _, e := range s.told() {
			s.log = append(s.log, fmt.Sprint(e.Time.Format("15:04"), " ", e.Type, " ", string(e.Data)))
			s.hold(e, quiet)
			quiet = e.Type == differ.TypeQuiet
		}
		if quiet && s.changed.Equal(s.last) && s.changed.Equal(s.now()) {
			t.Error("something changed and it is not told")
		}
	}
	for range 80 {
		s.step(t)
		synctest.Wait()
		hear()
	}
	for _, key := range []string{"k1", "k2", "k3"} {
		s.answerOf(key, false)
		synctest.Wait()
		hear()
	}
	time.Sleep(5 * time.Hour)
	if hear(); !quiet {
		t.Error("in the end it is not told that nothing changes")
	}
	s.stop()
	if t.Failed() {
		t.Log(strings.Join(s.log, "\n"))
	}
}

// hold holds an event against what is known.
func (s *silence) hold(e differ.Event, quiet bool) {
	s.t.Helper()
	var data struct {
		Since      time.Time
		LastChange time.Time `json:"last_change"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		s.t.Fatal(err)
	}
	switch {
	case (e.Type == differ.TypeQuiet) == quiet:
		s.t.Errorf("%s: %s is told twice in a row", e.Time, e.Type)
	case !data.LastChange.Equal(s.last):
		s.t.Errorf("%s: %s says that the last change was at %s, it was at %s", e.Time, e.Type, data.LastChange, s.last)
	case e.Type == differ.TypeQuiet && (!data.Since.Equal(s.last.Add(2*time.Hour)) || e.Time.Before(data.Since)):
		s.t.Errorf("%s: it is quiet since %s, the last change was at %s", e.Time, data.Since, s.last)
	case e.Type == differ.TypeActive && !s.changed.Equal(s.last):
		s.t.Errorf("%s: nothing has changed", e.Time)
	}
}

func (s *silence) step(t *testing.T) {
	op := s.random.IntN(16)
	s.log = append(s.log, fmt.Sprintf("%s: %d", s.now().UTC().Format("02 15:04"), op))
	key := fmt.Sprint("k", 1+s.random.IntN(3))
	switch {
	case op < 5:
		s.answerOf(key, op == 0)
	case op < 11:
		time.Sleep(time.Duration(1+s.random.IntN(60)) * time.Minute)
	case op == 11:
		if err := s.differ.Forget(t.Context(), "s", key); err != nil {
			t.Fatal(err)
		}
		delete(s.version, key)
	case op < 14:
		s.restart()
	case op == 14:
		s.kill()
		s.start()
	default: // the store cannot be written, or what it says is lost
		fails := [2]error{errors.New("full"), nil}
		if s.random.IntN(2) == 0 {
			fails[0], fails[1] = fails[1], fails[0]
		}
		s.store.fail(fails[0], fails[1])
		time.Sleep(time.Duration(1+s.random.IntN(10)) * time.Minute)
		s.store.fail(nil, nil)
		time.Sleep(2 * time.Minute)
	}
}

// answerOf has a watch key answered, with a change or without.
func (s *silence) answerOf(key string, changes bool) {
	s.watch = key
	switch v := s.version[key]; {
	case v == 0:
		s.last = s.now()
		fallthrough
	case changes:
		s.version[key] = v + 1
		if v > 0 {
			s.last, s.changed = s.now(), s.now()
		}
	}
	s.take(fmt.Sprintf("a null %d", s.version[key]))
}
