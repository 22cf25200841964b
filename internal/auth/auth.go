// Package auth gets tokens and keeps them: one for all who share a credential,
// fetched once at a time and renewed before it expires. It makes requests to
// token endpoints and reads their answers; who sends them is the caller's.
package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds of tokens and of the waits for them.
const (
	LongestToken = 16 << 10 // bytes of a token; a longer one is refused

	unknownLifetime  = time.Hour // of a token whose answer doesn't tell
	shortestLifetime = time.Second
	longestLifetime  = 10 * 365 * 24 * time.Hour
	exchangeTimeout  = 30 * time.Second // for one exchange; it outlives the poll that began it
	saveTimeout      = 5 * time.Second  // for storing a refresh token
	firstPause       = time.Second      // after a failed exchange, doubled by each further one
	longestPause     = time.Minute
	rejectPause      = time.Minute // between two renewals because of a 401
)

// Grant is what a token endpoint gave.
type Grant struct {
	Token    string
	Refresh  string        // a new refresh token; "": the one that was used stays good
	Lifetime time.Duration // 0: not told, taken for an hour
}

// Exchange asks for a token. refresh is the refresh token, "" for a kind that
// has none. The error may be an *Error.
type Exchange func(ctx context.Context, refresh string) (Grant, error)

// Record is what is stored of a refresh token that was exchanged for another.
type Record struct {
	// Origin is the fingerprint of the configured grant that the token grew
	// from. Once that is another, the record is worth nothing.
	Origin  string
	Refresh string    // the refresh token that is good now
	Since   time.Time // when it was given
}

// Store keeps refresh tokens over restarts.
type Store interface {
	// Token is the record that was saved last under a name; the zero value:
	// there is none.
	Token(ctx context.Context, name string) (Record, error)
	// SaveToken returns when the record is durable.
	SaveToken(ctx context.Context, name string, r Record) error
}

// Error is the refusal of a token endpoint. Its text may repeat what the
// endpoint said.
type Error struct {
	Status int           // HTTP status
	Code   string        // OAuth's word (RFC 6749, section 5.2), "" where there is none
	Text   string        // what the endpoint says beside it, on one line; it may hold a secret, and so is not cut
	After  time.Duration // it asked to wait this long; 0: it didn't
}

// Error is the status and the words.
func (e *Error) Error() string {
	text := fmt.Sprintf("status %d", e.Status)
	if e.Code != "" {
		text += ", " + e.Code
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// ErrExpired is in the error where the refresh token is no longer good
// (invalid_grant): a person must allow access again.
var ErrExpired = errors.New("the refresh token is no longer good (invalid_grant)")

// ErrNoStore is the error of a refresh token without a store: the endpoint may
// answer with a new one, which would be lost.
var ErrNoStore = errors.New("a refresh token is not exchanged where a new one could not be stored")
