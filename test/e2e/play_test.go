package e2e

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// api is a polled API that answers only when the test says what: a poll
// waits until play hands it its answer. As a source's next poll starts only
// when the one before was taken in, a poll that has arrived also says that
// everything the answers before it changed is committed.
type api struct {
	URL     string
	arrived chan *http.Request
	answers chan http.HandlerFunc
	waiting bool // a poll has arrived and has no answer yet
}

func newAPI(tb testing.TB) *api {
	tb.Helper()
	a := &api{arrived: make(chan *http.Request), answers: make(chan http.HandlerFunc)}
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.arrived <- r:
		case <-r.Context().Done():
			return
		case <-end:
			return
		}
		select {
		case answer := <-a.answers:
			answer(w, r)
		case <-r.Context().Done():
		case <-end:
		}
	}))
	tb.Cleanup(func() { close(end); server.CloseClientConnections(); server.Close() })
	a.URL = server.URL
	return a
}

// settled waits for the next poll, and leaves it waiting: what was answered
// before is committed then.
func (a *api) settled(tb testing.TB) {
	tb.Helper()
	if a.waiting {
		return
	}
	select {
	case <-a.arrived:
		a.waiting = true
	case <-time.After(patience):
		tb.Fatal("no poll came")
	}
}

// play answers the next poll.
func (a *api) play(tb testing.TB, answer http.HandlerFunc) {
	tb.Helper()
	a.settled(tb)
	select {
	case a.answers <- answer:
		a.waiting = false
	case <-time.After(patience):
		tb.Fatal("the poll went away before it was answered")
	}
}

// body is an answer of JSON with status 200.
func body(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the poller may be gone
	}
}
