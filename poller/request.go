package poller

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/expr"
)

// request is a RequestSettings, compiled.
type request struct {
	method  string
	url     *expr.URL
	query   []pair // by name
	headers []pair // by canonical name
	body    body
	bound   bool  // it shows who asks, so it is for one host only
	fixed   *wire // where there is no expression in it; nil: made anew for each poll
}

// pair is a name with a text: a header, a query parameter, a field of a form.
type pair struct {
	name string
	text *expr.Text
}

// body makes a request's body; nil makes none.
type body interface {
	bytes(vars map[string]any) ([]byte, error)
	contentType() string // "" leaves it to the headers
	constant() bool
	uses(name string) bool // in an expression
}

// wire makes the request as it is sent. The result is shared where nothing in
// it varies: nobody may change it. vars are the values of the names that its
// expressions may use.
func (q *request) wire(base http.Header, judging string, vars map[string]any) (*wire, error) {
	if q.fixed != nil {
		return q.fixed, nil
	}
	return q.make(base, judging, vars)
}

// fix makes the request once and for all where nothing in it varies.
func (q *request) fix(base http.Header, judging string) (err error) {
	varies := func(p pair) bool { return !p.text.Constant() }
	if !q.url.Constant() || slices.ContainsFunc(q.query, varies) || slices.ContainsFunc(q.headers, varies) ||
		q.body != nil && !q.body.constant() {
		return nil
	}
	q.fixed, err = q.make(base, judging, nil)
	return err
}

func (q *request) make(base http.Header, judging string, vars map[string]any) (*wire, error) {
	w := &wire{method: q.method, base: base}
	if err := q.makeURL(w, vars); err != nil {
		return nil, err
	}
	if q.bound {
		w.home = origin(w.url)
	}
	w.secrets = queryCredentials(w.url.RawQuery)
	w.header = base
	if q.body != nil || w.url.User != nil || len(q.headers) > 0 {
		w.header = base.Clone()
	}
	if q.body != nil {
		var err error
		if w.body, err = q.body.bytes(vars); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		if t := q.body.contentType(); t != "" {
			w.header.Set("Content-Type", t)
		}
	}
	if u := w.url.User; u != nil { // what net/http's own client makes of it
		password, _ := u.Password()
		credentials := http.Request{Header: w.header}
		credentials.SetBasicAuth(u.Username(), password)
		w.url.User = nil
	}
	for _, h := range q.headers {
		v, err := h.text.String(vars)
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", h.name, err)
		}
		if !validHeaderValue(v) {
			return nil, fmt.Errorf("headers.%s: the value holds a line break or another control character", h.name)
		}
		if h.name == "Host" {
			w.host = v
			continue
		}
		w.header.Set(h.name, v)
	}
	w.fingerprint = w.digest(judging)
	return w, nil
}

// makeURL renders the URL. Its own query stays as it is written: some servers
// refuse a parameter that they don't know, or one that is encoded otherwise.
func (q *request) makeURL(w *wire, vars map[string]any) error {
	raw, err := q.url.String(vars)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if w.url, err = parseURL(raw); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	for _, p := range q.query {
		v, err := p.text.String(vars)
		if err != nil {
			return fmt.Errorf("query.%s: %w", p.name, err)
		}
		if w.url.RawQuery != "" {
			w.url.RawQuery += "&"
		}
		w.url.RawQuery += escapeQuery(p.name) + "=" + escapeQuery(v)
	}
	return nil
}

// parseURL reads an absolute http or https URL. The error does not show it.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme is %q: expected http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("no host")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// escapeQuery writes a space as %20, which every server reads as one.
func escapeQuery(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// validHeaderValue is RFC 9110's field-value, less what must not start or end
// one.
func validHeaderValue(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func byName(a, b pair) int { return cmp.Compare(a.name, b.name) }

// jsonBody is a JSON body.
type jsonBody struct{ *expr.Tree }

func (b jsonBody) bytes(vars map[string]any) ([]byte, error) { return b.JSON(vars) }
func (b jsonBody) uses(name string) bool                     { return b.Uses(name) }
func (jsonBody) contentType() string                         { return "application/json" }
func (jsonBody) constant() bool                              { return false }

// formBody is an application/x-www-form-urlencoded body.
type formBody []pair

func (b formBody) bytes(vars map[string]any) ([]byte, error) {
	form := url.Values{}
	for _, p := range b {
		v, err := p.text.String(vars)
		if err != nil {
			return nil, fmt.Errorf("form.%s: %w", p.name, err)
		}
		form.Set(p.name, v)
	}
	return []byte(form.Encode()), nil
}
func (b formBody) uses(name string) bool {
	return slices.ContainsFunc(b, func(p pair) bool { return p.text.Uses(name) })
}
func (formBody) contentType() string { return "application/x-www-form-urlencoded" }
func (b formBody) constant() bool {
	return !slices.ContainsFunc(b, func(p pair) bool { return !p.text.Constant() })
}

// rawBody is a body as it is.
type rawBody struct{ *expr.Text }

func (b rawBody) bytes(vars map[string]any) ([]byte, error) {
	v, err := b.String(vars)
	return []byte(v), err
}
func (b rawBody) uses(name string) bool { return b.Uses(name) }
func (rawBody) contentType() string     { return "" }
func (b rawBody) constant() bool        { return b.Constant() }
