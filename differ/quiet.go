package differ

import (
	"context"
	"encoding/json"
	"time"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// quietNote is what is noted for `expect_within`. Each unit of a source has the
// time of its last change, and the unit without a watch key what was told.
type quietNote struct {
	Change int64 `json:"change,omitempty"` // when the last change was committed; all are Unix milliseconds
	From   int64 `json:"from,omitempty"`   // since when a change is expected, where that is later
	Told   int64 `json:"told,omitempty"`   // when source.quiet was told; 0: changes came since
	Since  int64 `json:"since,omitempty"`  // since when it had been quiet then
	Of     int64 `json:"of,omitempty"`     // the last change of the source then
}

// readQuiet reads the data of a note; nil where there is none.
func readQuiet(data []byte) *quietNote {
	var n quietNote
	if data == nil || json.Unmarshal(data, &n) != nil {
		return nil
	}
	return &n
}

func (n quietNote) note() Note {
	data, _ := json.Marshal(n)
	return Note{Name: noteQuiet, Data: data}
}

// quieted is the note of a memory; none is one of zeros.
func (m *memory) quieted() quietNote {
	if m.quiet == nil {
		return quietNote{}
	}
	return *m.quiet
}

// quiet is how a source with `expect_within` stands, all its units together.
type quiet struct {
	quietNote
	base    int64           // the last change or baseline
	heard   bool            // it was answered since the start
	started time.Time       // when that was
	silent  map[string]bool // units that are known and were not answered since the start
}

// requiet takes in what the notes of a unit say of its source, when they were
// read. d.mu is held.
func (d *Differ) requiet(unit string, mem *memory) {
	source, watch := poller.CutUnit(unit)
	q := d.quiets[source]
	if q == nil {
		return
	}
	noted := mem.quieted()
	q.Change, q.base = max(q.Change, noted.Change), max(q.base, noted.Change, noted.From)
	if watch == "" {
		q.Told, q.Since, q.Of = noted.Told, noted.Since, noted.Of
	}
}

// loadQuiet takes in what a unit says of its source at the start.
func (d *Differ) loadQuiet(src *Source, marks poller.Bookmarks, unit string, mem *memory) {
	q := d.quiets[src.name]
	if q == nil {
		if mem.quiet != nil { // no change is expected any more
			d.noteQuiet(unit, mem, Note{Name: noteQuiet})
		}
		return
	}
	taken := mem.version > 0 && !mem.since.IsZero()
	if src.forget > 0 && taken && mem.quiet == nil { // when it changed before is not known: see Item.Seen
		d.noteQuiet(unit, mem, quietNote{From: d.now().UnixMilli()}.note())
	}
	d.requiet(unit, mem)
	if src.keyed && unit == src.name {
		return
	}
	if q.silent == nil {
		q.silent, q.started = map[string]bool{}, d.now()
	}
	if mem.version > 0 && marks.Retired.IsZero() && (mem.present > 0 || mem.shape == src.shape) {
		q.silent[unit] = true
	}
	if taken {
		q.base = max(q.base, mem.since.UnixMilli())
	}
	if src.forget > 0 {
		return
	}
	for i := range mem.entries { // changes of when nobody expected any
		q.base = max(q.base, int64(mem.entries[i].seen)*1000)
	}
}

// noteQuiet notes something of a unit at the start.
func (d *Differ) noteQuiet(unit string, mem *memory, n Note) {
	mem.note(n)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark(unit, d.marks(unit), []Note{n})
}

// noteChange notes when a unit changed, or was taken in first, for a source that
// expects changes.
func (d *Differ) noteChange(out *outcome, c *Commit) {
	n, at := out.memory.quieted(), out.part.Received.UnixMilli()
	switch {
	case out.source.expect == 0:
		return
	case out.changes():
		n.Change = at
	case out.finding.baseline:
		n.From = at
	default:
		return
	}
	c.Notes = append(c.Notes, n.note())
}

// inheritQuiet has the unit without a watch key know when its source changed
// last, before others that know it are forgotten. The unit is locked.
func (d *Differ) inheritQuiet(ctx context.Context, source string) error {
	mem, err := d.recall(ctx, source)
	if err != nil {
		return err
	}
	n := mem.quieted()
	d.mu.Lock()
	n.Change, n.From = max(n.Change, d.quiets[source].Change), max(n.From, d.quiets[source].base)
	d.mu.Unlock()
	if n == mem.quieted() {
		return nil
	}
	return d.keepNow(ctx, source, mem, []Note{n.note()})
}

// changes reports whether an answer shows a change. A baseline that is silent
// does not.
func (out *outcome) changes() bool { return !out.silent && len(out.finding.changes) > 0 }

// heard notes that a source was answered.
func (d *Differ) heard(out *outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.quiets[out.source.name]
	if q == nil {
		return
	}
	if q.started.IsZero() {
		q.started = d.now()
	}
	q.heard = true
	delete(q.silent, out.part.unit)
	if at := out.part.Received.UnixMilli(); out.commit != nil && !out.held && !out.reset {
		if out.changes() {
			q.Change, q.base = at, at
		} else if out.finding.baseline {
			q.base = at
		}
	}
	d.windQuiet(out.source, q)
}

// windQuiet has the clock look at a source when it has been quiet for too long,
// or at once when it no longer is. d.mu is held.
func (d *Differ) windQuiet(src *Source, q *quiet) {
	at, ok := q.due(src.expect)
	d.clock.set(task{unit: src.name, quiet: true}, at, ok)
}

// due is when something is to be told.
func (q *quiet) due(expect time.Duration) (at int64, ok bool) {
	switch {
	case q.Told != 0:
		return 0, q.Change != q.Of
	case q.base == 0 || !q.heard: // what nobody asked for cannot be missed
		return 0, false
	}
	at = q.base + expect.Milliseconds()
	if len(q.silent) > 0 { // what changed while nothing ran may come yet
		at = max(at, q.started.Add(expect).UnixMilli())
	}
	return at, true
}

// quietData is what source.quiet and source.active say.
type quietData struct {
	Since        time.Time      `json:"since"` // when it turned quiet
	ExpectWithin units.Duration `json:"expect_within"`
	LastChange   time.Time      `json:"last_change"` // or the baseline
}

// lookAtQuiet tells that a source has been quiet for too long, or no longer is.
func (d *Differ) lookAtQuiet(ctx context.Context, source string) error {
	mem, release, err := d.borrow(ctx, source)
	if err != nil {
		return err
	}
	defer release()
	src, now := d.sources[source], d.now()
	d.mu.Lock()
	q := *d.quiets[source]
	at, ok := q.due(src.expect)
	d.mu.Unlock()
	if ok && at <= now.UnixMilli() {
		if err := d.tellQuiet(ctx, src, mem, &q, now); err != nil {
			return err
		}
	}
	d.clock.works(task{unit: source, quiet: true})
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.quiets[source]
	kept.Told, kept.Since, kept.Of = q.Told, q.Since, q.Of
	d.windQuiet(src, kept)
	return nil
}

// tellQuiet tells what is due, and notes that in q.
func (d *Differ) tellQuiet(ctx context.Context, src *Source, mem *memory, q *quiet, now time.Time) error {
	last := time.UnixMilli(q.base).UTC()
	data := quietData{Since: last.Add(src.expect), ExpectWithin: units.Duration(src.expect), LastChange: last}
	kind := TypeQuiet
	if q.Told != 0 {
		kind, data.Since = TypeActive, time.UnixMilli(q.Since).UTC()
		q.Told, q.Since, q.Of = 0, 0, 0
	} else {
		q.Told, q.Since, q.Of = now.UnixMilli(), data.Since.UnixMilli(), q.Change
	}
	e, ok, err := d.ownEvent(kind, src.name, now, data, d.alerts)
	if err != nil {
		return err
	}
	var events []Event
	if ok {
		events = append(events, e)
	}
	n := mem.quieted()
	n.Told, n.Since, n.Of = q.Told, q.Since, q.Of
	// A source with watch keys has nothing in the unit without one but this;
	// its shape is none, so it is not the first answer of a source that has no
	// keys any more.
	if err := d.write(ctx, src.name, mem, []Note{n.note()}, events); err != nil {
		return err
	}
	if kind == TypeQuiet {
		d.log.Warn("nothing has changed for longer than expected", "source", src.name, "last_change", last, "expect_within", data.ExpectWithin.String())
	} else {
		d.log.Info("something changes again", "source", src.name, "quiet_since", data.Since)
	}
	return nil
}
