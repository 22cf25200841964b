package poller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/request"
)

// wire is a request as it is sent. It is not changed once it is made.
type wire struct {
	method      string
	url         *url.URL    // without user and fragment
	header      http.Header // base and the configuration's
	base        http.Header // what any host may see
	host        string      // Host header, where it is not the URL's
	body        []byte      // nil: none
	fingerprint string

	home    string   // origin that credentials are for; "": there are none
	away    bool     // it goes to another origin than the configuration's, or came from one
	secrets []string // credentials that are in it, or were in what led to it
}

// request is w for net/http. Header and URL are shared with it, which a
// RoundTripper may not change; a caller who will must copy them first.
func (w *wire) request(ctx context.Context) *http.Request {
	made := request.Request{Method: w.method, URL: w.url, Header: w.header, Host: w.host, Body: w.body}
	return made.HTTP(ctx)
}

// digest is the fingerprint of w: two requests that have the same get the same
// answer, judged the same way. It holds secrets, but does not show them.
func (w *wire) digest(judging string) string {
	h := sha256.New()
	put := func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) }
	put(judging)
	put(w.method)
	put(w.url.String())
	put(w.host)
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		put(name)
		put(strings.Join(w.header[name], "\n"))
	}
	put(string(w.body))
	return hex.EncodeToString(h.Sum(nil)[:16])
}
