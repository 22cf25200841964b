package differ

import (
	"context"
	"errors"

	"github.com/deltahook/deltahook/poller"
)

// previewedItems is how many contents a preview has.
const previewedItems = 10

// Preview is what an answer would come to.
type Preview struct {
	Listed   int         // items in the answer
	Unknown  int         // of them, those that item_ok refuses
	Items    []Item      // the first 10 of the others: their Key and Content, and nothing else
	Baseline bool        // true: the answer is remembered as the first
	Reset    bool        // true: what is remembered is forgotten
	Changes  []Explained // what counts as a change
	Others   []Explained // the other items: at most 1,000 of each unit that did not change
	More     int         // those that are not explained
	Hold     *Hold       // why the answer would be held; nil: it would not
	Events   []Event     // as they would be sent, also where held; ids are made up anew each time
}

// Preview says what Take would do with an answer, and does none of it.
func (d *Differ) Preview(ctx context.Context, a *poller.Answer) (*Preview, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	release, err := d.units.lock(ctx, a.Units()...)
	if err != nil {
		return nil, err
	}
	defer release()
	outs, err := d.plans(ctx, a, true)
	if err != nil {
		return nil, err
	}
	p := &Preview{}
	if p.Items, err = d.sources[a.Source].first(a, previewedItems); err != nil {
		return nil, err
	}
	for _, out := range outs {
		p.add(out)
	}
	return p, nil
}

// add takes in what one part of the answer comes to.
func (p *Preview) add(out *outcome) {
	p.Listed += out.finding.listed
	p.Unknown += out.finding.unknown
	p.Baseline, p.Reset = p.Baseline || out.silent && out.finding.baseline, p.Reset || out.reset
	p.explain(out)
	switch {
	case out.held:
		p.Hold, p.Events = out.hold, append(p.Events, out.withheld...)
	case out.commit != nil:
		p.Events = append(p.Events, out.commit.Events...)
	}
}

var errEnough = errors.New("enough items")

// first gives the first n items of an answer that are ok. One that was not
// modified, and one that resets, has no body, and so none.
func (s *Source) first(a *poller.Answer, n int) ([]Item, error) {
	var items []Item
	if a.Unmodified || a.Reset {
		return nil, nil
	}
	watch := ""
	if len(a.Keys) > 0 {
		watch = a.Keys[0]
	}
	err := s.read(a.Pages, watch, func(f found) error {
		if f.unknown || f.deleted {
			return nil
		}
		content, err := s.content(new(room), f.raw)
		if err != nil {
			return err
		}
		if items = append(items, Item{Key: f.key, Content: content}); len(items) == n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return items, err
}
