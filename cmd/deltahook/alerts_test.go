package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/poller"
)

// hosts are receivers, some of which are down.
type hosts struct {
	mu   sync.Mutex
	down map[string]bool
	got  []string // HOST TYPE ENDPOINT of each own event that arrived
}

func (h *hosts) set(host string, down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down[host] = down
}

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	var e struct {
		Type string
		Data struct{ Endpoint string }
	}
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	host, _, _ := strings.Cut(r.URL.Host, ".")
	if h.down[host] {
		return nil, errors.New("no route")
	}
	if e.Data.Endpoint != "" {
		h.got = append(h.got, host+" "+e.Type+" "+e.Data.Endpoint)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// want compares what arrived since it was asked last, in any order.
func (h *hosts) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.got)
	if diff := cmp.Diff(want, h.got); diff != "" {
		t.Errorf("after %s, arrived (-want +got):\n%s", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), diff)
	}
	h.got = nil
}

// TestEndpointAlerts joins the emitter and the differ as the daemon does. An
// endpoint that fails is told to the others only, also where all of alerts.to
// fail in turn, and nothing goes round.
func TestEndpointAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, store := &hosts{down: map[string]bool{}}, mem.New()
		var endpoints []*emitter.Endpoint
		for _, name := range []string{"shop", "ops", "mail"} {
			e, err := emitter.NewEndpoint(name, emitter.Settings{URL: "https://" + name + ".example/", Signature: "none"}, emitter.EndpointOptions{Transport: h})
			if err != nil {
				t.Fatal(err)
			}
			endpoints = append(endpoints, e)
		}
		alerting := newAlerts(nil)
		telling := emitter.New(endpoints, store, emitter.Options{Health: alerting.health})
		source, err := differ.NewSource("s", differ.Settings{}, differ.ResponseSettings{}, []string{"shop"})
		if err != nil {
			t.Fatal(err)
		}
		diffing := differ.New([]*differ.Source{source}, store, telling, differ.Options{Wake: telling.Wake, Alerts: []string{"shop", "ops", "mail"}})
		alerting.differ.Store(diffing)
		if _, err := diffing.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = diffing.Run(ctx) })
		run.Go(func() { _ = telling.Run(ctx) })
		n := 0
		change := func() {
			n++
			body, _ := json.Marshal(map[string]int{"v": n})
			if err := diffing.Take(t.Context(), &poller.Answer{Source: "s", Received: time.Now(), Pages: [][]byte{body}}); err != nil {
				t.Fatal(err)
			}
		}
		change() // the baseline
		h.set("shop", true)
		change()
		time.Sleep(4 * time.Minute)
		h.want(t)
		time.Sleep(2 * time.Minute)
		h.want(t, "mail endpoint.failing shop", "ops endpoint.failing shop")

		h.set("ops", true) // nothing is sent there before shop is paused
		time.Sleep(25 * time.Hour)
		h.want(t, "mail endpoint.failing ops", "mail endpoint.paused shop")
		h.set("mail", true)
		time.Sleep(30 * 24 * time.Hour)
		h.want(t)

		for _, host := range []string{"shop", "ops", "mail"} {
			h.set(host, false)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		h.mu.Lock()
		got := slices.Clone(h.got)
		h.mu.Unlock()
		if !slices.Contains(got, "ops endpoint.paused shop") { // it waited there
			t.Errorf("what waited did not come: %q", got)
		}
		for _, line := range got {
			if part := strings.Fields(line); part[0] == part[2] {
				t.Errorf("it was told of itself: %s", line)
			}
		}
		if len(got) > 12 {
			t.Errorf("%d events: %q", len(got), got)
		}
		time.Sleep(24 * time.Hour)
		if h.mu.Lock(); len(h.got) != len(got) {
			t.Errorf("more came: %q", h.got)
		}
		h.mu.Unlock()
		end()
		run.Wait()
	})
}

// What is said of a refresh token goes with its setting.
func TestAccessOfAnotherConfiguration(t *testing.T) {
	registry := prometheus.NewRegistry()
	a := newAlerts(registry)
	for _, setting := range []string{
		"auth.kept.oauth2.refresh_token", "auth.gone.oauth2.refresh_token", "auth.other.oauth2.refresh_token",
		"sources.s.request.auth.oauth2.refresh_token", "endpoints.e.auth.oauth2.refresh_token",
	} {
		a.access(credential.Access{Setting: setting, Expired: true})
	}
	token := credential.Settings{OAuth2: &credential.OAuth2Settings{RefreshToken: secret.New("r")}}
	cfg := &configs.Config{
		Auth:      map[string]credential.Settings{"kept": token, "other": {Basic: &credential.BasicSettings{User: "u"}}},
		Sources:   map[string]configs.Source{"s": {}},
		Endpoints: map[string]emitter.Settings{"e": {Auth: credential.Ref{Own: &token}}},
	}
	source := cfg.Sources["s"]
	source.Poll.Request.Auth.Own = &token
	cfg.Sources["s"] = source
	a.runs(cfg)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range families[0].GetMetric() {
		got = append(got, m.GetLabel()[0].GetValue())
	}
	want := []string{"auth.kept.oauth2.refresh_token", "endpoints.e.auth.oauth2.refresh_token", "sources.s.request.auth.oauth2.refresh_token"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}
