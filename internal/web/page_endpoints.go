package web

import (
	"fmt"
	"net/http"

	"github.com/deltahook/deltahook/emitter"
)

// endpointPages adds what shows and steers endpoints.
func (p *pages) endpointPages(shown map[string]shower, deeds map[string]doer) {
	if p.Endpoints == nil {
		return
	}
	shown["/endpoints"] = p.endpoints
	shown["/endpoints/{name}"] = p.endpoint
	deeds["/endpoints/{name}/pause"] = p.pause
	deeds["/endpoints/{name}/resume"] = p.resume
	deeds["/endpoints/{name}/test"] = p.test
}

func (p *pages) endpoints(r *http.Request) (*view, error) {
	all, err := p.Endpoints.Endpoints(r.Context())
	if err != nil {
		return nil, err
	}
	return &view{page: "endpoints", Title: "Endpoints", Nav: "endpoints", Topics: []string{"endpoints"}, Data: all}, nil
}

// endpointPage is one endpoint with what was told to it.
type endpointPage struct {
	emitter.EndpointStatus
	HasArchive bool
	CanReplay  bool
	Filter     filter
	Letters    []letter
	Rest       emitter.Rest
	Older      string // addresses of further pages; "": there are none
	Newest     string
}

// Steerable says whether it can be paused and resumed.
func (e *endpointPage) Steerable() bool {
	return e.State != emitter.ConditionUnknown && e.State != emitter.ConditionDisabled
}

func (p *pages) endpoint(r *http.Request) (*view, error) {
	name := r.PathValue("name")
	status, found, err := statusOf(r.Context(), p.Endpoints, name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("endpoint %s: %w", clipped(name, maxShown), ErrNotFound)
	}
	e := &endpointPage{
		EndpointStatus: status, HasArchive: p.Archive != nil, CanReplay: p.Archive != nil && p.Replays != nil,
		Filter: filter{State: r.URL.Query().Get("state")},
	}
	v := &view{page: "endpoint", Title: name, Nav: "endpoints", Topics: []string{"endpoints/" + name}, Data: e}
	v.Gist = fmt.Sprintf("%s: %s, %d waiting, %d dead", name, e.State, e.Waiting, e.Dead)
	if p.Archive == nil {
		return v, nil
	}
	find, err := e.Filter.find()
	if err != nil {
		return nil, err
	}
	find.Endpoint = name
	cursor := r.URL.Query().Get("cursor")
	page, err := p.Archive.Deliveries(r.Context(), find, emitter.Page{Cursor: cursor, Limit: listRows})
	if err != nil {
		return nil, err
	}
	if e.Letters, err = p.letters(r, page.Deliveries); err != nil {
		return nil, err
	}
	e.Rest = page.Rest
	if page.Next != "" {
		e.Older = e.Filter.Address(endpointURL(name), page.Next)
	}
	if cursor != "" {
		e.Newest = e.Filter.Address(endpointURL(name), "")
	}
	return v, nil
}

// troubled says whether there is something to say of an endpoint: attempts may
// have failed, with a reason, for minutes before it is called failing.
func troubled(e emitter.EndpointStatus) bool {
	return e.Failed > 0 || e.Reason != "" && e.State != emitter.ConditionOK
}

func (p *pages) pause(r *http.Request) (string, error) {
	name := r.PathValue("name")
	return did(endpointURL(name), "pause"), p.Endpoints.Pause(r.Context(), name)
}

func (p *pages) resume(r *http.Request) (string, error) {
	name := r.PathValue("name")
	return did(endpointURL(name), "resume"), p.Endpoints.Resume(r.Context(), name)
}

// test sends a test event, and shows what came of it.
func (p *pages) test(r *http.Request) (string, error) {
	trial, err := p.Endpoints.Test(r.Context(), r.PathValue("name"))
	if err != nil {
		return "", err
	}
	return "", &instead{&view{page: "trial", Title: "Test event", Nav: "endpoints", Data: trial}}
}
