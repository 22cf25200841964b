package differ

import (
	"context"
	"errors"
	"strings"
)

// Renamer is what a Store can do besides for sources that get another name.
// Every engine is one.
type Renamer interface {
	// Rename has all that is remembered of a source stand under another
	// name: its state and that of its watch keys, items, notes and revisions.
	// It returns when that is durable, and is never half done: a call that
	// failed, or was killed, has moved everything or nothing, and may be made
	// again.
	//
	// Where nothing is remembered under from, it does nothing. Where something
	// is under to, it does nothing either and gives ErrTaken. No commit of
	// either may be on its way: one that is gets ErrConflict.
	//
	// Events that were told keep the name that they were told under, in lists
	// and to receivers. Those that wait still come before what is told of the
	// same item under the new name.
	Rename(ctx context.Context, from, to string) error
}

// ErrTaken says that something is remembered under a name already.
var ErrTaken = errors.New("something is remembered under that name already")

// Leaver is what a Store can do besides for sources that are no longer
// configured. Every engine is one.
type Leaver interface {
	// Left notes which of the sources that it remembers are not configured
	// (any more), each with the time when that was first so, and takes the
	// note back of those that are. It gives the names of those that are not,
	// sorted. What is remembered of a source that left is forgotten by the
	// engine's sweep, when that is as long ago as events are kept.
	//
	// configured is asked for each name under which there is a state, also
	// those of subjects (see alerts), and must answer at once. Call it with
	// the sources that are about to run, before one of them is loaded.
	Left(ctx context.Context, configured func(source string) bool) ([]string, error)
}

// Concerns makes of the names of sources and endpoints what Leaver.Left asks
// for: whether a state is of one of them. What was told of credentials is kept.
func Concerns(source, endpoint func(name string) bool) func(name string) bool {
	return func(name string) bool {
		if name, of := strings.CutPrefix(name, ofSource); of {
			return source(strings.TrimSuffix(name, authOf))
		}
		if name, of := strings.CutPrefix(name, ofEndpoint); of {
			return endpoint(strings.TrimSuffix(name, authOf))
		}
		return strings.HasPrefix(name, ofAuth) || source(name)
	}
}
