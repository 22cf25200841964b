package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// maxWebhook is how large a webhook the receiver reads: four times what
// Deltahook sends at most.
const maxWebhook = 1 << 20

// webhook is one that the receiver got.
type webhook struct {
	ID       string
	Type     string    `json:"type"`
	Time     time.Time `json:"timestamp"`
	Data     hookData  `json:"data"`
	Body     []byte    `json:"-"`
	Verified error     `json:"-"` // nil: a signature is good; errNoSecret: there was none to verify with
	Standard bool      `json:"-"` // the body is one of Deltahook's standard format
}

type hookData struct {
	Source   string          `json:"source"`
	Key      string          `json:"key"`
	Change   string          `json:"change"`
	Revision uint64          `json:"revision"`
	New      json.RawMessage `json:"new"`
	Old      json.RawMessage `json:"old"`
}

var errNoSecret = errors.New("not verified: no --secret given")

// receiver is a webhook receiver for trying things out: it verifies what
// comes, shows it, and answers as answer says.
type receiver struct {
	keys   []string
	show   func(webhook, int)
	answer func(webhook) int // the status for a webhook; it may take its time
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		http.Error(w, "webhooks come by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxWebhook))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	hook := webhook{Body: body}
	hook.Standard = json.Unmarshal(body, &hook) == nil && hook.Type != ""
	hook.ID = req.Header.Get(emitter.HeaderID)
	hook.Verified = errNoSecret
	if len(r.keys) > 0 {
		hook.Verified = verifyWebhook(r.keys, req.Header, body)
	}
	status := http.StatusUnauthorized
	if hook.Verified == nil || errors.Is(hook.Verified, errNoSecret) {
		status = r.answer(hook)
	}
	r.show(hook, status)
	w.WriteHeader(status)
	fmt.Fprintln(w, http.StatusText(status))
}

// verifyWebhook verifies a webhook by the signature that it has. A key that is
// none of Standard Webhooks' is good for those of GitHub's kind alone.
func verifyWebhook(keys []string, header http.Header, body []byte) error {
	if emitter.IsGitHub(header) {
		return emitter.VerifyGitHub(keys, header, body)
	}
	var standard []string
	for _, key := range keys {
		if emitter.IsStandardKey(key) {
			standard = append(standard, key)
		}
	}
	return emitter.Verify(standard, header, body, time.Now())
}

// serve answers on l until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		_ = server.Close() // a trial's receiver need not be polite
		<-done             //nolint:errcheck // the server was closed, and says so
		return nil
	}
}
