// Package poller asks: it runs each source on its schedule, sends the
// request, judges whether what came back is an answer at all, and hands every
// such answer on. It does not know whether anything in it changed.
//
// The flow of one poll:
//
//	due heap -> worker -> request -> HTTP -> judge -> Sink.Take -> next run
//
// A poll that fails at any of these steps changes nothing but the source's
// failure streak.
package poller

import (
	"context"
	"time"
)

// Sink takes answers in. The differ is one.
type Sink interface {
	// Take takes in one answer, its bookmarks included, and returns when
	// that is durable. Where the answer must be asked for again as a whole,
	// though nothing was wrong with it, it sets the bookmarks back. An error means that nothing was taken in; where it
	// is a *Failure, its class is counted. Take is called concurrently for
	// different sources, never for the same one.
	Take(ctx context.Context, a *Answer) error

	// Keep remembers bookmarks that moved without an answer being taken
	// in: a failure streak, a next run. It does not wait for the disk.
	Keep(source string, b Bookmarks)
}

// Answer is what a source said, judged good. The pages are shared: nobody may
// change them.
type Answer struct {
	Source   string
	Received time.Time // when the last byte was read, wall time

	// Unmodified is true where the server said 304: there are no pages, and
	// those that were taken in last hold.
	Unmodified bool

	// Reset is true where the status means that all starts over: there are
	// no pages, what is remembered of the source no longer counts, and its
	// next answer is a silent baseline.
	Reset bool

	Status int               // HTTP status, of the first page
	Header map[string]string // of the first page; names in lower case, several values joined by ", "

	// Pages are the bodies in the order of the server, each valid JSON in
	// UTF-8, no name twice in an object. A source without paging has one;
	// one whose status means empty has none, and hence no items.
	Pages [][]byte

	// Keys are the watch keys that the answer is of; nil: the source has none.
	Keys []string

	// Retire is called for each of Keys that is not to be polled any more,
	// once that is durable. nil: nobody wants to know.
	Retire func(key string)

	Bookmarks Bookmarks // to be committed together with what the answer changes
}

// onePage is an answer with room for the one page that nearly all have.
func onePage() *Answer {
	var a struct {
		Answer
		page [1][]byte
	}
	a.Pages = a.page[:]
	return &a.Answer
}

// Bookmarks is how far a source has come: what the next poll needs to know of
// the ones before. They move only with the commit of the answer that moved
// them; the zero value is a source that was never polled.
type Bookmarks struct {
	Request      string    `json:"request,omitempty"` // fingerprint of the request that the validators belong to
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Next         time.Time `json:"next,omitzero"`          // when the next poll is due
	Failures     int       `json:"failures,omitempty"`     // failed polls in a row
	FailingSince time.Time `json:"failing_since,omitzero"` // when the first of them was
	LastError    string    `json:"last_error,omitempty"`   // class and text of the last of them, without secrets
	Cursor       string    `json:"cursor,omitempty"`       // {NAME: VALUE} of the source's cursor, as JSON; "": there is none

	// Of a watch key, and kept by who takes answers in.
	Enrolled bool      `json:"enrolled,omitempty"` // it was added over the API
	First    time.Time `json:"first,omitzero"`     // when it was asked for first
	Retired  time.Time `json:"retired,omitzero"`   // since when it is not polled any more; zero: it is
}
