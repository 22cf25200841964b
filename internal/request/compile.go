package request

import (
	"cmp"
	"maps"
	"net/http"
	"net/textproto"
	"slices"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
)

// Compile makes the template; env are the names that its expressions may use.
// r is at the request. Where faults are reported the result is of no use.
func (s Settings) Compile(r fault.Report, env expr.Env) *Template {
	q := &Template{method: s.Method, query: texts(r.At("query"), s.Query, env), headers: s.compileHeaders(r.At("headers"), env)}
	r.At("method").OneOf(s.Method, http.MethodGet, http.MethodPost)
	q.url = checkURL(r.At("url"), s.URL, env)
	q.body = s.compileBody(r, env)
	switch {
	case s.GraphQL != nil && s.Method == http.MethodGet:
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
		if _, err := ParseURL(text); err != nil {
			r.Errorf("%v", err)
		}
	}
	return u
}

func (s Settings) compileBody(r fault.Report, env expr.Env) body {
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
	if s.GraphQL != nil {
		made = append(made, jsonBody{s.GraphQL})
	}
	if len(made) > 1 {
		r.Errorf("more than one of json, form, body and graphql: a request has one body")
	}
	if len(made) == 0 {
		return nil
	}
	return made[0]
}

// OwnHeaders are set by whoever sends, or by net/http.
var OwnHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "If-Modified-Since", "If-None-Match",
	"Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (s Settings) compileHeaders(r fault.Report, env expr.Env) []pair {
	pairs := texts(r, s.Headers, env)
	for i, p := range pairs {
		at, name := r.At(p.name), textproto.CanonicalMIMEHeaderKey(p.name)
		switch {
		case !IsToken(p.name):
			at.Errorf("not the name of a header")
		case slices.Contains(OwnHeaders, name):
			at.Errorf("a header that Deltahook sets by itself")
		case slices.ContainsFunc(pairs[:i], func(q pair) bool { return q.name == name }):
			at.Errorf("the header %s stands here twice", name)
		case p.text.Constant() && !ValidValue(s.Headers[p.name]):
			at.Errorf("the value holds a line break or another control character")
		}
		pairs[i].name = name
	}
	slices.SortFunc(pairs, byName)
	return pairs
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

func byName(a, b pair) int { return cmp.Compare(a.name, b.name) }
