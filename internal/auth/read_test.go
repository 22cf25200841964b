package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/auth"
)

func TestOAuth2Request(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       auth.OAuth2
		refresh string
		basic   string
		body    string
	}{
		{"client credentials by Basic", auth.OAuth2{ClientID: "id:1", ClientSecret: "s&"}, "",
			"Basic aWQlM0ExOnMlMjY=", "grant_type=client_credentials"},
		{"in the body", auth.OAuth2{ClientID: "id", ClientSecret: "s&", InBody: true, Scopes: []string{"a", "b"}, Params: map[string]string{"audience": "x y"}}, "",
			"", "audience=x+y&client_id=id&client_secret=s%26&grant_type=client_credentials&scope=a+b"},
		{"refresh token", auth.OAuth2{ClientID: "id", ClientSecret: "s", InBody: true}, "r/1",
			"", "client_id=id&client_secret=s&grant_type=refresh_token&refresh_token=r%2F1"},
		{"public client", auth.OAuth2{ClientID: "id"}, "r", "", "client_id=id&grant_type=refresh_token&refresh_token=r"},
		{"no client at all", auth.OAuth2{}, "r", "", "grant_type=refresh_token&refresh_token=r"},
	} {
		header, body := c.o.Request(c.refresh)
		if header.Get("Authorization") != c.basic || string(body) != c.body {
			t.Errorf("%s: %q with %q, want %q with %q", c.name, body, header.Get("Authorization"), c.body, c.basic)
		}
	}
}

