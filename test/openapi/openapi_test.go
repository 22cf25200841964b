// Package openapi_test holds the API's OpenAPI document to the OpenAPI 3.1
// schema, and talks to the daemon through a client that was made from it
// (go generate).
package openapi_test

//go:generate go tool ogen --target client --package client --clean --loglevel error ../../internal/web/openapi.yaml

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/deltahook/deltahook/test/openapi/client"
)

const token = "token-of-the-openapi-test"

func TestDocumentIsValid(t *testing.T) {
	text, err := os.ReadFile("../../internal/web/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(text); err != nil {
		t.Error(err)
	}
	// It would say no.
	if err := validate([]byte(strings.Replace(string(text), "operationId: getStatus", "operation: getStatus", 1))); err == nil {
		t.Error("an operation with a field that OpenAPI does not know passes")
	}
}

func validate(text []byte) error {
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return fmt.Errorf("%v", errs)
	}
	if ok, faults := v.ValidateDocument(); !ok {
		var all strings.Builder
		for _, f := range faults {
			fmt.Fprintf(&all, "%s: %s\n", f.Message, f.Reason)
			for _, s := range f.SchemaValidationErrors {
				fmt.Fprintf(&all, "  %s: %s\n", s.FieldPath, s.Reason)
			}
		}
		return fmt.Errorf("%s", all.String())
	}
	return nil
}

// shown is the token, for the client.
type shown struct{ token string }

func (s shown) Token(context.Context, client.OperationName) (client.Token, error) {
	return client.Token{Token: s.token}, nil
}

func (shown) Session(context.Context, client.OperationName) (client.Session, error) {
	return client.Session{}, nil
}

// daemon runs the built command over an API whose parcel moves with each poll,
// and gives its address.
func daemon(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "deltahook")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/deltahook")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var polls atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"id":"a/b","step":%d},{"id":"still"}]`, polls.Add(1))
	}))
	t.Cleanup(api.Close)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	addr := freeAddress(t)
	config := filepath.Join(dir, "deltahook.yaml")
	text := fmt.Sprintf(`
server: {listen: %q, token: %s}
sources:
  parcels:
    schedule: "@every 1s"
    request: {url: %q}
    response: {items: "@this", id: id}
  keyed:
    schedule: "@every 1h"
    request: {url: %q, query: {k: "{{ key }}"}}
    watch: {api: true}
endpoints:
  hook: {url: %q, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`, addr, token, api.URL, api.URL, hook.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(binary, "run", "--config", config)
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		if err := run.Wait(); err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	return "http://" + addr
}

