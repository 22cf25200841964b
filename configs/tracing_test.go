package configs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs"
)

func TestTracing(t *testing.T) {
	const plain = `
sources:
  rates: {schedule: "@every 30s", request: {url: "https://api.example/rates"}}
endpoints:
  shop: {url: "https://shop.example/hooks", signature: none, traceparent: true}
`
	parse := func(text string) *configs.Config {
		t.Helper()
		cfg, err := configs.Parse("deltahook.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	off := parse(plain)
	var warned []string
	for _, w := range off.Warnings {
		warned = append(warned, w.String())
	}
	want := []string{"deltahook.yaml:5:75: endpoints.shop.traceparent: nothing is traced, so no header is sent: tracing.endpoint names no collector"}
	if diff := cmp.Diff(want, warned); diff != "" || off.Tracing.Endpoint != "" {
		t.Error(diff)
	}
	on := parse(plain + "tracing: {endpoint: 'https://collector.example/otlp', headers: {X-Team: planted-team}, sample: 0%}")
	if s := on.Tracing; len(on.Warnings) > 0 || s.Endpoint != "https://collector.example/otlp" || s.Sample != 0 || s.Timeout.Std() != 10*time.Second {
		t.Errorf("got %+v, %v", s, on.Warnings)
	}
	if got := on.Redactor().Text("x planted-team"); got != "x <secret>" {
		t.Errorf("the header is shown: %q", got)
	}
	if s := parse(plain + "tracing: {endpoint: 'http://localhost:4318'}").Tracing; s.Sample != 1 {
		t.Errorf("sample is %s by default", s.Sample)
	}
}
