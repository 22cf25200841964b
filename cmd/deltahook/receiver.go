package main

import (
	"cmp"
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
}

type hookData struct {
	Source   string          `json:"source"`
	Endpoint string          `json:"endpoint"` // of an event of Deltahook's own, as Auth
	Auth     string          `json:"auth"`
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
	hook := readWebhook(req.Header, body)
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

// readWebhook reads what a webhook says of itself, in whatever format; what it
// doesn't say is empty.
func readWebhook(header http.Header, body []byte) webhook {
	var hook webhook
	if json.Unmarshal(body, &hook) != nil {
		hook = webhook{}
	}
	var flat hookData // as zapier and cloudevents_binary have it
	if !hook.Data.tells() && json.Unmarshal(body, &flat) == nil {
		hook.Data = flat
	}
	if of := header.Get("ce-type"); of != "" {
		hook.Type = of
	}
	hook.Body, hook.ID, hook.Verified = body, header.Get(emitter.HeaderID), errNoSecret
	return hook
}

// tells says whether it is the data of an event.
func (d *hookData) tells() bool { return d.Source != "" || d.Endpoint != "" || d.Auth != "" }

// head says in a line what a webhook tells: of which item, or of what else.
func (h *webhook) head() string {
	d := &h.Data
	if h.Type == "" || !d.tells() {
		return "a webhook" // as chats get it, or as somebody made it up
	}
	of := cmp.Or(d.Source, d.Endpoint, d.Auth)
	if d.Key != "" {
		of += "/" + d.Key
	}
	head := h.Type + "  " + of
	if d.Change != "" {
		head += fmt.Sprintf("  %s, revision %d", d.Change, d.Revision)
	}
	return head
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
