package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/configs"
)

// TestCredentialsAreSecret: whatever is one by its field, its name or its place
// is cut out of text, and what is none stays readable.
func TestCredentialsAreSecret(t *testing.T) {
	cfg, err := configs.Parse(filepath.Join("some", "deltahook.yaml"), []byte(`
auth:
  one: {bearer: secret-bearer-1}
  two: {bearer: {token: secret-bearer-2, prefix: prefixed}, api_key: {query: appid, value: secret-key-3}}
  three: {basic: {user: visible-user, password: secret-password-4}}
  four: {basic: {user: secret-user-5}}
  five:
    oauth2:
      grant: refresh_token
      token_url: https://visible.example/token
      client_id: visible-client
      client_secret: secret-client-6
      refresh_token: secret-refresh-7
      params: {audience: visible-audience, api_token: secret-param-8}
  six:
    login:
      token: token
      request:
        url: https://visible.example/login
        headers: {X-Note: visible-note, X-Api-Key: secret-header-9}
        json: {user: visible-login, deep: [{password: secret-deep-10}], pin: "${PIN}"}
sources:
  a: {schedule: "@hourly", request: {url: "https://a.example", auth: {bearer: secret-inline-11}}}
  b:
    schedule: "@hourly"
    request:
      url: https://b.example
      auth: {login: {token: t, request: {url: "https://b.example", form: {password: secret-inline-12}}}}
`), func(string) (string, bool) { return "secret-pin-13", true })
	if err != nil {
		t.Fatal(err)
	}
	r := cfg.Redactor()
	for _, value := range []string{
		"secret-bearer-1", "secret-bearer-2", "secret-key-3", "secret-password-4", "secret-user-5", "secret-client-6", "secret-refresh-7",
		"secret-param-8", "secret-header-9", "secret-deep-10", "secret-inline-11", "secret-inline-12", "secret-pin-13",
	} {
		if got := r.Text(value); got != "<secret>" {
			t.Errorf("%s is shown as %s", value, got)
		}
	}
	for _, value := range []string{"visible-user", "visible-client", "visible-audience", "visible-note", "visible-login", "https://visible.example/login", "prefixed"} {
		if got := r.Text(value); got != value {
			t.Errorf("%s is shown as %s", value, got)
		}
	}
}

// TestCertificatesStartFromTheFolder of the configuration, as all paths do.
func TestCertificatesStartFromTheFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Parse(filepath.Join(dir, "deltahook.yaml"), []byte(`
sources:
  a: {schedule: "@hourly", request: {url: "https://a.example", tls: {ca: ca.pem}}}
`), unset)
	if err == nil || !strings.Contains(err.Error(), "sources.a.request.tls.ca: no certificate is in it") {
		t.Errorf("got %v", err)
	}
}
