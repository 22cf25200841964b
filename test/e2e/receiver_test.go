package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deltahook/deltahook/test/loopback"
)

// whsec is what the tests sign with, unless they say otherwise.
const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// delivery is one attempt as it arrived.
type delivery struct {
	ID     string
	Header http.Header
	Body   []byte
	Type   string    `json:"type"`
	Time   time.Time `json:"timestamp"`
	Data   struct {
		Source   string         `json:"source"`
		Key      string         `json:"key"`
		Change   string         `json:"change"`
		Revision int            `json:"revision"`
		New      map[string]any `json:"new"`
		Old      map[string]any `json:"old"`
	} `json:"data"`
}

// receiver takes webhooks and verifies each by the official library. Its
// answer function decides the status; it may take its time, and panic with
// http.ErrAbortHandler to drop the connection.
type receiver struct {
	URL    string
	got    chan delivery // those answered 2xx, in the order of their answers
	answer func(delivery) int

	mu  sync.Mutex
	all []delivery // every attempt, in the order of arrival
}

// newReceiver starts a receiver that answers as answer says; nil: always 200.
// What isn't signed with whsec, or can't be read, is a failure of the test.
func newReceiver(tb testing.TB, answer func(delivery) int) *receiver {
	tb.Helper()
	verifier, err := standardwebhooks.NewWebhook(whsec)
	if err != nil {
		tb.Fatal(err)
	}
	r := &receiver{got: make(chan delivery, 10_000), answer: answer}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, req *http.Request) {
		d := delivery{ID: req.Header.Get("webhook-id"), Header: req.Header.Clone()}
		var err error
		if d.Body, err = io.ReadAll(req.Body); err != nil {
			return // the sender was killed
		}
		if err := verifier.Verify(d.Body, req.Header); err != nil {
			tb.Errorf("the official library refuses %s: %v", d.ID, err)
		}
		if err := json.Unmarshal(d.Body, &d); err != nil {
			tb.Errorf("webhook %s: %v: %s", d.ID, err, d.Body)
		}
		r.take(w, d)
	})

	tb.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *receiver) take(w http.ResponseWriter, d delivery) {
	r.mu.Lock()
	r.all = append(r.all, d)
	r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(d)
	}
	if status/100 == 2 {
		r.got <- d
	}
	w.WriteHeader(status)
}

// next is the next webhook that was answered 2xx.
func (r *receiver) next(tb testing.TB) delivery {
	tb.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(patience):
		tb.Fatal("no webhook came")
		return delivery{}
	}
}

// attempts are all that arrived up to now.
func (r *receiver) attempts() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]delivery(nil), r.all...)
}
