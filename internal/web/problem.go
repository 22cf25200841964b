package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// problem is an error as RFC 9457 writes it. The type is left out, which means
// about:blank: the status says what kind of problem it is.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// refuse answers with a problem. The detail is shown to whoever asked.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	encode(w, problem{http.StatusText(status), status, detail})
}

// What is wrong with a request, for those whose errors wrap it.
var (
	ErrNotFound = errors.New("not found")    // no such source, key or endpoint
	ErrInvalid  = errors.New("not valid")    // not a key
	ErrConflict = errors.New("not possible") // something else stands against it
)

// failed answers with an error, by what is wrong with the request; by nothing
// of it, something is wrong here.
func failed(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, differ.ErrNoItem), errors.Is(err, emitter.ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrInvalid), errors.Is(err, emitter.ErrBadCursor):
		status = http.StatusBadRequest
	case errors.Is(err, ErrConflict), errors.Is(err, emitter.ErrTooManyReplays):
		status = http.StatusConflict
	}
	if _, large := errors.AsType[tooLarge](err); large {
		status = http.StatusRequestEntityTooLarge
	}
	refuse(w, status, err.Error())
}

// done answers what was to be done and needs no more words.
func done(w http.ResponseWriter, err error) {
	if err != nil {
		failed(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// give answers with what was found, or with why it wasn't.
func give(w http.ResponseWriter, v any, err error) {
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, v)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encode(w, v)
}

// encode writes JSON that says &, < and > as they stand in what is shown: no
// page has it in its HTML, and no browser guesses that it is some.
func encode(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client may be gone
}
