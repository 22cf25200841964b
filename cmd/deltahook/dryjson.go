package main

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// dryJSON is what a dry run says to programs. Its names are stable.
type dryJSON struct {
	Source   string        `json:"source"`
	Request  *requestJSON  `json:"request,omitempty"`  // of a poll
	Answer   *answerJSON   `json:"answer,omitempty"`   // of a poll
	Snapshot *snapshotJSON `json:"snapshot,omitempty"` // of a poll
	Listed   int           `json:"listed"`
	Unknown  int           `json:"unknown"`
	Baseline bool          `json:"baseline"`
	Reset    bool          `json:"reset"`
	Hold     *differ.Hold  `json:"hold,omitempty"` // why the answer would be held
	Items    []itemJSON    `json:"items"`
	More     int           `json:"more"` // items that are not among them
	Events   []eventJSON   `json:"events"`
}

type requestJSON struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers"`
	Body    string              `json:"body"`
}

type answerJSON struct {
	Status int   `json:"status"`
	Bytes  int   `json:"bytes"`
	Pages  int   `json:"pages"`
	Millis int64 `json:"ms"`
}

type snapshotJSON struct {
	Version uint64 `json:"version"`
	Items   int    `json:"items"`
}

type itemJSON struct {
	Watch    string     `json:"watch,omitempty"`
	Key      string     `json:"key"`
	Change   string     `json:"change,omitempty"`
	Revision uint64     `json:"revision"`
	Guard    string     `json:"guard,omitempty"`
	Detail   string     `json:"detail,omitempty"`
	Rules    []ruleJSON `json:"rules"`
}

type ruleJSON struct {
	Rule    string     `json:"rule"`
	Told    bool       `json:"told"`
	Verdict string     `json:"verdict"`
	Error   string     `json:"error,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
}

type eventJSON struct {
	Type     string        `json:"type"`
	Watch    string        `json:"watch,omitempty"`
	Key      string        `json:"key"`
	Change   string        `json:"change"`
	Revision uint64        `json:"revision"`
	Payloads []payloadJSON `json:"payloads"`
}

type payloadJSON struct {
	Endpoints []string `json:"endpoints"`
	Payload   any      `json:"payload"` // JSON, or text where it is none
}

// take enters what the differ says of an answer.
func (j *dryJSON) take(o *differ.Preview, hide *secret.Redactor) {
	j.Listed, j.Unknown, j.Baseline, j.Reset, j.More = o.Listed, o.Unknown, o.Baseline, o.Reset, o.More
	if o.Hold != nil {
		hold := *o.Hold
		hold.Keys = slices.Clone(hold.Keys)
		for i, key := range hold.Keys {
			hold.Keys[i] = hide.Text(key)
		}
		j.Hold = &hold
	}
	j.Items, j.Events = []itemJSON{}, []eventJSON{}
	for _, item := range slices.Concat(o.Changes, o.Others) {
		out := itemJSON{
			Watch: hide.Text(item.Watch), Key: hide.Text(item.Key), Change: string(item.Change), Revision: item.Revision,
			Guard: string(item.Guard), Detail: item.Detail, Rules: []ruleJSON{},
		}
		for _, r := range item.Rules {
			rule := ruleJSON{Rule: r.Rule, Told: r.Verdict == differ.RuleTold && item.Guard == "", Verdict: string(r.Verdict), Error: hide.Text(r.Error)}
			if !r.Until.IsZero() {
				rule.Until = &r.Until
			}
			out.Rules = append(out.Rules, rule)
		}
		j.Items = append(j.Items, out)
	}
	for i := range o.Events {
		e := &o.Events[i]
		out := eventJSON{
			Type: e.Type, Watch: hide.Text(e.Watch), Key: hide.Text(e.Key), Change: string(e.Change), Revision: e.Revision,
			Payloads: []payloadJSON{},
		}
		for _, group := range byPayload(e.Bodies) {
			out.Payloads = append(out.Payloads, payloadJSON{Endpoints: group.endpoints, Payload: payload(hide.Text(string(group.payload)))})
		}
		j.Events = append(j.Events, out)
	}
}

// payload is a body as a part of a document. Where a secret that was cut out
// was no text, what is left is none either.
func payload(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// asked enters a request and its answer.
func (j *dryJSON) asked(r poller.Preview, a *poller.Answer, took time.Duration, hide *secret.Redactor) {
	j.Request = &requestJSON{Method: r.Method, URL: hide.Text(r.URL), Headers: map[string][]string{}, Body: hide.Text(r.Body)}
	for name, values := range r.Header {
		for _, v := range values {
			j.Request.Headers[name] = append(j.Request.Headers[name], hide.Text(v))
		}
	}
	j.Answer = &answerJSON{Status: a.Status, Pages: len(a.Pages), Millis: took.Milliseconds()}
	for _, page := range a.Pages {
		j.Answer.Bytes += len(page)
	}
}
