package differ

import (
	"context"
	"time"
)

// Lister is what a Store can do besides for sources that come while it runs.
// Every engine is one.
type Lister interface {
	// Units gives the units of a source under which there is a state, in
	// their order.
	Units(ctx context.Context, source string) ([]string, error)
}

// Setup is what a Differ goes by from a reload on.
type Setup struct {
	// Sources are all there are. One that is the very same as before goes on
	// as it was. One that takes the place of another goes on from what is
	// stored, as after a restart.
	Sources []*Source
	// Readdressed are the names of those that take the place of one from which
	// they differ in nothing but whom they tell: what is in memory stays.
	Readdressed map[string]bool
	// Renamed has the old name of a source by its new one. What is remembered
	// goes on under the new one.
	Renamed map[string]string
	// Endpoints are the names of all there are.
	Endpoints []string

	Alerts       []string // as in Options, like what follows
	FailingAfter int
	StaleAfter   time.Duration

	// Swap is called when all is ready, and nothing can fail any more: nothing
	// is taken in and nothing rendered meanwhile. Nil: nothing is called.
	Swap func()
}
