package differ

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// firedAtOnce is how many timers of a unit are decided on in one commit.
const firedAtOnce = 200

// What becomes of a timer whose time has come, as the metric calls it.
const (
	timerTold     = "told"
	timerLate     = "late"     // it came too late
	timerUntrue   = "untrue"   // when was false
	timerCooling  = "cooldown" // the item was told of too lately
	timerFaulty   = "error"    // when could not be evaluated
	timerHomeless = ""         // nothing is to be said: its item, its rule or its time is gone
)

// wind has the clock look at a unit's timers when the first of them is due. The
// unit is locked.
func (d *Differ) wind(unit string, mem *memory) {
	source, watch := poller.CutUnit(unit)
	src := d.sources[source]
	if src == nil || src.disabled || src.keyed && watch == "" || len(src.timed) == 0 && mem.timers == nil {
		return
	}
	due, ok := mem.timers.next()
	switch {
	case d.waits(unit, src, mem):
		ok = false
	case src.knows(mem):
	case src.reads(mem):
		due, ok = 0, true
	default:
		ok = false
	}
	d.clock.set(task{unit: unit}, due, ok)
}

// knows reports whether the timers of mem were made for the rules that there
// are.
func (s *Source) knows(mem *memory) bool {
	if mem.timers == nil {
		return s.timedBy == nil
	}
	return bytes.Equal(s.timedBy, mem.timers.known)
}

// reads reports whether the contents that mem stands for are read as they would
// be now.
func (s *Source) reads(mem *memory) bool { return mem.version > 0 && mem.shape == s.shape }

