package poller

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/jsonpath"
	"github.com/deltahook/deltahook/internal/units"
)

// Defaults and bounds of a source's settings.
const (
	defaultTimeout   = units.Duration(30 * time.Second)
	longestTimeout   = units.Duration(time.Hour)
	defaultMaxBody   = units.Size(10 << 20)
	largestMaxBody   = units.Size(1 << 30)
	defaultRedirects = 5
	mostRedirects    = 20
)

// Check reports what is wrong with the settings; r is at sources.NAME. resp is
// for what the two must agree on, and has a check of its own.
func (s Settings) Check(r fault.Report, resp ResponseSettings) { s.compile(r, "").agree(r, resp) }

// agree settles what of a request depends on how its answer is read.
func (s *Source) agree(r fault.Report, resp ResponseSettings) {
	s.items = resp.Items
	s.checkCursor(r.At("cursor"))
	if s.paging != nil {
		s.paging.checkItems(r, resp.Items)
	}
}

// Check reports what is wrong with the settings; r is at sources.NAME.response.
func (s ResponseSettings) Check(r fault.Report) { s.compile(r) }

// compile makes of the settings what a Source needs of them. Where it reports
// faults the result is of no use.
func (s Settings) compile(r fault.Report, name string) *Source {
	src := &Source{name: name, disabled: s.Disabled, skipMissed: s.Missed == "skip"}
	zone, err := parseZone(s.Timezone)
	if err != nil {
		r.At("timezone").Errorf("%v", err)
		zone = time.UTC
	}
	if src.schedule, err = parseSpec(s.Schedule, zone, name, s.Jitter.Std()); err != nil {
		r.At("schedule").Errorf("%v", err)
	}
	if s.Jitter < 0 {
		r.At("jitter").Errorf("expected a duration that is not negative")
	}
	oneOf(r.At("missed"), s.Missed, "once", "skip")
	src.watch = s.Watch.compile(r.At("watch"))
	q, at := s.Request, r.At("request")
	oneOf(at.At("conditional"), q.Conditional, "auto", "off")
	src.conditional = q.Conditional != "off"
	src.timeout = within(at.At("timeout"), q.Timeout, defaultTimeout, longestTimeout).Std()
	src.maxBody = int64(within(at.At("max_body"), q.MaxBody, defaultMaxBody, largestMaxBody))
	src.redirects = defaultRedirects
	if q.Redirects != nil {
		src.redirects = *q.Redirects
	}
	if src.redirects < 0 || src.redirects > mostRedirects {
		at.At("redirects").Errorf("expected a number from 0 to %d", mostRedirects)
	}
	src.cursor = s.Cursor.compile(r.At("cursor"))
	src.request = q.compile(at, s.env())
	src.paging = q.Paginate.compile(at.At("paginate"), q)
	if q.Auth.Own != nil {
		q.Auth.Own.Check(at.At("auth"))
	}
	q.TLS.compile(at.At("tls"))
	return src
}

// compile makes the request; env are the names that its expressions may use.
func (s RequestSettings) compile(r fault.Report, env expr.Env) *request {
	q := &request{method: s.Method, query: texts(r.At("query"), s.Query, env), headers: s.compileHeaders(r.At("headers"), env)}
	oneOf(r.At("method"), s.Method, http.MethodGet, http.MethodPost)
	q.url = checkURL(r.At("url"), s.URL, env)
	q.body = s.compileBody(r, env)
	switch {
	case s.GraphQL.given() && s.Method == http.MethodGet:
		r.At("method").Errorf("graphql is sent by POST")
	case q.body != nil && s.Method == http.MethodGet:
		r.At("method").Warnf("GET with a body: most servers don't read it; leave the method out for POST")
	}
	if q.method == "" {
		q.method = http.MethodGet
		if q.body != nil {
			q.method = http.MethodPost
		}
	}
	return q
}

