package differ

import (
	"errors"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// count brings the metric and the tally of a source's items up to date.
func (d *Differ) count(source string, mem *memory) {
	d.tallies.add(source, mem.present-mem.counted, mem.since)
	d.metrics.items.WithLabelValues(source).Add(float64(mem.present - mem.counted))
	mem.counted = mem.present
}

// report logs and counts a commit. A silent baseline is not a change.
func (d *Differ) report(out *outcome) {
	name, changes := out.source.name, out.finding.changes
	if out.reset {
		d.log.Info("the API says that all starts over: the next answer is remembered anew, no events", "source", name)
		return
	}
	if out.held {
		return
	}
	if out.silent && out.finding.baseline {
		text := "first answer remembered, no events"
		switch {
		case out.renewed && out.commit.Version > 0:
			text = "first answer after the reset remembered, no events"
		case out.commit.Version > 0:
			text = "the settings of its items changed: all of them remembered anew, no events"
		}
		if watch := out.part.watch; watch != "" { // thousands may come at once
			d.log.Debug(text, "source", name, "watch", watch, "items", len(changes))
			return
		}
		d.log.Info(text, "source", name, "items", len(changes))
		return
	}
	d.told(name, len(changes), len(out.commit.Events))
	for _, ch := range changes {
		d.metrics.changes.WithLabelValues(name, string(ch.kind)).Inc()
	}
	d.log.Debug("changes committed", "source", name, "changes", len(changes), "events", len(out.commit.Events))
}

// reportHold logs that an answer is held, and the end of that.
func (d *Differ) reportHold(out *outcome) {
	p, h := out.part, out.hold
	d.showHold(p.unit, out.memory)
	switch {
	case h == nil && out.unheld == nil:
	case h == nil && out.unheld.State == Held:
		d.log.Info("nothing is held any more: the answers are as they were", "source", p.Source, "watch", clip(p.watch))
	case h == nil:
		d.log.Info("nothing is held any more: an answer was taken in", "source", p.Source, "watch", clip(p.watch), "decision", string(out.unheld.State))
	case out.commit != nil:
		d.log.Warn("an answer is held: nothing of it is told or forgotten until it is released or discarded",
			"source", p.Source, "watch", clip(p.watch), "reason", h.Reason, "listed", h.Listed, "known", h.Known,
			"created", h.Created, "updated", h.Updated, "deleted", h.Deleted, "events", h.Events)
	}
}

func storeFailure(doing string, err error) error {
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrFenced) {
		return poller.Failf(poller.ClassStore, "%s: %w", doing, err)
	}
	return poller.Failf(poller.ClassStore, "%s the snapshot: %w; check the disk that holds the store", doing, err)
}

// ruleError is what went wrong with one rule over one answer.
type ruleError struct {
	count int
	key   string // of the first
	err   error  // the first
}

// reportRules tells what the rules made of an answer beside events.
func (d *Differ) reportRules(out *outcome) {
	w, name := out.rules, out.source.name
	d.reportSeeds(out)
	d.reportErrors(out.source, w.errs)
	if !out.held {
		for r, n := range w.cooled {
			d.metrics.cooled.WithLabelValues(name, r.event).Add(float64(n))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unclaim(out.source, out.part.unit, out.memory)
}

// reportErrors tells of the rules that could not be evaluated, once for each
// rule and answer, and at most once a minute for each rule.
func (d *Differ) reportErrors(src *Source, errs map[*rule]*ruleError) {
	for r, e := range errs {
		d.metrics.ruleErrors.WithLabelValues(src.name, r.event).Add(float64(e.count))
		d.mu.Lock()
		last, now := d.reported[r], time.Now()
		tell := last.IsZero() || now.Sub(last) >= time.Minute
		if tell {
			d.reported[r] = now
		}
		d.mu.Unlock()
		if tell {
			d.log.Warn("a rule could not be evaluated, and made no event", "source", src.name, "rule", r.event,
				"changes", e.count, "key", clip(e.key), "err", e.err)
		}
	}
}
