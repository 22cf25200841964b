package poller

import (
	"encoding/json"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/jsonpath"
	"github.com/deltahook/deltahook/internal/request"
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
	src := &Source{
		name: name, spec: spec{s.Schedule, s.Timezone, s.Jitter.Std()}, disabled: s.Disabled, skipMissed: s.Missed == "skip",
	}
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
	r.At("missed").OneOf(s.Missed, "once", "skip")
	src.watch = s.Watch.compile(r.At("watch"))
	q, at := s.Request, r.At("request")
	at.At("conditional").OneOf(q.Conditional, "auto", "off")
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
	q.TLS.Check(at.At("tls"))
	return src
}

// compile makes the request; env are the names that its expressions may use.
func (s RequestSettings) compile(r fault.Report, env expr.Env) *requests {
	t := request.Settings{
		Method: s.Method, URL: s.URL, Headers: s.Headers, Query: s.Query, JSON: s.JSON, Form: s.Form, Body: s.Body,
	}
	if s.GraphQL.given() {
		t.GraphQL = s.GraphQL.compile(r.At("graphql"), env)
	}
	return &requests{Template: t.Compile(r, env)}
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