// checkURL compiles a URL; one without expressions is read at once.
func checkURL(r fault.Report, text string, env expr.Env) *expr.URL {
	if text == "" {
		r.Errorf("no URL")
		return nil
	}
	u, err := expr.ParseURL(text, env)
	if err != nil {
		r.Errorf("%v", err)
		return nil
	}
	if u.Constant() {
		if _, err := parseURL(text); err != nil {
			r.Errorf("%v", err)
		}
	}
	return u
}

func (s RequestSettings) compileBody(r fault.Report, env expr.Env) body {
	var made []body
	if s.JSON != nil {
		tree, errs := expr.ParseTree(s.JSON, env)
		for _, e := range errs {
			r.At("json").At(e.Path...).Errorf("%v", e.Err)
		}
		made = append(made, jsonBody{tree})
	}
	if len(s.Form) > 0 {
		made = append(made, formBody(texts(r.At("form"), s.Form, env)))
	}
	if s.Body != "" {
		text, err := expr.ParseText(s.Body, env)
		if err != nil {
			r.At("body").Errorf("%v", err)
		}
		made = append(made, rawBody{text})
	}
	if s.GraphQL.given() {
		made = append(made, s.GraphQL.compile(r.At("graphql"), env))
	}
	if len(made) > 1 {
		r.Errorf("more than one of json, form, body and graphql: a request has one body")
	}
	if len(made) == 0 {
		return nil
	}
	return made[0]
}

// ownHeaders are set by the poller or by net/http.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "If-Modified-Since", "If-None-Match",
	"Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (s RequestSettings) compileHeaders(r fault.Report, env expr.Env) []pair {
	pairs := texts(r, s.Headers, env)
	for i, p := range pairs {
		at, name := r.At(p.name), textproto.CanonicalMIMEHeaderKey(p.name)
		switch {
		case !isToken(p.name):
			at.Errorf("not the name of a header")
		case slices.Contains(ownHeaders, name):
			at.Errorf("a header that Deltahook sets by itself")
		case slices.ContainsFunc(pairs[:i], func(q pair) bool { return q.name == name }):
			at.Errorf("the header %s stands here twice", name)
		case p.text.Constant() && !validHeaderValue(s.Headers[p.name]):
			at.Errorf("the value holds a line break or another control character")
		}
		pairs[i].name = name
	}
	slices.SortFunc(pairs, byName)
	return pairs
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// texts compiles the values of a mapping, in the order of their names.
func texts(r fault.Report, m map[string]string, env expr.Env) []pair {
	var pairs []pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		text, err := expr.ParseText(m[name], env)
		if err != nil {
			r.At(name).Errorf("%v", err)
			text = new(expr.Text)
		}
		pairs = append(pairs, pair{name, text})
	}
	return pairs
}

func (s ResponseSettings) compile(r fault.Report) *judge {
	j := &judge{reader: s.compileReader(r), require: s.Require, okText: s.OK}
	j.statuses = compileStatus(r.At("status"), s.Status)
	for i, path := range s.Require {
		if err := jsonpath.Check(path); err != nil {
			r.At("require").Index(i).Errorf("%v", err)
		}
	}
	if s.OK != "" {
		var err error
		j.ok, err = expr.CompileBool(s.OK, expr.Env{"status": 0, "headers": map[string]string{}, "body": nil})
		if err != nil {
			r.At("ok").Errorf("%v", err)
		}
	}
	all, _ := json.Marshal(s) // text, lists and mappings of text: they have no value that fails
	j.fingerprint = string(all)
	return j
}

// within is v, or the default where v is zero; it reports a v out of bounds.
func within[T units.Duration | units.Size](r fault.Report, v, fallback, most T) T {
	if v == 0 {
		return fallback
	}
	if v < 0 || v > most {
		r.Errorf("%v: expected more than 0 and at most %v", v, most)
	}
	return v
}

// oneOf reports a word that is none of those; empty is the default.
func oneOf(r fault.Report, word string, words ...string) {
	if word != "" && !slices.Contains(words, word) {
		r.Errorf("%q: expected %s", word, strings.Join(words, " or "))
	}
}