// waits reports whether the contents that mem stands for were read otherwise
// than they would be now: they may say nothing of what the rules ask for, and
// the next answer makes the timers anew. Those of before a reset, and of a key
// that is not polled any more, are all there is.
func (d *Differ) waits(unit string, src *Source, mem *memory) bool {
	if mem.shape == src.shape || mem.shape == forgotten {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.standing[unit].retired.IsZero()
}

// lookAtTimers tells what is due of a unit, and makes the timers of rules that
// are new to it.
func (d *Differ) lookAtTimers(ctx context.Context, unit string) error {
	release, err := d.units.lock(ctx, unit)
	if err != nil {
		return err
	}
	defer release()
	d.mu.Lock()
	known := d.memories[unit] != nil
	d.mu.Unlock()
	if !known { // forgotten meanwhile
		d.clock.works(task{unit: unit})
		return nil
	}
	mem, err := d.recall(ctx, unit)
	if err != nil {
		return err
	}
	source, watch := poller.CutUnit(unit)
	l := d.newLook(d.sources[source], unit, watch, mem)
	if err := l.all(ctx); err != nil {
		return err
	}
	d.reportRules(l.out)
	d.clock.works(task{unit: unit})
	d.wind(unit, mem)
	return nil
}

// look is one look at the timers of a unit.
type look struct {
	*Differ
	out   *outcome // as of an answer that says nothing
	rules *weighing
	src   *Source
	mem   *memory
	now   time.Time
}

func (d *Differ) newLook(src *Source, unit, watch string, mem *memory) *look {
	now := d.now()
	p := &part{Answer: &poller.Answer{Source: src.name, Received: now}, unit: unit, watch: watch}
	w := src.weighing(p, mem)
	out := &outcome{source: src, memory: mem, part: p, finding: &finding{}, rules: w}
	w.window = out.window
	return &look{Differ: d, out: out, rules: w, src: src, mem: mem, now: now}
}

// all makes the timers of rules that are new, and decides on all that are due.
func (l *look) all(ctx context.Context) error {
	if !l.src.knows(l.mem) && l.src.reads(l.mem) {
		if err := l.learn(ctx); err != nil {
			return err
		}
	}
	for l.src.knows(l.mem) && !l.waits(l.out.part.unit, l.src, l.mem) {
		due := l.mem.timers.due(l.now.UnixMilli(), firedAtOnce)
		if len(due) == 0 {
			break
		}
		if err := l.fire(ctx, due); err != nil {
			return err
		}
	}
	return nil
}

// fire decides on timers that are due.
func (l *look) fire(ctx context.Context, due []*timer) error {
	contents, err := l.contents(ctx, due)
	if err != nil {
		return err
	}
	var notes []Note
	var events []Event
	results := map[[2]string]int{}
	for _, t := range due {
		next, result, err := l.decide(t, contents[t.key])
		if err != nil {
			return err
		}
		if next == nil {
			notes = append(notes, Note{Key: t.key, Name: noteTimer + t.event})
			continue
		}
		notes = append(notes, next.timer.note())
		if next.event != nil {
			events = append(events, *next.event)
		}
		results[[2]string{t.event, result}]++
	}
	if err := l.write(ctx, notes, events); err != nil {
		return err
	}
	for of, n := range results {
		l.metrics.timers.WithLabelValues(l.src.name, of[0], of[1]).Add(float64(n))
		if of[1] == timerLate {
			l.clock.missed(l.src.name, n)
		}
	}
	return nil
}

// fired is what becomes of a timer.
type fired struct {
	timer timer
	event *Event // nil: nothing is told
}

// decide says what becomes of a timer that is due; nil: it is dropped.
func (l *look) decide(t *timer, content json.RawMessage) (*fired, string, error) {
	r, e := l.src.timedRule(t.event), l.mem.find(t.key)
	switch {
	case r == nil || t.state == timerIdle || e == nil || e.gone():
		return nil, timerHomeless, nil
	case r.timing.tooLate(t.due, l.now):
		return &fired{timer: t.pass()}, timerLate, nil
	}
	if _, cools := r.cools(t.toldLast(), l.now); cools {
		return &fired{timer: t.pass()}, timerCooling, nil
	}
	f := l.rules.due(t.key, e.revision, content)
	holds, err := r.holds(f)
	if err != nil {
		l.rules.fail(r, t.key, err)
		return &fired{timer: t.pass()}, timerFaulty, nil
	}
	if l.rules.works(r); !holds {
		return &fired{timer: t.pass()}, timerUntrue, nil
	}
	event, err := newEvent(r.event, l.src, l.out.part.watch, f.change, time.UnixMilli(t.due).UTC())
	if err == nil {
		err = l.address(&event, r.to)
	}
	return &fired{timer: t.tell(l.now), event: &event}, timerTold, err
}

// contents are what is remembered of the items of timers, by key.
func (l *look) contents(ctx context.Context, of []*timer) (map[string]json.RawMessage, error) {
	found := make(map[string]json.RawMessage, len(of))
	keys := make([]string, 0, len(of))
	for _, t := range of {
		if e := l.mem.find(t.key); e == nil || e.gone() {
			continue
		}
		if _, ok := found[t.key]; !ok {
			found[t.key] = nil
			keys = append(keys, t.key)
		}
	}
	items, err := l.store.Items(ctx, l.out.part.unit, keys)
	if err != nil {
		return nil, storeFailure("reading", err)
	}
	for _, item := range items {
		found[item.Key] = item.Content
	}
	for _, key := range keys {
		if found[key] == nil {
			l.mem.doubtful = true
			return nil, storeFailure("reading", fmt.Errorf("item %q is in memory and not in the store", clip(key)))
		}
	}
	return found, nil
}

// write stores what a look comes to: with events in a commit, without them
// soon. That a rule began to fail is told beside.
func (l *look) write(ctx context.Context, notes []Note, events []Event) error {
	l.out.commit = &Commit{Events: events}
	if err := l.alertFailing(l.out); err != nil {
		return err
	}
	notes = append(notes, l.rules.notes(false)...)
	return l.Differ.write(ctx, l.out.part.unit, l.mem, notes, l.out.commit.Events)
}

// write stores notes and events of a unit that come of no answer. Without
// events it does not wait for the disk. The unit is locked.
func (d *Differ) write(ctx context.Context, unit string, mem *memory, notes []Note, events []Event) error {
	if len(events) == 0 {
		for _, n := range notes {
			mem.note(n)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.mark(unit, d.marks(unit), notes)
		return nil
	}
	source, watch := poller.CutUnit(unit)
	c := &Commit{
		Source: source, Watch: watch, Version: mem.version, Shape: mem.shape, Since: mem.since,
		Notes: notes, Events: events,
	}
	if err := d.commit(ctx, c, true); err != nil {
		mem.doubtful = true
		return storeFailure("committing", err)
	}
	mem.version++
	for _, n := range c.Notes {
		mem.note(n)
	}
	d.announce(c)
	return nil
}
