package differ

import (
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of what is kept though no answer lists it.
const (
	maxKept       = 1_000_000 // items of a source
	forgetAtOnce  = 10_000    // items forgotten, and items renewed, in one commit
	leastForget   = units.Duration(time.Minute)
	renewalsInAge = 8 // a kept item's Seen is renewed when an eighth of forget_after has passed
)

// compileAbsent compiles what becomes of items that an answer does not list,
// or lists as deleted.
func (s *Source) compileAbsent(r fault.Report, resp ResponseSettings) {
	s.kept = resp.Absent == "kept"
	s.forget = resp.ForgetAfter.Std()
	switch at := r.At("forget_after"); {
	case resp.ForgetAfter == 0:
	case !s.kept:
		at.Errorf("is for items that are kept: set absent to kept")
	case resp.ForgetAfter < leastForget:
		at.Errorf("%v: expected at least %v", resp.ForgetAfter, leastForget)
	}
	if resp.DeletedWhen != "" {
		program, err := expr.CompileBool(resp.DeletedWhen, expr.Env{"item": nil})
		if err != nil {
			r.At("deleted_when").Errorf("%v", err)
		}
		s.deleted = program
	}
}

// stale reports whether an item that is listed now, and was seen then, needs a
// newer Seen: so that after a restart it is not forgotten as one that was not
// listed for long. Both are Unix seconds.
func (s *Source) stale(seen, now int64) bool {
	return s.forget > 0 && now-seen > int64(s.forget/time.Second)/renewalsInAge
}

// remove notes that an item, where it is there, says that it is deleted.
func (c *comparison) remove(e *entry) {
	if e != nil && !e.gone() && !c.found.baseline {
		c.removed = append(c.removed, change{kind: Deleted, key: e.key, revision: e.revision + 1})
	}
}

// renew has an item that did not change stored again, as seen now.
func (c *comparison) renew(e *entry, content []byte) {
	if len(c.found.renewed) < forgetAtOnce {
		c.found.renewed = append(c.found.renewed, Item{
			Key: e.key, Hash: e.hash, Revision: e.revision, Content: slices.Clone(content), Seen: time.Unix(c.now, 0).UTC(),
		})
	}
}

// forget finds items that were kept for long enough, and where there are too
// many those that were seen longest ago. They become gone without a change.
func (c *comparison) forget() {
	oldest := int64(0) // seen before it: forgotten
	if s := c.src; s.forget > 0 {
		age := int64(s.forget / time.Second)
		oldest = c.now - age - age/renewalsInAge
	}
	if c.mem.present > maxKept {
		oldest = max(oldest, c.crowded(c.mem.present-maxKept))
	}
	if oldest == 0 {
		return
	}
	for i := range c.mem.entries {
		if e := &c.mem.entries[i]; !e.gone() && e.round != c.mem.round && int64(e.seen) < oldest {
			if len(c.found.forgot) == forgetAtOnce {
				return
			}
			c.found.forgot = append(c.found.forgot, Item{Key: e.key, Revision: e.revision, Seen: time.Unix(c.now, 0).UTC()})
		}
	}
}

// crowded is the time before which so many of the items that are not listed
// were seen.
func (c *comparison) crowded(n int) int64 {
	var seen []int64
	for i := range c.mem.entries {
		if e := &c.mem.entries[i]; !e.gone() && e.round != c.mem.round {
			seen = append(seen, int64(e.seen))
		}
	}
	if len(seen) == 0 {
		return 0
	}
	slices.Sort(seen)
	return seen[min(n, len(seen))-1] + 1
}

// writes reports whether there is something to commit.
func (c *finding) writes() bool {
	return len(c.changes) > 0 || c.baseline || len(c.renewed) > 0 || len(c.forgot) > 0
}
