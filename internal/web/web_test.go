package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/test/loopback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server until the test ends or stop is called; stop gives what
// Run returned.
func start(t *testing.T, o web.Options) (s *web.Server, stop func() error) {
	t.Helper()
	s = web.New(o)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, stop
}

// ask sends one request and gives the answer with its body read.
func ask(t *testing.T, method, url, authorization string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestHealth(t *testing.T) {
	var unready, stuck error
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Ready: func() error { return unready }, Alive: func() error { return stuck }})
	base := "http://" + s.Addr()

	for _, path := range []string{"/healthz", "/readyz"} {
		if resp, body := ask(t, "GET", base+path, ""); resp.StatusCode != 200 || body != "ok\n" {
			t.Errorf("%s: %d %q, want 200 ok", path, resp.StatusCode, body)
		}
	}
	if err := web.Probe(t.Context(), s.Addr()); err != nil {
		t.Error(err)
	}

	unready = errors.New("the store is full")
	if resp, body := ask(t, "GET", base+"/readyz", ""); resp.StatusCode != 503 || body != "the store is full\n" {
		t.Errorf("not ready: %d %q, want 503 and the reason", resp.StatusCode, body)
	}
	if resp, _ := ask(t, "GET", base+"/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("healthz: %d while not ready, want 200: the process lives", resp.StatusCode)
	}
	stuck = errors.New("the clock has stood still for 1m2s")
	if resp, body := ask(t, "GET", base+"/healthz", ""); resp.StatusCode != 503 || body != "the clock has stood still for 1m2s\n" {
		t.Errorf("standing still: %d %q, want 503 and what stands still", resp.StatusCode, body)
	}
	if web.Probe(t.Context(), s.Addr()) == nil {
		t.Error("what stands still is healthy for the probe")
	}
	if resp, _ := ask(t, "POST", base+"/healthz", ""); resp.StatusCode != 405 {
		t.Errorf("POST: %d, want 405", resp.StatusCode)
	}
}

func TestProbeOfNobody(t *testing.T) {
	if err := web.Probe(t.Context(), loopback.Nobody); err == nil || !strings.Contains(err.Error(), loopback.Nobody) {
		t.Errorf("Probe = %v, want an error that names %s", err, loopback.Nobody)
	}
}

func TestMetricsAskForTheToken(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "deltahook_sources"}, func() float64 { return 7 }))
	var log bytes.Buffer
	s, _ := start(t, web.Options{
		Listen: "127.0.0.1:0", Metrics: registry, Token: secret.New("s3cret-token"),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	url := "http://" + s.Addr() + "/metrics"

	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer s3cret-toke", "Bearer s3cret-token2", "Basic s3cret-token", "s3cret-token",
	} {
		resp, body := ask(t, "GET", url, authorization)
		if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" ||
			resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q: %d %v, want 401, a challenge and a problem", authorization, resp.StatusCode, resp.Header)
		}
		if strings.Contains(body+log.String(), "s3cret") || strings.Contains(body, "deltahook_sources") {
			t.Errorf("%q: the answer or the log tells too much: %s %s", authorization, body, &log)
		}
	}
	for _, authorization := range []string{"Bearer s3cret-token", "bearer  s3cret-token"} {
		if resp, body := ask(t, "GET", url, authorization); resp.StatusCode != 200 || !strings.Contains(body, "deltahook_sources 7") {
			t.Errorf("%q: %d %s, want the metrics", authorization, resp.StatusCode, body)
		}
	}
	if resp, _ := ask(t, "GET", "http://"+s.Addr()+"/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("healthz: %d without the token, want 200", resp.StatusCode)
	}
}

func TestListenTellsWhatIsTaken(t *testing.T) {
	first, _ := start(t, web.Options{Listen: "127.0.0.1:0"})
	store := filepath.Join(t.TempDir(), "state.db")

	second := web.New(web.Options{Listen: first.Addr(), Store: store})
	err := second.Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "admin address "+first.Addr()) || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("Listen = %v, want an error that names the address and says that it is in use", err)
	}

	// What was taken before the fault is given back.
	start(t, web.Options{Store: store, Snapshots: &reader{}})
	free := loopback.Free(t)
	third := web.New(web.Options{Listen: free, Store: store, Snapshots: &reader{}})
	if err := third.Listen(t.Context()); err == nil {
		t.Fatal("two servers listen on one socket")
	}
	l, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("the address is still held: %v", err)
	}
	l.Close()
}

func TestCloseWithoutRun(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	for range 2 { // the second time fails where the first left anything
		s := web.New(web.Options{Listen: "127.0.0.1:0", Store: store})
		if err := s.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
