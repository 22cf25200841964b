package differ

import (
	"context"

	"github.com/deltahook/deltahook/poller"
)

// plans is all of Take that writes nothing, of each part of the answer. With
// explain it says of each item why it made no event.
func (d *Differ) plans(ctx context.Context, a *poller.Answer, explain bool) ([]*outcome, error) {
	src, ok := d.sources[a.Source]
	if !ok {
		return nil, poller.Failf(poller.ClassStore, "no source %s is configured", a.Source)
	}
	parts, err := d.parts(src, a)
	if err != nil {
		return nil, err
	}
	outs := make([]*outcome, len(parts))
	for i, p := range parts {
		if explain {
			p.why = &explanation{}
		}
		if outs[i], err = d.plan(ctx, src, p); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// plan is plans of one part.
func (d *Differ) plan(ctx context.Context, src *Source, p *part) (*outcome, error) {
	mem, err := d.recall(ctx, p.unit)
	if err != nil {
		return nil, err
	}
	if p.Reset {
		return src.reset(p, mem), nil
	}
	p.known = src.knownAs(mem)
	out := &outcome{
		source: src, memory: mem, part: p, finding: &finding{pending: mem.pending}, rules: src.weighing(p, mem), marks: p.Bookmarks,
	}
	out.rules.window = out.window
	if !p.lacking {
		if out.finding, err = src.compare(p, mem, d.hash); err != nil {
			return nil, err
		}
	}
	if err := d.seed(ctx, out); err != nil {
		return nil, err
	}
	if err := d.decide(ctx, out); err != nil {
		return nil, err
	}
	if out.held {
		return out, nil
	}
	if err := d.retire(ctx, out); err != nil {
		return nil, err
	}
	out.rules.leave(out.finding)
	return out, d.rearm(ctx, out)
}

// decide says what follows from what an answer shows.
//
//	what differs -> tolerated? -> confirmed? -> rules, events -> held?
func (d *Differ) decide(ctx context.Context, out *outcome) error {
	out.silent = out.finding.baseline && !out.source.emits(out.memory)
	if !out.silent {
		if err := d.readOld(ctx, out.memory, out.part.unit, out.finding.changes); err != nil {
			return err
		}
		out.source.sift(out.finding, out.part, out.memory, d.hash)
	}
	if err := d.sampleAll(ctx, out); err != nil {
		return err
	}
	if out.finding.confirm(out.source, out.memory); len(out.finding.pending) > 0 {
		out.marks = d.stay(out.part.unit, out.marks)
	}
	if out.finding.writes() {
		if err := d.complete(out); err != nil {
			return err
		}
	}
	return d.guard(out)
}

// recall is the memory of a unit, read from the store where it isn't at
// hand.
func (d *Differ) recall(ctx context.Context, unit string) (*memory, error) {
	d.mu.Lock()
	mem := d.memories[unit]
	d.mu.Unlock()
	if mem != nil && !mem.doubtful {
		return mem, nil
	}
	fresh, err := d.reload(ctx, unit, mem)
	if err != nil {
		return nil, err
	}
	d.wind(unit, fresh)
	return fresh, d.refeed(ctx, unit, fresh)
}

// reload is recall of one that is not at hand; before is the doubtful one. It
// waits for a flush: what that writes is neither in the store yet nor on the
// list of what moved.
func (d *Differ) reload(ctx context.Context, unit string, before *memory) (*memory, error) {
	if err := d.writing.Acquire(ctx, 1); err != nil {
		return nil, storeFailure("waiting for", err)
	}
	defer d.writing.Release(1)
	var state State
	for s, err := range d.store.Load(ctx, unit) {
		if err != nil {
			return nil, storeFailure("loading", err)
		}
		state = s
	}
	fresh := remember(state)
	if before != nil {
		fresh.carry(before)
	}
	d.mu.Lock()
	d.resolve(unit, state)
	for _, n := range d.moved[unit].Notes {
		fresh.note(n)
	}
	d.memories[unit] = fresh
	d.stored[unit] = state.Bookmarks
	d.requiet(unit, fresh)
	d.mu.Unlock()
	return fresh, nil
}