func TestReadGrant(t *testing.T) {
	long := strings.Repeat("x", auth.LongestToken+1)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   auth.Grant
		err    string
	}{
		{"plain", 200, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`, auth.Grant{Token: "t", Lifetime: time.Hour}, ""},
		{"rotated, seconds in a text", 200, `{"access_token":"t","refresh_token":"r","expires_in":"14399"}`, auth.Grant{Token: "t", Refresh: "r", Lifetime: 14399 * time.Second}, ""},
		{"no lifetime", 201, `{"access_token":"t","refresh_token":null}`, auth.Grant{Token: "t"}, ""},
		{"a lifetime that is none", 200, `{"access_token":"t","expires_in":-1}`, auth.Grant{Token: "t"}, ""},
		{"a lifetime beyond all", 200, `{"access_token":"t","expires_in":1e300}`, auth.Grant{Token: "t", Lifetime: 3650 * 24 * time.Hour}, ""},
		{"refused", 400, `{"error":"invalid_grant","error_description":"Token\n revoked"}`, auth.Grant{}, "status 400, invalid_grant: Token revoked"},
		{"refused at length", 400, `{"error":"invalid_request","error_description":"` + strings.Repeat("x", 300) + ` the-end"}`, auth.Grant{}, "x the-end"},
		{"refused without end", 400, `{"error":"invalid_request","error_description":"` + strings.Repeat("x", 5000) + `"}`, auth.Grant{}, "invalid_request: (5000 bytes of text)"},
		{"refused with 200", 200, `{"error":"bad_refresh_token"}`, auth.Grant{}, "status 200, bad_refresh_token"},
		{"a code that is a page", 401, `{"error":"<h1>no</h1>"}`, auth.Grant{}, "status 401"},
		{"an error page", 502, `<html>`, auth.Grant{}, "status 502"},
		{"a redirect", 302, ``, auth.Grant{}, "status 302"},
		{"a page", 200, `<html>`, auth.Grant{}, "not a JSON object"},
		{"a form", 200, `access_token=t`, auth.Grant{}, "not a JSON object"},
		{"a list", 200, `["access_token"]`, auth.Grant{}, "not a JSON object"},
		{"no token", 200, `{}`, auth.Grant{}, "access_token is absent"},
		{"an empty token", 200, `{"access_token":""}`, auth.Grant{}, "access_token is no text"},
		{"an object", 200, `{"access_token":{}}`, auth.Grant{}, "access_token is no text"},
		{"a line break", 200, `{"access_token":"t\r\nX: y"}`, auth.Grant{}, "line break"},
		{"too long", 200, `{"access_token":"` + long + `"}`, auth.Grant{}, "at most 16384"},
		{"a refresh token that is too long", 200, `{"access_token":"t","refresh_token":"` + long + `"}`, auth.Grant{}, "at most 16384"},
	} {
		got, err := auth.ReadGrant(c.status, []byte(c.body))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if text := errorText(err); c.err == "" && err != nil || !strings.Contains(text, c.err) {
			t.Errorf("%s: error %q, want %q", c.name, text, c.err)
		}
	}
	_, err := auth.ReadGrant(400, []byte(`{"error":"invalid_grant"}`))
	var refusal *auth.Error
	if !errors.As(err, &refusal) || refusal.Code != "invalid_grant" || refusal.Status != 400 {
		t.Errorf("got %#v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestReadLogin(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		expires string // of the path, or "" for no path
		body    string
		want    auth.Grant
		err     string
	}{
		{"", `{"d":{"t":"x"}}`, auth.Grant{Token: "x"}, ""},
		{"", `{"d":{"t":12345678901234567890}}`, auth.Grant{Token: "12345678901234567890"}, ""},
		{"e", `{"d":{"t":"x"},"e":60}`, auth.Grant{Token: "x", Lifetime: time.Minute}, ""},
		{"e", `{"d":{"t":"x"},"e":"60"}`, auth.Grant{Token: "x", Lifetime: time.Minute}, ""},
		{"e", `{"d":{"t":"x"},"e":"2026-11-23T11:00:00+01:00"}`, auth.Grant{}, "e is no time to come"},
		{"e", `{"d":{"t":"x"},"e":"2026-11-23T12:00:00+01:00"}`, auth.Grant{Token: "x", Lifetime: time.Hour}, ""},
		{"e", `{"d":{"t":"x"},"e":1795431600}`, auth.Grant{Token: "x", Lifetime: time.Hour}, ""},
		{"e", `{"d":{"t":"x"},"e":1795431600000}`, auth.Grant{Token: "x", Lifetime: time.Hour}, ""},
		{"e", `{"d":{"t":"x"}}`, auth.Grant{}, "e is no time to come"},
		{"e", `{"d":{"t":"x"},"e":"soon"}`, auth.Grant{}, "e is no time to come"},
		{"", `{"d":{}}`, auth.Grant{}, "d.t is absent"},
		{"", `{"d":`, auth.Grant{}, "not JSON"},
	} {
		got, err := auth.Login{Token: "d.t", ExpiresIn: c.expires}.Read(200, []byte(c.body), now)
		if diff := cmp.Diff(c.want, got); diff != "" || c.err == "" && err != nil || !strings.Contains(errorText(err), c.err) {
			t.Errorf("%s: error %v, want %q\n%s", c.body, err, c.err, diff)
		}
	}
	if _, err := (auth.Login{Token: "t"}).Read(401, nil, now); errorText(err) != "status 401" {
		t.Errorf("got %v", err)
	}
}

// FuzzRead: whatever comes, a token can be sent in a header and errors are
// bounded and on one line.
func FuzzRead(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"t","refresh_token":"r","expires_in":3600}`))
	f.Add(400, []byte(`{"error":"invalid_grant","error_description":"no\nmore"}`))
	f.Add(200, []byte(`{"access_token":"\u0000","expires_in":"1e999"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		g, err := auth.ReadGrant(status, body)
		l, loginErr := auth.Login{Token: "access_token", ExpiresIn: "expires_in"}.Read(status, body, time.Unix(1e9, 0))
		for _, v := range []string{g.Token, g.Refresh, l.Token} {
			if len(v) > auth.LongestToken || strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("the token %q", v)
			}
		}
		if (err == nil) != (g.Token != "") || (loginErr == nil) != (l.Token != "") || g.Lifetime < 0 || l.Lifetime < 0 {
			t.Errorf("%+v, %v; %+v, %v", g, err, l, loginErr)
		}
		for _, err := range []error{err, loginErr} {
			if text := errorText(err); len(text) > 5000 || strings.ContainsAny(text, "\r\n") {
				t.Errorf("the error %q", text)
			}
		}
	})
}
