package poller

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/secret"
)

// Preview is a request as the source would send it, to be shown to a person:
// what is secret, or has a name that credentials usually have, is replaced by
// <secret>.
type Preview struct {
	Method string
	URL    string      // with its query
	Header http.Header // without Host, Accept-Encoding and Content-Length, which are always there
	Body   string      // "" where there is none
}

// Unit is whose state the answer of Ask is of: the source's, or its first watch
// key's.
func (s *Source) Unit() string {
	if s.watch != nil {
		for _, key := range s.watch.sample() {
			return Unit(s.name, key)
		}
	}
	return s.name
}

// Preview is the request that Ask would send for these marks. Expressions are
// evaluated anew at each call. The error is always a *Failure.
func (s *Source) Preview(marks Bookmarks) (Preview, error) {
	w, _, err := s.first(marks, nil)
	if err != nil {
		return Preview{}, s.client.failure(err)
	}
	header := w.header.Clone()
	s.validators(w, marks).set(header)
	header.Del("Accept-Encoding")
	if w.host != "" {
		header.Set("Host", w.host)
	}
	hide := s.client.redactor.Text
	for name, values := range header {
		for i, v := range values {
			if values[i] = hide(v); secret.Name(name) {
				values[i] = secret.Mask
			}
		}
	}
	shown := *w.url
	shown.RawQuery = hidePairs(shown.RawQuery)
	if s.credential != nil {
		showPlaces(s.credential, header, &shown)
	}
	return Preview{
		Method: w.method,
		URL:    hide(shown.String()),
		Header: header,
		Body:   hide(hideBody(w)),
	}, nil
}

// hideBody is the body with the values of telling names hidden, where it is
// one that has names.
func hideBody(w *wire) string {
	switch content := mediaType(w.header.Get("Content-Type")); {
	case content == "application/x-www-form-urlencoded":
		return hidePairs(string(w.body))
	case isJSON(content):
		decoded, err := expr.Decode(w.body)
		if err != nil || !hideValues(decoded) {
			break
		}
		var b strings.Builder
		out := json.NewEncoder(&b)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		if err := out.Encode(decoded); err == nil {
			return strings.TrimSuffix(b.String(), "\n")
		}
	}
	return string(w.body)
}

// hidePairs hides values in a query or a form, and leaves the rest as it is.
func hidePairs(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		raw, _, valued := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(raw); valued && (err != nil || secret.Name(name)) {
			pairs[i] = raw + "=" + secret.Mask
		}
	}
	return strings.Join(pairs, "&")
}

// hideValues hides values in decoded JSON, in place, and reports whether there
// were any.
func hideValues(v any) (hid bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if secret.Name(name) {
				v[name], hid = secret.Mask, true
				continue
			}
			hid = hideValues(value) || hid
		}
	case []any:
		for _, e := range v {
			hid = hideValues(e) || hid
		}
	}
	return hid
}