// freeAddress is one to listen on: at a loopback address that hardly anybody else
// has, so that the port is still free when the daemon comes to it.
func freeAddress(t *testing.T) string {
	t.Helper()
	n := 1 + rand.IntN(1<<16-1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", n>>8, n&0xff))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestGeneratedClient(t *testing.T) {
	base := daemon(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := client.NewClient(base, shown{token})
	if err != nil {
		t.Fatal(err)
	}
	// The first events are told after a second poll.
	var events *client.EventPage
	for {
		if events, err = c.ListEvents(ctx, client.ListEventsParams{Source: client.NewOptString("parcels")}); err == nil && len(events.Events) > 1 {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no event came: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	event := events.Events[len(events.Events)-1]
	if event.Key != "a/b" || event.Type != "parcels.updated" {
		t.Errorf("event %+v", event)
	}

	ask(t, "status", func() (*client.Status, error) { return c.GetStatus(ctx) }, func(s *client.Status) bool {
		return s.Ready && s.Items == 2 && s.Sources["ok"] == 1 && s.Endpoints["ok"] == 1
	})
	ask(t, "config", func() (*client.Config, error) { return c.GetConfig(ctx) }, func(s *client.Config) bool {
		return len(s.Files) == 1 && strings.Contains(s.Yaml, "parcels:") && !strings.Contains(s.Yaml, token)
	})
	ask(t, "document", func() (client.GetOpenAPIOK, error) { return c.GetOpenAPI(ctx) }, func(d client.GetOpenAPIOK) bool { return string(d["openapi"]) == `"3.1.0"` })
	var next client.OptString
	for _, name := range []string{"keyed", "parcels"} {
		ask(t, "sources", func() (*client.SourcePage, error) {
			return c.ListSources(ctx, client.ListSourcesParams{Limit: client.NewOptInt(1), Cursor: next})
		}, func(p *client.SourcePage) bool {
			next = p.Next
			return len(p.Sources) == 1 && p.Sources[0].Name == name && p.Next.Set == (name == "keyed")
		})
	}
	ask(t, "source", func() (*client.Source, error) { return c.GetSource(ctx, client.GetSourceParams{Name: "parcels"}) },
		func(s *client.Source) bool { return s.State == "ok" && s.Items == 2 && len(s.Pulse) > 1 })
	ask(t, "items", func() (*client.ItemPage, error) { return c.ListItems(ctx, client.ListItemsParams{Name: "parcels"}) },
		func(p *client.ItemPage) bool { return len(p.Items) == 2 && p.Items[0].Key == "a/b" })
	ask(t, "item", func() (*client.Item, error) {
		return c.GetItem(ctx, client.GetItemParams{Name: "parcels", Key: "a/b"})
	}, func(i *client.Item) bool { return i.Key == "a/b" && strings.Contains(string(i.Content), `"step"`) })
	ask(t, "revisions", func() (*client.RevisionPage, error) {
		return c.ListRevisions(ctx, client.ListRevisionsParams{Name: "parcels", Key: "a/b", Limit: client.NewOptInt(1)})
	}, func(p *client.RevisionPage) bool {
		return len(p.Revisions) == 1 && len(p.Revisions[0].Diff) == 1 && p.Revisions[0].Diff[0].Path == "/step"
	})
	ask(t, "watches", func() (*client.WatchResult, error) {
		return c.ChangeWatches(ctx, &client.WatchOrder{Add: []string{"x", "y/z"}}, client.ChangeWatchesParams{Name: "keyed"})
	}, func(r *client.WatchResult) bool { return r.Added == 2 && r.Failed == 0 })
	ask(t, "watch", func() (*client.Watch, error) {
		return c.GetWatch(ctx, client.GetWatchParams{Name: "keyed", Key: "y/z"})
	}, func(w *client.Watch) bool { return w.Key == "y/z" && !w.Retired })
	ask(t, "event", func() (*client.Event, error) { return c.GetEvent(ctx, client.GetEventParams{ID: event.ID}) },
		func(e *client.Event) bool {
			return len(e.Deliveries) == 1 && strings.Contains(string(e.Deliveries[0].Payload), `"step"`)
		})
	ask(t, "deliveries", func() (*client.DeliveryPage, error) {
		return c.ListDeliveries(ctx, client.ListDeliveriesParams{Event: client.NewOptString(event.ID)})
	}, func(p *client.DeliveryPage) bool { return len(p.Deliveries) == 1 && p.Deliveries[0].Endpoint == "hook" })
	ask(t, "endpoint", func() (*client.Endpoint, error) { return c.GetEndpoint(ctx, client.GetEndpointParams{Name: "hook"}) },
		func(e *client.Endpoint) bool { return e.State == "ok" })
	ask(t, "test", func() (*client.Trial, error) { return c.TestEndpoint(ctx, client.TestEndpointParams{Name: "hook"}) },
		func(tr *client.Trial) bool { return tr.Delivered && tr.Attempt.Status.Value == 200 })
	ask(t, "replay", func() (client.StartReplayRes, error) {
		return c.StartReplay(ctx, &client.ReplayOrder{Event: client.NewOptString(event.ID), DryRun: client.NewOptBool(true)}, client.StartReplayParams{})
	}, func(r client.StartReplayRes) bool { return r != nil })
	for what, do := range map[string]error{
		"pause":  c.PauseEndpoint(ctx, client.PauseEndpointParams{Name: "hook"}),
		"resume": c.ResumeEndpoint(ctx, client.ResumeEndpointParams{Name: "hook"}),
	} {
		if do != nil {
			t.Errorf("%s: %v", what, do)
		}
	}

	// An error is a problem that the client knows.
	_, err = c.GetSource(ctx, client.GetSourceParams{Name: "none"})
	if p, ok := errors.AsType[*client.ProblemStatusCode](err); !ok || p.StatusCode != 404 || !strings.Contains(p.Response.Detail.Value, "none") {
		t.Errorf("a source that is not there: %v", err)
	}
	stranger, err := client.NewClient(base, shown{"wrong"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.GetStatus(ctx)
	if p, ok := errors.AsType[*client.ProblemStatusCode](err); !ok || p.StatusCode != 401 {
		t.Errorf("a wrong token: %v", err)
	}
}

// ask holds what an operation gives to what it should.
func ask[T any](t *testing.T, what string, do func() (T, error), right func(T) bool) {
	t.Helper()
	got, err := do()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if !right(got) {
		t.Errorf("%s: %+v", what, got)
	}
}
