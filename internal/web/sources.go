package web

import (
	"context"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// Sources is who polls sources and remembers their items. Its errors wrap
// ErrNotFound where there is no such source, watch key or item.
type Sources interface {
	// Sources are all that are configured, by name. It asks no disk.
	Sources() []SourceState
	// Source is one of them, with its latencies and changes.
	Source(name string) (SourceState, error)
	// Poll has a source, or one of its watch keys (watch "": all), polled at
	// once. ErrConflict: it is disabled, runs already, failed less than 10 s
	// ago, or its server wants to be left alone; the text says which.
	Poll(ctx context.Context, name, watch string) error
	// Items lists the items of a source, or of one of its watch keys.
	Items(ctx context.Context, name, watch string, f differ.ItemFilter) (differ.ItemPage, error)
	// Item gives one of them.
	Item(ctx context.Context, name, watch, key string) (differ.Item, error)
	// Revisions lists its changes, the last one first; see differ.Archive.
	Revisions(ctx context.Context, name, watch, key string, before uint64, n int) ([]differ.Revision, error)
}

// Condition is how a source is, in a word.
type Condition string

// The conditions of a source; the first that applies.
const (
	SourceDisabled Condition = "disabled" // in the configuration
	SourceFailing  Condition = "failing"  // its last poll failed
	SourceHeld     Condition = "held"     // an answer of it is held
	SourceNew      Condition = "new"      // it was never answered
	SourceOK       Condition = "ok"
)

// SourceState is a source as it is shown. It holds no secret.
type SourceState struct {
	Name     string    `json:"name"`
	State    Condition `json:"state"`
	Schedule string    `json:"schedule"`           // as configured
	Timezone string    `json:"timezone,omitempty"` // of the schedule; "": UTC
	Host     string    `json:"host,omitempty"`     // scheme and host of the URL; "": made of expressions
	Limit    string    `json:"limit,omitempty"`    // name
	Running  bool      `json:"running"`            // it is being polled
	Last     time.Time `json:"last,omitzero"`      // when its last poll ended; zero: not since the start
	Took     float64   `json:"took,omitempty"`     // seconds that it took
	Next     time.Time `json:"next,omitzero"`      // when it is due
	Waiting  string    `json:"waiting,omitempty"`  // what it waits for though it is due: its limit

	Failures     int       `json:"failures,omitempty"` // failed polls in a row
	FailingSince time.Time `json:"failing_since,omitzero"`
	Error        string    `json:"error,omitempty"`  // of the last poll: class and what happened
	Advice       string    `json:"advice,omitempty"` // what a person can do about it

	Baseline time.Time         `json:"baseline,omitzero"` // when its first answer was taken in; of several watch keys the first
	Items    int               `json:"items"`             // that are there
	Watches  int               `json:"watches,omitempty"` // watch keys that are polled
	Holds    []differ.HeldUnit `json:"holds,omitempty"`

	// Of one source only; of the last polls, the oldest first, at most
	// MaxPulse. nil: none since the start.
	Pulse []Beat `json:"pulse,omitempty"`
}

// MaxPulse is how many polls of a source are remembered since the start.
const MaxPulse = 60

// Beat is one poll that ended.
type Beat struct {
	At      time.Time `json:"at"`
	Took    float64   `json:"took"` // seconds
	Failed  bool      `json:"failed,omitempty"`
	Changes int       `json:"changes"` // that were committed
	Events  int       `json:"events"`
}
