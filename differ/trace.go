package differ

import (
	"context"

	"github.com/deltahook/deltahook/internal/trace"
)

// traced says in the span of a poll what was found in its answer.
func traced(ctx context.Context, outs []*outcome) {
	span := trace.From(ctx)
	if span == nil {
		return
	}
	var items, changes, events int
	for _, out := range outs {
		items += out.finding.listed
		if out.held || out.silent && out.finding.baseline {
			continue
		}
		changes += len(out.finding.changes)
		if out.commit != nil {
			events += len(out.commit.Events)
		}
	}
	span.Number("deltahook.items", items)
	span.Number("deltahook.changes", changes)
	span.Number("deltahook.events", events)
	if len(outs) == 1 && outs[0].held {
		span.Text("deltahook.held", "true")
	}
}
