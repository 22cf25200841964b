package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// What is measured of a store: its transactions, its file, its disk.
func TestMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deltahook.db")
	registry := prometheus.NewPedanticRegistry()
	s, err := bolt.Open(path, bolt.Options{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, source := range []string{"a", "b"} {
		if err := s.Commit(t.Context(), &differ.Commit{Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	got := measured(t, registry)
	if free := got["deltahook_store_disk_free_bytes"]; free <= 0 {
		t.Errorf("%v bytes are free on the disk that was just written to", free)
	}
	for name, want := range map[string]float64{
		"deltahook_store_commit_duration_seconds": 2,
		"deltahook_store_commit_failures_total":   0,
		"deltahook_store_size_bytes":              float64(info.Size()),
		"deltahook_store_writable":                1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", name, value, ok, want)
		}
	}
}

// What is superseded is counted once it is committed, and only then.
func TestMetricsOfSuperseded(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "deltahook.db"), bolt.Options{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const name = "deltahook_deliveries_superseded_total"
	at := differ.Place{Key: "a", Type: "shop.updated", Endpoint: "hook"}
	for n := range uint64(4) {
		waits, err := s.Untried(t.Context(), "shop", []differ.Place{at})
		if err != nil {
			t.Fatal(err)
		}
		body := differ.Body{Endpoint: "hook", Payload: []byte("alone"), Coalesce: true}
		if u, ok := waits[at]; ok {
			body.Merged = &differ.Merged{Delivery: u.Delivery, Payload: []byte("together")}
		}
		c := &differ.Commit{Source: "shop", Version: n, Events: []differ.Event{{
			ID: fmt.Sprintf("e%d", n), Type: at.Type, Source: "shop", Key: "a", Change: differ.Updated, Revision: n + 1,
			Old: []byte("1"), New: []byte("2"), Bodies: []differ.Body{body},
		}}}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.Events[0].ID += "again"
		if err := s.Commit(t.Context(), c); !errors.Is(err, differ.ErrConflict) {
			t.Fatal(err)
		}
		if got := measured(t, registry)[name]; got != float64(n) {
			t.Errorf("after %d updates: %s is %v, want %d", n+1, name, got, n)
		}
	}
}

// measured are the metrics of a registry without labels: values, and how often
// histograms observed one.
func measured(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return got
}
