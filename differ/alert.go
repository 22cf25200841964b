package differ

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// alertPause is how long an alert of one kind about one subject is not told
// again: what comes and goes is told once, and again if it is still so, or so
// again, when this has passed.
const alertPause = 10 * time.Minute

// Units of the subjects that alerts are of begin with these. No source's name
// has a slash, so what is noted of a subject is in nobody's way: a source that
// never answered has no snapshot by it.
const (
	ofSource   = "sources/"
	ofEndpoint = "endpoints/"
	ofAuth     = "auth/"
	authOf     = "/auth" // after one of the first two: credentials that stand there
)

func isSubject(unit string) bool { return strings.Contains(unit, "/") }

// alerts is what was told of a subject; all times are Unix milliseconds. It is
// stored as a note of the subject's unit.
type alerts struct {
	Open map[string]int64 `json:"open,omitempty"` // what is wrong, by type of the event: since when
	Last map[string]int64 `json:"last,omitempty"` // when each type was told last
}

// readAlerts reads the data of a note; what is none says nothing.
func readAlerts(data []byte) (a alerts) {
	if data == nil || json.Unmarshal(data, &a) != nil {
		return alerts{}
	}
	return a
}

func (a alerts) note() Note {
	n := Note{Name: noteAlerts}
	if len(a.Open)+len(a.Last) > 0 {
		n.Data, _ = json.Marshal(a)
	}
	return n
}

// paused reports whether an alert of a type was told too lately, and until
// when. A clock that was ahead pauses nothing.
func (a alerts) paused(kind string, now time.Time) (until int64, paused bool) {
	last, told := a.Last[kind]
	since := now.UnixMilli() - last
	return last + alertPause.Milliseconds(), told && since >= 0 && since < alertPause.Milliseconds()
}

// since is when the first of what is wrong began.
func (a alerts) since() time.Time {
	return time.UnixMilli(slices.Min(slices.Collect(maps.Values(a.Open)))).UTC()
}

// alerting is how the subjects are, as far as they said since the start. What
// was told of them is in their memories.
type alerting struct {
	failingAfter int           // 0: never
	staleAfter   time.Duration // 0: never

	mu        sync.Mutex
	vigils    map[string]*vigil // by source
	endpoints map[string]EndpointHealth
	access    map[string]Access // by unit
}

func newAlerting(o Options) *alerting {
	return &alerting{
		failingAfter: o.FailingAfter, staleAfter: o.StaleAfter,
		vigils: map[string]*vigil{}, endpoints: map[string]EndpointHealth{}, access: map[string]Access{},
	}
}

// loadAlerts takes in what is stored of a subject.
func (d *Differ) loadAlerts(s State) {
	source := sourceOf(s.Source)
	if d.sources[source] == nil {
		return // what is no source is read when there is something to say
	}
	mem := remember(s)
	d.mu.Lock()
	d.memories[s.Source], d.stored[s.Source] = mem, s.Bookmarks
	d.mu.Unlock()
	d.alerting.mu.Lock()
	defer d.alerting.mu.Unlock()
	d.vigilOf(source).open = len(mem.alerts.Open) > 0
}

// wrong is something that is wrong with a subject.
type wrong struct {
	kind  string // type of the event
	since time.Time
	data  any
}

// verdict is how a subject is.
type verdict struct {
	wrong []wrong
	over  bool   // what was told to be wrong is no more
	ended string // type of the event that says so; "": none does
	data  func(a alerts) any
	to    []string
	again time.Time // when time alone may change it; zero: never
}

// lookAtAlerts tells what is to be told of a subject.
func (d *Differ) lookAtAlerts(ctx context.Context, unit string) error {
	mem, release, err := d.borrow(ctx, unit)
	if err != nil {
		return err
	}
	defer release()
	now := d.now()
	v := d.judge(unit, now)
	told, events, err := d.alert(unit, mem.alerts, &v, now)
	if err != nil {
		return err
	}
	if told != nil {
		if err := d.write(ctx, unit, mem, []Note{told.note()}, events); err != nil {
			return err
		}
	}
	d.clock.works(task{unit: unit})
	d.lookAgain(unit, mem.alerts, v)
	return nil
}

// judge says how a subject is.
func (d *Differ) judge(unit string, now time.Time) verdict {
	d.alerting.mu.Lock()
	defer d.alerting.mu.Unlock()
	endpoint, isEndpoint := strings.CutPrefix(unit, ofEndpoint)
	switch source := sourceOf(unit); {
	case source != "":
		return d.judgeSource(source, now)
	case isEndpoint && !strings.HasSuffix(endpoint, authOf):
		return d.judgeEndpoint(endpoint)
	}
	return d.judgeAccess(unit)
}

// sourceOf is the source that a subject is; "": it is something else.
func sourceOf(unit string) string {
	source, ok := strings.CutPrefix(unit, ofSource)
	if !ok || strings.HasSuffix(source, authOf) {
		return ""
	}
	return source
}

// alert is what follows from how a subject is and what was told of it; nil:
// nothing does.
func (d *Differ) alert(unit string, was alerts, v *verdict, now time.Time) (told *alerts, events []Event, err error) {
	if v.over {
		return d.allClear(unit, was, v, now)
	}
	if len(v.to) == 0 {
		return nil, nil, nil // nobody was told; who is configured later shall be
	}
	is := alerts{Open: maps.Clone(was.Open), Last: maps.Clone(was.Last)}
	if is.Open == nil {
		is.Open = map[string]int64{}
	}
	if is.Last == nil {
		is.Last = map[string]int64{}
	}
	for _, w := range v.wrong {
		if _, open := was.Open[w.kind]; open {
			continue
		}
		if until, paused := was.paused(w.kind, now); paused {
			v.again = sooner(v.again, time.UnixMilli(until))
			continue
		}
		e, _, err := d.ownEvent(w.kind, unit, now, w.data, v.to)
		if err != nil {
			return nil, nil, err
		}
		is.Open[w.kind], is.Last[w.kind] = w.since.UnixMilli(), now.UnixMilli()
		events, told = append(events, e), &is
	}
	return told, events, nil
}

// allClear ends what was told to be wrong.
func (d *Differ) allClear(unit string, was alerts, v *verdict, now time.Time) (told *alerts, events []Event, err error) {
	if len(was.Open) == 0 {
		return nil, nil, nil
	}
	if v.ended != "" {
		e, ok, err := d.ownEvent(v.ended, unit, now, v.data(was), v.to)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			events = append(events, e)
		}
	}
	return &alerts{Last: was.Last}, events, nil
}

// sooner is the earlier of two times, of which the zero value is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// lookAgain has a subject looked at when time alone may change how it is.
func (d *Differ) lookAgain(unit string, told alerts, v verdict) {
	if source := sourceOf(unit); source != "" {
		d.watchOn(source, len(told.Open) > 0, v.again)
	} else if !v.again.IsZero() {
		d.clock.set(task{unit: unit}, v.again.UnixMilli(), true)
	}
}
