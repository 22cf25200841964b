package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// limitedSource is a source s with a limit, and one that is never answered as
// it wants to be.
func limitedSource(url string) string {
	return oneSource(url, "@every 1s") + `
    limit: api
    changes: {baseline: emit}
  never:
    schedule: "@every 1s"
    request: {url: "` + url + `"}
    response: {ok: "false"}
limits:
  api: {rate: 100/s, quota: 1000/day}
`
}

// The metrics of a daemon at work are named as Prometheus wants it, and the
// labels of each are few and known.
func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	url, _, _ := values(t, `{"v":1}`)
	hooks := newReceiver(t, nil)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, limitedSource(url)))
	d := start(t, binary(t), dir, "run")
	hooks.next(t)
	d.says(t, d.stderr, `msg="poll failed" source=never`)
	status, text := d.get(t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", status, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for name, want := range map[string]float64{
		"deltahook_build_info":                  1,
		"deltahook_store_writable":              1,
		"deltahook_store_commit_failures_total": 0,
	} {
		if got := d.metric(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// The receiver has it before it is known here that it has.
	d.until(t, "the delivery is entered", func() bool {
		return d.metric(t, "deltahook_endpoint_last_delivery_timestamp_seconds") > 0 && d.metric(t, "deltahook_source_last_success_timestamp_seconds") > 0
	})
	for _, name := range []string{
		"deltahook_store_size_bytes", "deltahook_store_disk_free_bytes", "deltahook_store_commit_duration_seconds_count",
		"deltahook_last_beat_timestamp_seconds",
	} {
		if got := d.metric(t, name); got <= 0 {
			t.Errorf("%s is %v", name, got)
		}
	}
	if failed, ok := d.metric(t, "deltahook_polls_total", `source="never"`, `result="not_ok"`), d.metric(t, "deltahook_polls_total", `source="never"`, `result="ok"`); failed < 1 || ok != 0 {
		t.Errorf("of a source whose ok is never true %v polls failed and %v succeeded", failed, ok)
	}
	if at := d.metric(t, "deltahook_source_last_success_timestamp_seconds", `source="never"`); at != 0 {
		t.Errorf("a source that never succeeded did so at %v", at)
	}
	known := map[string]bool{}
	for label := range strings.FieldsSeq("source endpoint limit type result change state setting part version goversion le quantile") {
		known[label] = true
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "deltahook_") {
			continue
		}
		_, labels, _ := strings.Cut(line, "{")
		for pair := range strings.SplitSeq(strings.TrimSuffix(labels, "}"), ",") {
			if name, _, ok := strings.Cut(pair, "="); ok && !known[name] {
				t.Errorf("the label %s is not known to be bounded: %s", name, line)
			}
		}
	}
}
