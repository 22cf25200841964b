package differ

import (
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// vigil is how the polls of a source ended since the start.
type vigil struct {
	last   poller.End // the last that ended; Source "": none did
	due    time.Time  // when the next is due; zero: not known
	streak poller.End // the last before the answer that ended what is told to be wrong
	open   bool       // something is told to be wrong
	told   bool       // that it is stale was logged
	armed  bool       // the clock has it looked at, at
	at     int64      // in Unix milliseconds
	judged time.Time  // v.last.At of the last look
}

// Polls is called by the poller for each source that it polls, when it starts.
func (d *Differ) Polls(source string, due time.Time) {
	d.alerting.mu.Lock()
	defer d.alerting.mu.Unlock()
	v := d.vigilOf(source)
	v.due = due
	d.windVigil(source, v)
}

// Polled is called by the poller when a poll has ended. It does not wait for
// the disk.
func (d *Differ) Polled(e poller.End) {
	a := d.alerting
	a.mu.Lock()
	defer a.mu.Unlock()
	v := d.vigilOf(e.Source)
	was := v.last
	v.last, v.due = e, e.Due
	if e.Failure == nil && (was.Failure != nil || !v.open) {
		v.streak = was
	}
	switch {
	case e.Failure == nil && (v.open || v.told):
		d.armVigil(e.Source, v, e.At)
	case e.Failure != nil && a.failingAfter > 0 && e.Failures >= a.failingAfter:
		d.armVigil(e.Source, v, e.At)
	}
	d.windVigil(e.Source, v)
}

// vigilOf is that of a source. alerting.mu is held, as by all that follows.
func (d *Differ) vigilOf(source string) *vigil {
	v := d.alerting.vigils[source]
	if v == nil {
		v = &vigil{}
		d.alerting.vigils[source] = v
	}
	return v
}

// windVigil has a source looked at when it will be stale, unless it is looked
// at before: each answer puts that off, and the look finds out.
func (d *Differ) windVigil(source string, v *vigil) {
	if at := d.alerting.deadline(v); !at.IsZero() && !v.told {
		d.armVigil(source, v, at)
	}
}

func (d *Differ) armVigil(source string, v *vigil, at time.Time) {
	if ms := at.UnixMilli(); !v.armed || ms < v.at {
		v.armed, v.at = true, ms
		d.clock.set(task{unit: ofSource + source}, ms, true)
	}
}

// since is from when on a source has had no successful poll that it should have
// had: the first of those that failed, or when one was due that did not end.
func (v *vigil) since() time.Time {
	if v.last.Failure != nil {
		return v.last.Since
	}
	return v.due
}

// deadline is when a source is stale; zero: never.
func (a *alerting) deadline(v *vigil) time.Time {
	if since := v.since(); a.staleAfter > 0 && !since.IsZero() {
		return since.Add(a.staleAfter)
	}
	return time.Time{}
}

// watchOn enters how a look at a source ended, and has it looked at again.
func (d *Differ) watchOn(source string, open bool, again time.Time) {
	d.alerting.mu.Lock()
	defer d.alerting.mu.Unlock()
	v := d.vigilOf(source)
	v.open = open
	if d.windVigil(source, v); !again.IsZero() {
		d.armVigil(source, v, again)
	}
	if open && v.answered() && v.last.At.After(v.judged) {
		d.armVigil(source, v, v.last.At)
	}
}

// answered reports whether the last poll was.
func (v *vigil) answered() bool { return v.last.Source != "" && v.last.Failure == nil }

// failureData is why the polls of a source fail.
type failureData struct {
	Failures int          `json:"failures,omitempty"` // polls in a row
	Class    poller.Class `json:"class,omitempty"`
	Error    string       `json:"error,omitempty"`
	Advice   string       `json:"advice,omitempty"`
}

// failingData is what source.failing says.
type failingData struct {
	Since time.Time `json:"since"` // when the first of them was
	failureData
}

// staleData is what source.stale says.
type staleData struct {
	Since      time.Time      `json:"since"` // when the first poll failed, or was due and did not end
	StaleAfter units.Duration `json:"stale_after"`
	failureData
}

// recoveredData is what source.recovered says.
type recoveredData struct {
	Since    time.Time `json:"since"` // since when it was failing, or stale
	Failures int       `json:"failures,omitempty"`
	Was      []string  `json:"was"` // the events that this one ends
}

// judgeSource says how a source is.
func (d *Differ) judgeSource(source string, now time.Time) verdict {
	a, v := d.alerting, d.vigilOf(source)
	v.armed, v.judged = false, v.last.At // this is the look
	j := verdict{to: d.alerts}
	failure := d.failureData(v.last)
	if f := v.last; f.Failure != nil && a.failingAfter > 0 && f.Failures >= a.failingAfter {
		j.wrong = append(j.wrong, wrong{TypeSourceFailing, f.Since, failingData{milliseconds(f.Since), failure}})
	}
	if at := a.deadline(v); !at.IsZero() && !now.Before(at) {
		since := milliseconds(v.since())
		j.wrong = append(j.wrong, wrong{TypeSourceStale, since, staleData{since, units.Duration(a.staleAfter), failure}})
		if !v.told {
			v.told = true
			d.log.Warn("no poll has succeeded for long", "source", source, "since", since, "failures", failure.Failures, "err", failure.Error)
		}
	}
	if len(j.wrong) == 0 && v.answered() {
		if v.told {
			v.told = false
			d.log.Info("a poll has succeeded again", "source", source)
		}
		failures := v.streak.Failures
		j.over, j.ended = true, TypeSourceRecovered
		j.data = func(told alerts) any { return recoveredData{told.since(), failures, told.types()} }
	}
	return j
}

func (d *Differ) failureData(e poller.End) failureData {
	if e.Failure == nil {
		return failureData{}
	}
	return failureData{e.Failures, e.Failure.Class, d.clean(e.Failure.Err.Error()), e.Failure.Advice()}
}

// milliseconds is a time as events say it.
func milliseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// types are the events that were told of what is wrong.
func (a alerts) types() (types []string) {
	for kind := range a.Open {
		types = append(types, kind)
	}
	slices.Sort(types)
	return types
}
