package web

import (
	"errors"
	"net/http"
)

// What a client is told, beside ErrNotFound, ErrInvalid and ErrConflict.
var (
	// ErrNoDaemon says that no daemon answers for a store: the store is free to be
	// opened, or not there.
	ErrNoDaemon = errors.New("no daemon answers")
	// ErrUnreached says that nobody took a request, or answered it.
	ErrUnreached = errors.New("ask the daemon")
	// ErrToken says that the daemon wants a token, or another one.
	ErrToken = errors.New("not the token")
	// ErrNoOperation says that the daemon does not know what it was asked: it
	// is of another version.
	ErrNoOperation = errors.New("the API has no such path")
	// ErrStrange says that an answer is not as this version reads it: the
	// daemon is of another version, or something else answers.
	ErrStrange = errors.New("the answer is not that of a daemon of this version")
)

// Refused is an answer that says why there is no other. It is ErrNotFound,
// ErrInvalid, ErrConflict, ErrToken or ErrNoOperation too, by what it says.
type Refused struct {
	Status int    // of HTTP
	Detail string // for a person
}

// Error is the detail.
func (r *Refused) Error() string { return r.Detail }

// Is tells what stands behind the status.
func (r *Refused) Is(target error) bool {
	unknown := r.Status == http.StatusNotFound && r.Detail == noPath || r.Status == http.StatusMethodNotAllowed
	switch target {
	case ErrNoOperation:
		return unknown
	case ErrNotFound:
		return r.Status == http.StatusNotFound && !unknown
	case ErrToken:
		return r.Status == http.StatusUnauthorized
	case ErrInvalid:
		return r.Status == http.StatusBadRequest
	case ErrConflict:
		return r.Status == http.StatusConflict
	}
	return false
}

// noPath is the detail of the answer to a path that is none.
const noPath = "the API has no such path; /api/v1/openapi.json says which there are"
