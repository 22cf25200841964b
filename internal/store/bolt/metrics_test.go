package bolt_test

import (
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
