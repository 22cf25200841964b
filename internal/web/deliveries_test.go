package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// book is a web.Archive of one delivery, and a web.Replays that remembers what
// it was told.
type book struct {
	filter emitter.Filter
	page   emitter.Page
	order  emitter.ReplayOrder
}

var (
	bookEvent    = emitter.EventRecord{ID: "evt_1", Type: "t", Source: "s", Key: "a/b", Revision: 3}
	bookDelivery = emitter.DeliveryRecord{Number: 7, Endpoint: "hook", State: emitter.Dead, Attempts: 1, Event: &bookEvent}
	bookAttempt  = emitter.AttemptRecord{Attempt: 1, Took: 1.5, Status: 500, Response: "planted"}
	bookRest     = emitter.Rest{Next: "further"}
)

func (b *book) Events(_ context.Context, f emitter.Filter, p emitter.Page) (emitter.EventPage, error) {
	b.filter, b.page = f, p
	if p.Cursor == "bad" {
		return emitter.EventPage{}, fmt.Errorf("events: %w", emitter.ErrBadCursor)
	}
	if f.Source == "nothing" {
		return emitter.EventPage{}, nil
	}
	return emitter.EventPage{Events: []emitter.EventRecord{bookEvent}, Rest: bookRest}, nil
}

func (b *book) Event(_ context.Context, id string) (emitter.EventRecord, error) {
	if id != "evt_1" {
		return emitter.EventRecord{}, fmt.Errorf("event %s: %w", id, emitter.ErrUnknown)
	}
	e, d := bookEvent, bookDelivery
	d.Event, d.Payload = nil, emitter.Payload(`{"planted":1.10}`)
	e.Deliveries = []emitter.DeliveryRecord{d}
	return e, nil
}

func (b *book) Deliveries(_ context.Context, f emitter.Filter, p emitter.Page) (emitter.DeliveryPage, error) {
	b.filter, b.page = f, p
	return emitter.DeliveryPage{Deliveries: []emitter.DeliveryRecord{bookDelivery}, Rest: bookRest}, nil
}

func (b *book) Delivery(_ context.Context, number uint64) (emitter.DeliveryRecord, error) {
	if number != 7 {
		return emitter.DeliveryRecord{}, fmt.Errorf("delivery %d: %w", number, emitter.ErrUnknown)
	}
	d := bookDelivery
	d.Payload = emitter.Payload(`{"planted":1.10}`)
	return d, nil
}

func (b *book) Attempts(_ context.Context, _ uint64, p emitter.Page) (emitter.AttemptPage, error) {
	b.page = p
	return emitter.AttemptPage{Attempts: []emitter.AttemptRecord{bookAttempt}}, nil
}

func (b *book) Start(_ context.Context, o emitter.ReplayOrder) (emitter.ReplayJob, error) {
	b.order = o
	switch {
	case o.Check() != nil:
		return emitter.ReplayJob{}, &emitter.OrderError{Fault: o.Check()}
	case o.Source == "busy":
		return emitter.ReplayJob{}, emitter.ErrTooManyReplays
	case o.Event == "unknown":
		return emitter.ReplayJob{}, emitter.ErrUnknown
	}
	return b.Job(nil, "1") //nolint:staticcheck // it is not used
}

func (b *book) Job(_ context.Context, id string) (emitter.ReplayJob, error) {
	if id != "1" {
		return emitter.ReplayJob{}, fmt.Errorf("replay %s: %w", id, emitter.ErrUnknown)
	}
	job := emitter.ReplayJob{ID: "1", State: emitter.ReplayDone, Order: b.order, Replayed: emitter.Replayed{Replayed: 3}}
	if b.order.All {
		job.State = emitter.ReplayRunning
	}
	return job, nil
}

func (b *book) Jobs() []emitter.ReplayJob {
	return []emitter.ReplayJob{{ID: "1", State: emitter.ReplayDone}}
}

func (b *book) Stop(ctx context.Context, id string) (emitter.ReplayJob, error) {
	b.order.All = false
	return b.Job(ctx, id)
}

