package credential_test

import (
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

// hidden is a secret that nothing may show.
const hidden = "s3cr3t-s3cr3t"

// TestFaults wants each fault at its place, and no secret in any.
func TestFaults(t *testing.T) {
	token := secret.New(hidden)
	o := func(change func(*credential.OAuth2Settings)) credential.Settings {
		s := credential.OAuth2Settings{Grant: "client_credentials", TokenURL: "https://x.example/token", ClientID: "me", ClientSecret: token}
		change(&s)
		return credential.Settings{OAuth2: &s}
	}
	l := func(change func(*credential.LoginSettings)) credential.Settings {
		s := credential.LoginSettings{Token: "token", Request: credential.LoginRequestSettings{URL: "https://x.example/login"}}
		change(&s)
		return credential.Settings{Login: &s}
	}
	for _, c := range []struct {
		s    credential.Settings
		want string // place: part of the text; "": no fault
	}{
		{credential.Settings{}, "bearer: is missing, and so are"},
		{credential.Settings{Bearer: &credential.BearerSettings{}}, "bearer.token: is missing"},
		{credential.Settings{Bearer: &credential.BearerSettings{Token: secret.New(hidden + "\nX: y")}}, "bearer.token: the value holds a line break"},
		{credential.Settings{Bearer: &credential.BearerSettings{Token: token, Prefix: "two words"}}, "bearer.prefix: "},
		{credential.Settings{Basic: &credential.BasicSettings{}}, "basic: neither user nor password"},
		{credential.Settings{Basic: &credential.BasicSettings{User: "a:b", Password: token}}, "basic.user: a user with a colon"},
		{credential.Settings{Basic: &credential.BasicSettings{User: "sk_live"}}, ""},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token}}, "api_key: expected header or query"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token, Header: "X", Query: "y"}}, "api_key: expected header or query"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Header: "X"}}, "api_key.value: is missing"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token, Header: "X Y"}}, "api_key.header: not the name"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token, Header: "content-length"}}, "api_key.header: a header that carries no credentials"},
		{credential.Settings{Basic: &credential.BasicSettings{User: "a"}, Bearer: &credential.BearerSettings{Token: token}}, "basic: two credentials for one place: Authorization"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token, Header: "authorization"}, Bearer: &credential.BearerSettings{Token: token}}, "api_key.header: two credentials"},
		{credential.Settings{APIKey: &credential.APIKeySettings{Value: token, Query: "Authorization"}, Bearer: &credential.BearerSettings{Token: token}}, ""},
		{credential.Settings{Basic: &credential.BasicSettings{User: "a"}, TLS: credential.TLSSettings{CA: "nowhere.pem"}}, "tls.ca: no such file"},
		{o(func(*credential.OAuth2Settings) {}), ""},
		{o(func(s *credential.OAuth2Settings) { s.Grant = "" }), "oauth2.grant: is missing"},
		{o(func(s *credential.OAuth2Settings) { s.Grant = "password" }), "oauth2.grant: \"password\": expected"},
		{o(func(s *credential.OAuth2Settings) { s.ClientID = "" }), "oauth2.client_id: is missing"},
		{o(func(s *credential.OAuth2Settings) { s.TokenURL = "" }), "oauth2.token_url: no URL"},
		{o(func(s *credential.OAuth2Settings) { s.TokenURL = "x.example" }), "oauth2.token_url: the scheme"},
		{o(func(s *credential.OAuth2Settings) { s.TokenURL = "https://a:b@x.example" }), "oauth2.token_url: user and password"},
		{o(func(s *credential.OAuth2Settings) { s.Style = "query" }), "oauth2.style: "},
		{o(func(s *credential.OAuth2Settings) { s.ExpirySlack = units.Duration(2 * 3600e9) }), "oauth2.expiry_slack: 2h: expected"},
		{o(func(s *credential.OAuth2Settings) { s.Params = map[string]string{"scope": "a"} }), "oauth2.params.scope: a parameter that Deltahook sets"},
		{o(func(s *credential.OAuth2Settings) { s.RefreshToken = token }), "oauth2.refresh_token: client_credentials has none"},
		{o(func(s *credential.OAuth2Settings) { s.Grant = "refresh_token" }), "oauth2.refresh_token: is missing"},
		{o(func(s *credential.OAuth2Settings) { s.Grant, s.RefreshToken, s.ClientID = "refresh_token", token, "" }), "oauth2.client_id: is missing: client_secret needs it"},
		{o(func(s *credential.OAuth2Settings) {
			s.Grant, s.RefreshToken, s.ClientID, s.ClientSecret = "refresh_token", token, "", secret.Text{}
		}), ""},
		{l(func(*credential.LoginSettings) {}), ""},
		{l(func(s *credential.LoginSettings) { s.Token = "" }), "login.token: is missing"},
		{l(func(s *credential.LoginSettings) { s.Token = `a.#(b=="` }), "login.token: "},
		{l(func(s *credential.LoginSettings) { s.ExpiresIn = `a.#(b=="` }), "login.expires_in: "},
		{l(func(s *credential.LoginSettings) { s.ExpiresIn, s.Lifetime = "a", 1e9 }), "login.lifetime: expires_in says it already"},
		{l(func(s *credential.LoginSettings) { s.In = "cookie" }), "login.in: "},
		{l(func(s *credential.LoginSettings) { s.In = "query" }), "login.name: is missing"},
		{l(func(s *credential.LoginSettings) { s.In, s.Name, s.Prefix = "query", "t", "x" }), "login.prefix: stands before"},
		{l(func(s *credential.LoginSettings) { s.Name = "a b" }), "login.name: not the name"},
		{l(func(s *credential.LoginSettings) { s.Request.URL = "" }), "login.request.url: no URL"},
		{l(func(s *credential.LoginSettings) { s.Request.JSON = "{{ nix }}" }), "login.request.json: "},
		{l(func(s *credential.LoginSettings) { s.Request.Method = "PUT" }), "login.request.method: "},
	} {
		r := fault.New()
		c.s.Check(r)
		var got string
		for _, f := range r.All() {
			got += strings.Join(f.Path, ".") + ": " + f.Text + "\n"
		}
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if strings.Contains(got, hidden) {
			t.Errorf("a secret is shown: %q", got)
		}
	}
}
