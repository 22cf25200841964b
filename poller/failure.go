package poller

import (
	"fmt"
	"strings"
	"time"
)

// Class says what made a poll fail. Its text is a metric's label: there are
// no others than these.
type Class string

// The classes of failure.
const (
	ClassRequest  Class = "request"  // the request could not be built from its templates
	ClassNetwork  Class = "network"  // no connection, cut connection, TLS
	ClassRefused  Class = "refused"  // the egress guard refused the address
	ClassTimeout  Class = "timeout"  // the request's timeout passed
	ClassRedirect Class = "redirect" // too many redirects, or one that may not be followed
	ClassAuth     Class = "auth"     // no token for the request
	ClassStatus   Class = "status"   // a status that is not 2xx
	ClassTooLarge Class = "too_large"
	ClassFormat   Class = "format" // not JSON, not UTF-8, cut, a name twice
	ClassRequire  Class = "require"
	ClassOK       Class = "ok"
	ClassItems    Class = "items"  // no list, an item without id, an id twice
	ClassPages    Class = "pages"  // a next page that cannot be asked for, or no end of them
	ClassCursor   Class = "cursor" // the answer gave no cursor for the next poll
	ClassLimit    Class = "limit"  // the limit let no further request of the poll through
	ClassStore    Class = "store"  // the answer was good, the store was not
)

// Failure is why a poll failed. Its text holds no secret.
type Failure struct {
	Class Class
	Err   error
	After time.Duration // the server asked to wait this long (Retry-After); 0: it didn't
}

// Failf makes a failure of a class; the arguments are fmt.Errorf's.
func Failf(class Class, format string, args ...any) *Failure {
	return &Failure{Class: class, Err: fmt.Errorf(format, args...)}
}

// OnPage is f, where it befell the n-th of several pages, counted from 1.
func (f *Failure) OnPage(n int) *Failure {
	return &Failure{Class: f.Class, Err: fmt.Errorf("page %d: %w", n, f.Err), After: f.After}
}

// Error is the class and what happened.
func (f *Failure) Error() string {
	text := f.Err.Error()
	if f.Class == ClassStatus { // which says that word
		text = strings.Replace(text, "status ", "", 1)
	}
	return string(f.Class) + ": " + text
}

// Unwrap is what happened.
func (f *Failure) Unwrap() error { return f.Err }
