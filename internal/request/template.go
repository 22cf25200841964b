// Package request makes HTTP requests of templates: texts in which
// {{ expressions }} may stand. It says what is sent, to nobody.
package request

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/deltahook/deltahook/internal/expr"
)

// Settings is what a template is made of. At most one of JSON, Form, Body and
// GraphQL is given.
type Settings struct {
	Method  string // GET or POST; "": GET, or POST where there is a body
	URL     string
	Headers map[string]string
	Query   map[string]string // added to the URL's own
	JSON    any
	Form    map[string]string
	Body    string
	GraphQL *expr.Tree // compiled; nil: none
}

// Template is Settings, compiled. It is immutable and safe for concurrent use.
type Template struct {
	method  string
	url     *expr.URL
	query   []pair // by name
	headers []pair // by canonical name
	body    body
}

// pair is a name with a text: a header, a query parameter, a field of a form.
type pair struct {
	name string
	text *expr.Text
}

// Request is a request that a template gave.
type Request struct {
	Method string
	URL    *url.URL    // without user and fragment
	Header http.Header // not the base's, unless nothing was added to it: shared, not to be changed
	Host   string      // Host header, where it is not the URL's
	Body   []byte      // nil: none
}

// HTTP is the request for net/http. Header and URL are shared with it, which a
// RoundTripper may not change; a caller who will must copy them first.
func (r *Request) HTTP(ctx context.Context) *http.Request {
	req := &http.Request{Method: r.Method, URL: r.URL, Header: r.Header, Host: r.Host}
	switch {
	case len(r.Body) > 0:
		req.ContentLength = int64(len(r.Body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
		req.Body, _ = req.GetBody()
	case r.Body != nil: // a length of 0 with a body is an unknown one to net/http
		req.Body = http.NoBody
	}
	return req.WithContext(ctx)
}

// Constant reports whether every request of it is the same.
func (q *Template) Constant() bool {
	varies := func(p pair) bool { return !p.text.Constant() }
	return q.url.Constant() && !slices.ContainsFunc(q.query, varies) && !slices.ContainsFunc(q.headers, varies) &&
		(q.body == nil || q.body.constant())
}

// Uses reports whether an expression of the request uses a name.
func (q *Template) Uses(name string) bool {
	used := func(p pair) bool { return p.text.Uses(name) }
	return q.UsesInURL(name) || slices.ContainsFunc(q.query, used) || slices.ContainsFunc(q.headers, used) ||
		q.body != nil && q.body.uses(name)
}

// UsesInURL is Uses for the URL alone.
func (q *Template) UsesInURL(name string) bool { return q.url != nil && q.url.Uses(name) }

// Make is the request with these values of the names that its expressions may
// use. base are headers that every request has; it is not changed.
func (q *Template) Make(base http.Header, vars map[string]any) (*Request, error) {
	w := &Request{Method: q.method, Header: base}
	var err error
	if w.URL, err = q.URL(vars); err != nil {
		return nil, err
	}
	if err := q.addQuery(w.URL, vars); err != nil {
		return nil, err
	}
	if q.body != nil || w.URL.User != nil || len(q.headers) > 0 {
		w.Header = base.Clone()
	}
	if q.body != nil {
		if w.Body, err = q.body.bytes(vars); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		if t := q.body.contentType(); t != "" {
			w.Header.Set("Content-Type", t)
		}
	}
	if u := w.URL.User; u != nil { // what net/http's own client makes of it
		password, _ := u.Password()
		credentials := http.Request{Header: w.Header}
		credentials.SetBasicAuth(u.Username(), password)
		w.URL.User = nil
	}
	for _, h := range q.headers {
		v, err := h.text.String(vars)
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", h.name, err)
		}
		if !ValidValue(v) {
			return nil, fmt.Errorf("headers.%s: the value holds a line break or another control character", h.name)
		}
		if h.name == "Host" {
			w.Host = v
			continue
		}
		w.Header.Set(h.name, v)
	}
	return w, nil
}

// URL is the request's URL, without what the query adds to it.
func (q *Template) URL(vars map[string]any) (*url.URL, error) {
	raw, err := q.url.String(vars)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	u, err := ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return u, nil
}

// addQuery adds the query. What the URL has of its own stays as it is written:
// some servers refuse a parameter that they don't know, or one that is encoded
// otherwise.
func (q *Template) addQuery(u *url.URL, vars map[string]any) error {
	for _, p := range q.query {
		v, err := p.text.String(vars)
		if err != nil {
			return fmt.Errorf("query.%s: %w", p.name, err)
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += EscapeQuery(p.name) + "=" + EscapeQuery(v)
	}
	return nil
}
