package web_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/internal/web"
)

// sender is a web.Endpoints that sends to endpoint e.
type sender struct{ asked []string }

var sending = []emitter.EndpointStatus{{
	Endpoint: "e", Host: "https://e.example", State: emitter.ConditionPaused,
	Terms: emitter.Terms{Format: "slack", Order: emitter.OrderEndpoint, Concurrency: 1, Rate: units.Rate{N: 1, Per: time.Second}, Coalesce: true},
	EndpointState: emitter.EndpointState{
		Health:  emitter.Health{Pause: emitter.PauseOutage, Since: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Reason: "it answered 503"},
		Waiting: 7, Dead: 1,
	},
}}

func (s *sender) Endpoints(context.Context) ([]emitter.EndpointStatus, error) { return sending, nil }

func (s *sender) ask(what, endpoint string) error {
	switch endpoint {
	case "e":
		s.asked = append(s.asked, what)
		return nil
	case "off":
		return fmt.Errorf("endpoint off: disabled: %w", web.ErrConflict)
	}
	return fmt.Errorf("endpoint %s: %w", endpoint, web.ErrNotFound)
}

func (s *sender) Pause(_ context.Context, endpoint string) error  { return s.ask("pause", endpoint) }
func (s *sender) Resume(_ context.Context, endpoint string) error { return s.ask("resume", endpoint) }

func (s *sender) Drop(_ context.Context, endpoint string, before time.Time, dry bool) (int, error) {
	text := "all"
	if !before.IsZero() {
		text = before.UTC().Format(time.RFC3339Nano)
	}
	return 7, s.ask(fmt.Sprintf("drop %s %t", text, dry), endpoint)
}

func (s *sender) Test(_ context.Context, endpoint string) (emitter.Trial, error) {
	if endpoint != "e" {
		return emitter.Trial{}, fmt.Errorf("endpoint %s: %w", endpoint, web.ErrNotFound)
	}
	return emitter.Trial{
		Event: "evt_test", Endpoint: "e", Host: "https://e.example", Payload: emitter.Payload(`{"type":"deltahook.test"}`),
		Reason: "status 500", Attempt: emitter.AttemptRecord{Attempt: 1, Status: 500, Response: "no"},
	}, nil
}

func TestEndpoints(t *testing.T) {
	e := &sender{}
	store := filepath.Join(t.TempDir(), "state.db")
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Endpoints: e, Token: secret.New("t0ken")})
	for _, c := range []struct {
		method, path, token string
		status              int
		body                string
	}{
		{"GET", "/api/v1/endpoints", "", 401, "server.token"},
		{"GET", "/api/v1/endpoints", "t0ken", 200, `"state":"paused","pause":"outage","since":"2026-11-23T10:00:00Z"`},
		{"POST", "/api/v1/endpoints/e/pause", "", 401, ""},
		{"POST", "/api/v1/endpoints/e/resume", "", 401, ""},
		{"POST", "/api/v1/endpoints/e/drop", "", 401, ""},
		{"GET", "/api/v1/endpoints/e/pause", "t0ken", 405, ""},
		{"POST", "/api/v1/endpoints/x/pause", "t0ken", 404, "endpoint x: not found"},
		{"POST", "/api/v1/endpoints/off/resume", "t0ken", 409, "disabled"},
		{"POST", "/api/v1/endpoints/e/drop?before=noon", "t0ken", 400, "noon"},
		{"POST", "/api/v1/endpoints/e/drop?dry_run=perhaps", "t0ken", 400, "perhaps"},
		{"POST", "/api/v1/endpoints/x/drop", "t0ken", 404, ""},
		{"POST", "/api/v1/endpoints/e/drop?before=2026-11-23T11:00:00%2B01:00", "t0ken", 200, `{"dropped":7}`},
		{"POST", "/api/v1/endpoints/e/drop?dry_run=true", "t0ken", 200, `{"dropped":7,"dry_run":true}`},
		{"POST", "/api/v1/endpoints/e/pause", "t0ken", 204, ""},
		{"POST", "/api/v1/endpoints/e/resume", "t0ken", 204, ""},
	} {
		authorization := ""
		if c.token != "" {
			authorization = "Bearer " + c.token
		}
		resp, body := ask(t, c.method, "http://"+s.Addr()+c.path, authorization)
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, resp.StatusCode, body, c.status, c.body)
		}
	}

	client, err := web.Dial(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := client.Endpoints(t.Context())
	if diff := cmp.Diff(sending, list); diff != "" || err != nil {
		t.Errorf("endpoints (-want +got):\n%s%v", diff, err)
	}
	if err := client.Pause(t.Context(), "e"); err != nil {
		t.Error(err)
	}
	if err := client.Resume(t.Context(), "e"); err != nil {
		t.Error(err)
	}
	at := time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC)
	if n, err := client.Drop(t.Context(), "e", at, true); n != 7 || err != nil {
		t.Errorf("drop: %d, %v", n, err)
	}
	if _, err := client.Drop(t.Context(), "x", time.Time{}, false); err == nil || !strings.Contains(err.Error(), "x: not found") {
		t.Errorf("of what is not there: %v", err)
	}
	if err := client.Pause(t.Context(), "off"); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("of what is disabled: %v", err)
	}
	want := []string{
		"drop 2026-11-23T10:00:00Z false", "drop all true", "pause", "resume",
		"pause", "resume", "drop 2026-11-23T10:00:00.000000001Z true",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