func TestArchive(t *testing.T) {
	b := &book{}
	store := filepath.Join(t.TempDir(), "state.db")
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Archive: b, Replays: b, Token: secret.New("t0ken")})
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/api/v1/events", 200, `"next":"further"`},
		{"GET", "/api/v1/events?source=nothing", 200, `{"events":[]}`},
		{"GET", "/api/v1/events?sorce=s", 400, "sorce is not a word"},
		{"GET", "/api/v1/events?event=e", 400, "event is not a word"},
		{"GET", "/api/v1/events?source=", 400, "source is empty"},
		{"GET", "/api/v1/events?source=a&source=b", 400, "stands twice"},
		{"GET", "/api/v1/events?cursor=bad", 400, "not a cursor"},
		{"GET", "/api/v1/events?limit=501", 400, "expected 1 to 500"},
		{"GET", "/api/v1/events?since=yesterday", 400, "expected a time"},
		{"GET", "/api/v1/events?state=odd", 400, "expected one of"},
		{"GET", "/api/v1/events/evt_1", 200, `"payload":{"planted":1.10}`},
		{"GET", "/api/v1/events/evt_2", 404, "not found"},
		{"GET", "/api/v1/deliveries?event=evt_1&state=dead", 200, `"number":7`},
		{"GET", "/api/v1/deliveries/7", 200, `"payload":{"planted":1.10}`},
		{"GET", "/api/v1/deliveries/8", 404, "not found"},
		{"GET", "/api/v1/deliveries/seven", 404, "not found"},
		{"GET", "/api/v1/deliveries/7/attempts?limit=2", 200, `"response":"planted"`},
		{"GET", "/api/v1/deliveries/7/attempts?source=s", 400, "not a word"},
		{"GET", "/api/v1/replays", 200, `{"replays":[{"id":"1"`},
		{"GET", "/api/v1/replays/2", 404, "not found"},
		{"DELETE", "/api/v1/replays/1", 200, `"state":"done"`},
		{"POST", "/api/v1/events", 405, ""},
	} {
		resp, body := ask(t, c.method, "http://"+s.Addr()+c.path, "Bearer t0ken")
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, resp.StatusCode, body, c.status, c.body)
		}
		if resp.StatusCode >= 400 && c.status != 405 && resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: an error of type %s", c.method, c.path, resp.Header.Get("Content-Type"))
		}
		if resp, _ := ask(t, c.method, "http://"+s.Addr()+c.path, ""); resp.StatusCode != 401 && c.status != 405 {
			t.Errorf("%s %s without the token: %d", c.method, c.path, resp.StatusCode)
		}
	}
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"source":"s","rate":"5/s","since":"2026-11-23T10:00:00Z"}`, 200, `"replayed":3`},
		{`{"all":true,"dry_run":true}`, 202, `"state":"running"`},
		{`{}`, 400, "say what"},
		{`{"sorce":"s"}`, 400, "sorce"},
		{`{"source":"s"} x`, 400, "follows"},
		{`{"rate":"fast"}`, 400, "not a rate"},
		{`[]`, 400, "as JSON"},
		{`{"source":"` + strings.Repeat("s", 70_000) + `"}`, 413, "is larger than 65536 bytes"},
		{`{"source":"busy"}`, 409, "too many"},
		{`{"event":"unknown"}`, 404, "not found"},
	} {
		status, header, body := post(t, "http://"+s.Addr()+"/api/v1/replay", c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%.60s: %d %s, want %d %s", c.body, status, body, c.status, c.want)
		}
		if location := header.Get("Location"); (status == 202) != (location == "/api/v1/replays/1") {
			t.Errorf("%.60s: %d, to be found at %q", c.body, status, location)
		}
	}

	client, err := web.Dial(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f := emitter.Filter{
		Type: "t", Source: "s", Watch: "w&", Key: "a/b", Endpoint: "hook", State: emitter.Dead,
		Since: time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC), Until: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
	}
	p := emitter.Page{Cursor: "x=", Limit: 7}
	events, err := client.Events(t.Context(), f, p)
	same(t, "events", events, emitter.EventPage{Events: []emitter.EventRecord{bookEvent}, Rest: bookRest}, err)
	same(t, "their filter", b.filter, f, nil)
	f.Event = "evt_1"
	deliveries, err := client.Deliveries(t.Context(), f, p)
	same(t, "deliveries", deliveries, emitter.DeliveryPage{Deliveries: []emitter.DeliveryRecord{bookDelivery}, Rest: bookRest}, err)
	same(t, "their filter", b.filter, f, nil)
	same(t, "their page", b.page, p, nil)
	want, _ := b.Event(t.Context(), "evt_1")
	e, err := client.Event(t.Context(), "evt_1")
	same(t, "event", e, want, err)
	wanted, _ := b.Delivery(t.Context(), 7)
	d, err := client.Delivery(t.Context(), 7)
	same(t, "delivery", d, wanted, err)
	tried, err := client.Attempts(t.Context(), 7, p)
	same(t, "attempts", tried, emitter.AttemptPage{Attempts: []emitter.AttemptRecord{bookAttempt}}, err)
	same(t, "their page", b.page, p, nil)
	order := emitter.ReplayOrder{All: true, State: emitter.AnyState, Rate: emitter.ReplayRate(), Since: f.Since}
	job, err := client.StartReplay(t.Context(), order)
	same(t, "order", b.order, order, err)
	if job.State != emitter.ReplayRunning || job.Replayed.Replayed != 3 {
		t.Errorf("the replay is %+v", job)
	}
	if job, err = client.Replay(t.Context(), "1"); err != nil || job.State != emitter.ReplayRunning {
		t.Errorf("the replay is %+v, %v", job, err)
	}
	if job, err = client.StopReplay(t.Context(), "1"); err != nil || job.State != emitter.ReplayDone {
		t.Errorf("the replay is %+v, %v", job, err)
	}
}

func same(t *testing.T, what string, got, want any, err error) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s (-want +got):\n%s%v", what, diff, err)
	}
}

func post(t *testing.T, to, body string) (status int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t0ken")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// TestArchiveWithoutToken shows what was sent and what was answered on
// loopback, where no token is needed, as it does elsewhere with one.
func TestArchiveWithoutToken(t *testing.T) {
	b := &book{}
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Archive: b, Replays: b})
	for _, path := range []string{"/api/v1/events/evt_1", "/api/v1/deliveries/7", "/api/v1/deliveries/7/attempts"} {
		resp, body := ask(t, "GET", "http://"+s.Addr()+path, "")
		if resp.StatusCode != 200 || !strings.Contains(body, "planted") || !json.Valid([]byte(body)) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
