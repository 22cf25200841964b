package differ

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/poller"
)

// ErrNoHold says that nothing of a source is held.
var ErrNoHold = errors.New("nothing is held")

// HeldUnit is a source, or one of its watch keys, with an answer that is held.
type HeldUnit struct {
	Source string `json:"source"`
	Watch  string `json:"watch,omitempty"`
	Hold
}

// Holds are all holds there are, by source and watch key.
func (d *Differ) Holds() []HeldUnit {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]HeldUnit, 0, len(d.holds))
	for _, unit := range slices.SortedFunc(maps.Keys(d.holds), strings.Compare) {
		source, watch := poller.CutUnit(unit)
		h := d.holds[unit]
		h.Keys = append([]string{}, h.Keys...)
		out = append(out, HeldUnit{source, watch, h})
	}
	return out
}

// Decide stores what a person has decided about a hold: Released,
// ReleasedSilently or Discarded. It takes effect with the next answer.
// ErrNoHold: there is none (any more).
func (d *Differ) Decide(ctx context.Context, source, watch string, state HoldState) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if d.sources[source] == nil {
		return ErrNoHold
	}
	unit := poller.Unit(source, watch)
	mem, release, err := d.borrow(ctx, unit)
	if err != nil {
		return err
	}
	defer release()
	if mem.hold == nil {
		return ErrNoHold
	}
	h := *mem.hold
	h.State = state
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := d.keepNow(ctx, unit, mem, []Note{{Name: noteHold, Data: data}}); err != nil {
		return err
	}
	d.log.Info("a decision about what is held is stored", "source", source, "watch", clip(watch), "decision", string(state))
	return nil
}

// keepNow stores notes of a unit, and returns when they are durable. The
// unit's lock is held.
func (d *Differ) keepNow(ctx context.Context, unit string, mem *memory, notes []Note) error {
	if err := d.writing.Acquire(ctx, alone); err != nil {
		return err
	}
	defer d.writing.Release(alone)
	d.mu.Lock()
	before := d.moved[unit]
	kept := Kept{d.stamp(unit, d.marks(unit)), merge(before.Notes, notes)}
	d.mu.Unlock()
	if err := d.store.Keep(ctx, map[string]Kept{unit: kept}); err != nil {
		mem.doubtful = true // it may have been stored
		return err
	}
	for _, n := range notes {
		mem.note(n)
	}
	d.mu.Lock()
	d.wrote(unit, before, kept.Bookmarks)
	d.mu.Unlock()
	d.showHold(unit, mem)
	return nil
}

// showHold has a unit's hold among those that Holds gives, or no more.
func (d *Differ) showHold(unit string, mem *memory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mem.hold == nil {
		delete(d.holds, unit)
	} else {
		d.holds[unit] = *mem.hold
	}
	d.metrics.held.Set(float64(len(d.holds)))
}

// still is b with validators and cursor set back: the next answer must be a
// whole one, from where the last that was taken in ended.
func (d *Differ) still(unit string, b poller.Bookmarks) poller.Bookmarks {
	return d.stay(unit, withoutValidators(b))
}

// stay is b with the cursor set back.
func (d *Differ) stay(unit string, b poller.Bookmarks) poller.Bookmarks {
	d.mu.Lock()
	defer d.mu.Unlock()
	b.Cursor = d.marks(unit).Cursor
	return b
}
