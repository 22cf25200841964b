package configs_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/configs"
)

// planted is a configuration with a secret in each place that may have one.
// All of them are called plant….
const planted = `
server: {token: plant-server-token}
defaults:
  endpoint: {headers: {X-Team: plant-default-header}}
auth:
  shop:
    oauth2: {grant: client_credentials, token_url: "https://id.example/token?key=plant-query", client_id: me, client_secret: plant-oauth, params: {api_secret: plant-param}}
  portal:
    login:
      request: {url: https://portal.example/login, json: {user: me, password: plant-login}}
      token: token
sources:
  prices:
    schedule: "@every 1m"
    request:
      url: https://api.example/v1?apikey=plant-key&page=2
      headers: {Authorization: "Bearer plant-header", X-Locale: en, X-Key: "{{ 'plant-' + 'made' }}"}
      query: {token: plant-token, pin: "12"}
  cart:
    schedule: "@hourly"
    request:
      url: ${BASE_URL:-https://cart.example}/cart
      json: {api_key: plant-json, pin_key: 1234, region: "${REGION}", note: "${SHOP_TOKEN}"}
      auth: shop
endpoints:
  slack:
    url: https://hooks.slack.example/services/plant-path
    format: slack
  hook:
    url: https://hook.example/
    secrets: [whsec_cGxhbnQtc2lnbmluZy1zZWNyZXQtb2YtMzI=]
    headers: {X-Auth: plant-endpoint}
    proxy: http://user:plant-proxy@proxy.example:3128
    auth: {basic: {user: me, password: plant-basic}}
    ttl: 1h
`

func TestShowHidesSecrets(t *testing.T) {
	env := map[string]string{"REGION": "eu", "SHOP_TOKEN": "plant-of-the-environment"}
	cfg, err := configs.Parse("deltahook.yaml", []byte(planted), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	shown := cfg.Show()
	for form, text := range map[string]string{"YAML": shown.YAML, "JSON": string(shown.JSON)} {
		for _, leak := range []string{"plant", "whsec_", "cGxhbnQ", "1234"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s shows %q:\n%s", form, leak, text)
			}
		}
	}
	for _, want := range []string{
		"url: https://hooks.slack.example/…", "page=2", "X-Locale: en", "${REGION}", "<secret>", "ttl: 1h", `pin: "12"`,
		"${BASE_URL:-https://cart.example}/cart", "client_id: me", "https://id.example/token?key=<secret>",
	} {
		if !strings.Contains(shown.YAML, want) {
			t.Errorf("YAML lacks %q:\n%s", want, shown.YAML)
		}
	}
	var read struct {
		Sources   map[string]any
		Endpoints map[string]struct{ Headers map[string]string }
	}
	if err := json.Unmarshal(shown.JSON, &read); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(read.Sources)); !slices.Equal(got, []string{"cart", "prices"}) {
		t.Errorf("JSON has the sources %v", got)
	}
	if got := read.Endpoints["hook"].Headers["X-Team"]; got != "<secret>" {
		t.Errorf("the merged default is %q, want it there and hidden", got)
	}
}

// What is shown of a configuration without a secret is that configuration.
func TestShowIsTheConfiguration(t *testing.T) {
	const text = `sources:
  a:
    schedule: '@hourly'
    request:
      url: https://api.example/{{ key }}?since={{ cursor.since }}
      body: |
        two
        lines
    watch:
      keys: ["1", "true", "null", "x: y", "- z"]
    response:
      numbers:
        price:
          tolerance: 0.01
`
	cfg, err := configs.Parse("deltahook.yaml", []byte(strings.Replace(text, "?since={{ cursor.since }}", "", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := configs.Parse("deltahook.yaml", []byte(cfg.Show().YAML), nil)
	if err != nil {
		t.Fatalf("what is shown cannot be read: %v\n%s", err, cfg.Show().YAML)
	}
	if got, want := again.Sources["a"].Watch.Fan.Keys, cfg.Sources["a"].Watch.Fan.Keys; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got, want := again.Sources["a"].Poll.Request.Body, cfg.Sources["a"].Poll.Request.Body; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
	if again.Show().YAML != cfg.Show().YAML {
		t.Errorf("shown again it is\n%s", again.Show().YAML)
	}
}
