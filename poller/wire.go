package poller

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
}

// request is w for net/http.
func (w *wire) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if w.body != nil {
		body = bytes.NewReader(w.body)
	}
	req, err := http.NewRequestWithContext(ctx, w.method, w.url.String(), body)
	if err != nil {
		return nil, fmt.Errorf("not a URL")
	}
	req.Header = w.header.Clone()
	if w.host != "" {
		req.Host = w.host
	}
	return req, nil
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
