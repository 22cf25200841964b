package configs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs"
)

// TestUnreachableAddressesAreWarnedOf has a URL for each way in which a host
// can be one that a dialer will refuse, and for each in which it is not.
func TestUnreachableAddressesAreWarnedOf(t *testing.T) {
	const file = `
defaults: {source: {schedule: "@hourly"}, endpoint: {signature: none}}
sources:
  loopback: {request: {url: "http://127.0.0.1/{{ 1 }}"}}
  metadata: {request: {url: "http://169.254.169.254/latest"}}
  computed: {request: {url: "http://{{ 'x' }}.example/"}}
  off: {disabled: true, request: {url: "http://169.254.169.254/"}}
endpoints:
  address: {url: "http://127.0.0.1:9000/secret"}
  name: {url: "http://localhost:9000/"}
  six: {url: "http://[::1]:9000/"}
  private: {url: "https://10.1.2.3/"}
  listed: {url: "https://10.20.2.3/"}
  public: {url: "https://hooks.example/"}
  off: {disabled: true, url: "https://10.1.2.3/"}
egress: {endpoints: {allow: [10.20.0.0/16]}}
`
	cfg := parse(t, "x.yaml", file, nil)
	want := []string{
		"x.yaml:5:29: sources.metadata.request.url: requests to 169.254.169.254 are refused: it is the metadata address of a cloud; name it in egress.sources.allow",
		"x.yaml:9:18: endpoints.address.url: webhooks to 127.0.0.1 are refused: loopback; name it in egress.endpoints.allow",
		"x.yaml:10:15: endpoints.name.url: webhooks to localhost are refused: loopback; name it in egress.endpoints.allow",
		"x.yaml:11:14: endpoints.six.url: webhooks to ::1 are refused: loopback; name it in egress.endpoints.allow",
		"x.yaml:12:18: endpoints.private.url: webhooks to 10.1.2.3 are refused: private (RFC 1918); name it in egress.endpoints.allow",
	}
	if diff := cmp.Diff(want, texts(cfg.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestReachableAddressesAreNotWarnedOf(t *testing.T) {
	cfg := parse(t, "x.yaml", `
sources: {s: {schedule: "@hourly", request: {url: "http://169.254.169.254/"}}}
endpoints: {e: {url: "http://localhost/", signature: none}}
egress: {sources: {allow: [169.254.169.254]}, endpoints: {allow: [127.0.0.0/8]}}
`, nil)
	if len(cfg.Warnings) > 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
}

func texts(list []configs.Located) []string {
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = l.String()
	}
	return out
}
