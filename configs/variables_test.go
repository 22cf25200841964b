package configs_test

import (
	"strings"
	"testing"

	"github.com/deltahook/deltahook/configs"
)

// TestVariablesThatAreSecret: what came from a variable is a secret where the
// variable's name or the key that it stands under says so.
func TestVariablesThatAreSecret(t *testing.T) {
	cfg, err := configs.Parse("deltahook.yaml", []byte(`
sources:
  a:
    schedule: "@hourly"
    request:
      url: "https://${API_HOST}/${SHOP_TOKEN}"
      headers: {X-Note: "${NOTE}"}
      query: {q: "user ${DB_PASSWORD}"}
      json: {user: "${NOTE}", auth: [{pw: "${PW_A}"}], sort_key: visible-created, zone: "${ZONE}"}
  b: {schedule: "@hourly", request: {url: "${TOKEN_URL}", form: {secret: "${PW_B}"}}}
  c: {schedule: "@hourly", request: {url: "https://c.example", graphql: {query: "{a}", variables: {token: "${PW_C}"}}}}
`), func(name string) (string, bool) {
		return map[string]string{
			"TOKEN_URL": "https://visible.example/token", "API_HOST": "visible.example",
		}[name] + map[bool]string{true: "value-of-" + strings.ToLower(name)}[!strings.HasSuffix(name, "URL") && !strings.HasSuffix(name, "HOST")], true
	})
	if err != nil {
		t.Fatal(err)
	}
	r := cfg.Redactor()
	for _, name := range []string{"shop_token", "db_password", "pw_a", "pw_b", "pw_c"} {
		if got := r.Text("<value-of-" + name + ">"); got != "<<secret>>" {
			t.Errorf("%s is shown as %s", name, got)
		}
	}
	for _, text := range []string{"value-of-note", "value-of-zone", "visible-created", "https://visible.example/token", "visible.example"} {
		if got := r.Text(text); got != text {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}
