package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Endpoints is who sends to endpoints, and what a person may ask of it. Its
// errors wrap ErrNotFound where there is no such endpoint, and ErrConflict
// where the endpoint is disabled or busy.
type Endpoints interface {
	// Endpoints is how they fare, by name.
	Endpoints(ctx context.Context) ([]emitter.EndpointStatus, error)
	// Pause stops sending to an endpoint until Resume. Both return when that
	// is durable.
	Pause(ctx context.Context, endpoint string) error
	Resume(ctx context.Context, endpoint string) error
	// Drop makes dead letters of what waits at an endpoint, of events before
	// a time; zero: of all. With dry it only counts them.
	Drop(ctx context.Context, endpoint string, before time.Time, dry bool) (int, error)
	// Test sends one test event to an endpoint, past its queue, and gives
	// what came of it.
	Test(ctx context.Context, endpoint string) (emitter.Trial, error)
}

// steering is what concerns endpoints.
func (s *Server) steering() []route {
	if s.o.Endpoints == nil {
		return nil
	}
	e := endpoints{s.o.Endpoints}
	return []route{
		{"GET /api/v1/endpoints", e.list, nil},
		{"GET /api/v1/endpoints/{name}", e.get, nil},
		{"POST /api/v1/endpoints/{name}/test", e.test, nil},
		{"POST /api/v1/endpoints/{name}/pause", e.pause, nil},
		{"POST /api/v1/endpoints/{name}/resume", e.resume, nil},
		{"POST /api/v1/endpoints/{name}/drop", e.drop, []string{"before", "dry_run"}},
	}
}

type endpoints struct{ of Endpoints }

// served is the answer of GET /api/v1/endpoints.
type served struct {
	Endpoints []emitter.EndpointStatus `json:"endpoints"`
}

func (e endpoints) list(w http.ResponseWriter, r *http.Request) {
	all, err := e.of.Endpoints(r.Context())
	give(w, served{append([]emitter.EndpointStatus{}, all...)}, err)
}

func (e endpoints) get(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	one, found, err := statusOf(r.Context(), e.of, name)
	if err == nil && !found {
		refuse(w, http.StatusNotFound, fmt.Sprintf("no endpoint is called %q", name))
		return
	}
	give(w, one, err)
}

// statusOf is how one endpoint fares; found is false where there is none of the
// name.
func statusOf(ctx context.Context, of Endpoints, name string) (status emitter.EndpointStatus, found bool, err error) {
	all, err := of.Endpoints(ctx)
	if err != nil {
		return status, false, err
	}
	i := slices.IndexFunc(all, func(e emitter.EndpointStatus) bool { return e.Endpoint == name })
	if i < 0 {
		return status, false, nil
	}
	return all[i], true, nil
}

// test sends a test event. That is no failure of the request where the
// receiver does not take it.
func (e endpoints) test(w http.ResponseWriter, r *http.Request) {
	allow(w, longTime)
	trial, err := e.of.Test(r.Context(), r.PathValue("name"))
	give(w, trial, err)
}

func (e endpoints) pause(w http.ResponseWriter, r *http.Request) {
	done(w, e.of.Pause(r.Context(), r.PathValue("name")))
}

func (e endpoints) resume(w http.ResponseWriter, r *http.Request) {
	done(w, e.of.Resume(r.Context(), r.PathValue("name")))
}

// dropped is the answer of POST /api/v1/endpoints/{name}/drop.
type dropped struct {
	Dropped int  `json:"dropped"`           // how many were, or with dry_run would be
	Dry     bool `json:"dry_run,omitempty"` // none was
}

// allow gives a request longer than others to be answered. Where the connection
// knows no such time, none holds.
func allow(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// longTime is how long a request may take that does much, or waits for others.
const longTime = 10 * time.Minute

func (e endpoints) drop(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	before, err := queryTime(query, "before")
	if err != nil {
		failed(w, err)
		return
	}
	dry, err := readBool(query, "dry_run")
	if err != nil {
		failed(w, err)
		return
	}
	allow(w, longTime)
	n, err := e.of.Drop(r.Context(), r.PathValue("name"), before, dry)
	give(w, dropped{n, dry}, err)
}

// Endpoints asks the daemon how the endpoints fare.
func (c *Client) Endpoints(ctx context.Context) ([]emitter.EndpointStatus, error) {
	var list served
	err := c.read(ctx, "/api/v1/endpoints", &list)
	return list.Endpoints, err
}

// Endpoint asks the daemon for one of them.
func (c *Client) Endpoint(ctx context.Context, name string) (e emitter.EndpointStatus, err error) {
	err = c.read(ctx, "/api/v1/endpoints/"+url.PathEscape(name), &e)
	return e, err
}

// TestEndpoint has the daemon send a test event to an endpoint.
func (c *Client) TestEndpoint(ctx context.Context, name string) (t emitter.Trial, err error) {
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/endpoints/"+url.PathEscape(name)+"/test")
	if err != nil {
		return t, err
	}
	err = c.decode(resp, &t)
	return t, err
}

// Pause has the daemon stop sending to an endpoint.
func (c *Client) Pause(ctx context.Context, endpoint string) error {
	return c.steer(ctx, endpoint, "pause")
}

// Resume has the daemon send to an endpoint again.
func (c *Client) Resume(ctx context.Context, endpoint string) error {
	return c.steer(ctx, endpoint, "resume")
}

func (c *Client) steer(ctx context.Context, endpoint, action string) error {
	return c.post(ctx, "/api/v1/endpoints/"+url.PathEscape(endpoint)+"/"+action)
}

// Drop has the daemon make dead letters of what waits at an endpoint, of events
// before a time; zero: of all. With dry it only counts them.
func (c *Client) Drop(ctx context.Context, endpoint string, before time.Time, dry bool) (int, error) {
	query := url.Values{"dry_run": {strconv.FormatBool(dry)}}
	if !before.IsZero() {
		query.Set("before", before.UTC().Format(time.RFC3339Nano))
	}
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/endpoints/"+url.PathEscape(endpoint)+"/drop?"+query.Encode())
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, expectOK(resp, nil)
	}
	defer resp.Body.Close()
	var d dropped
	err = json.NewDecoder(&bounded{r: resp.Body, most: maxWord}).Decode(&d)
	return d.Dropped, err
}
