package poller_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

func refreshToken(a *account) *credential.OAuth2Settings {
	return &credential.OAuth2Settings{Grant: "refresh_token", TokenURL: a.URL + "/token", ClientID: "me", RefreshToken: secret.New("configured-refresh")}
}

// TestRotatedToken is stored before the token that came with it is used, and
// serves after a restart until another one is configured.
func TestRotatedToken(t *testing.T) {
	a, store := newAccount(t), &shelf{kept: map[string]auth.Record{}}
	a.more = `,"refresh_token":"rotated-refresh","expires_in":3600`
	o := refreshToken(a)
	poll := func() *poller.Source {
		return source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{Tokens: store}), named(a.URL), poller.ResponseSettings{})
	}
	ask(t, poll())
	a.more = `,"expires_in":3600`
	ask(t, poll())
	o.RefreshToken = secret.New("allowed-anew")
	ask(t, poll())
	if diff := cmp.Diff([]string{
		"client_id=me&grant_type=refresh_token&refresh_token=configured-refresh|",
		"client_id=me&grant_type=refresh_token&refresh_token=rotated-refresh|",
		"client_id=me&grant_type=refresh_token&refresh_token=allowed-anew|",
	}, a.asked); diff != "" {
		t.Error(diff)
	}

	a.more, a.polls, store.err = `,"refresh_token":"rotated-again"`, nil, errors.New("the disk is full")
	failure(t, poll(), poller.ClassAuth, "could not be stored, and is not used before it is: the disk is full")
	if len(a.polls) > 0 {
		t.Errorf("a token that was not stored was used: %q", a.polls)
	}
	a.asked = nil
	failure(t, source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{}), poller.ClassAuth, "could not be stored")
	if len(a.asked) > 0 {
		t.Error("a refresh token was exchanged without a store")
	}
}

// TestExpired: a person is told once, and the endpoint is left alone however
// many sources go on.
func TestExpired(t *testing.T) {
	a := newAccount(t)
	a.refuse = func(w http.ResponseWriter) bool {
		w.WriteHeader(400)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"configured-refresh was revoked"}`)
		return true
	}
	var log bytes.Buffer
	var told []credential.Access
	o := poller.ClientOptions{
		Tokens: &shelf{kept: map[string]auth.Record{}}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Access: func(a credential.Access) { told = append(told, a) },
	}
	c := clientWith(t, credential.Settings{OAuth2: refreshToken(a)}, o)
	for range 5 {
		f := failure(t, source(t, c, named(a.URL), poller.ResponseSettings{}), poller.ClassAuth, "shop: the refresh token is no longer good (invalid_grant)")
		if !strings.Contains(f.Error(), "<secret> was revoked") {
			t.Errorf("the secret is shown, or nothing at all: %q", f)
		}
	}
	if len(a.asked) != 1 || len(a.polls) > 0 {
		t.Errorf("asked %q, polls %q", a.asked, a.polls)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "auth.shop.oauth2.refresh_token") {
		t.Errorf("logged %d lines: %s", n, log.String())
	}
	a.refuse = nil
	own := poller.RequestSettings{URL: a.URL, Auth: credential.Ref{Own: &credential.Settings{OAuth2: refreshToken(a)}}}
	ask(t, source(t, clientWith(t, credential.Settings{}, o), own, poller.ResponseSettings{}))
	want := []credential.Access{
		{Auth: "shop", Users: []credential.User{{Source: "parcels"}}, Setting: "auth.shop.oauth2.refresh_token", Expired: true},
		{Users: []credential.User{{Source: "parcels"}}, Setting: "sources.parcels.request.auth.oauth2.refresh_token"},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestTokenEndpoint: everything that it may do but give a token fails the
// poll, is bounded, and shows nothing.
func TestTokenEndpoint(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   string
	}{
		{"refuses", func(w http.ResponseWriter) {
			w.WriteHeader(401)
			io.WriteString(w, `{"error":"invalid_client","error_description":"client-secret is wrong"}`)
		}, "status 401, invalid_client: <secret> is wrong"},
		{"fails", func(w http.ResponseWriter) { w.WriteHeader(503) }, "status 503"},
		{"redirects", func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://else.example/")
			w.WriteHeader(307)
		}, "it redirects, and the credentials are not sent on"},
		{"is a page", func(w http.ResponseWriter) { io.WriteString(w, "<html>"+hidden) }, "not a JSON object"},
		{"never ends", func(w http.ResponseWriter) { io.Copy(w, io.LimitReader(endless{}, 1<<24)) }, "an answer of over 1048576 bytes"},
		{"gives a header", func(w http.ResponseWriter) { io.WriteString(w, `{"access_token":"x\r\nX-Evil: 1"}`) }, "line break"},
		{"hangs up", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "the connection was closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount(t)
			a.refuse = func(w http.ResponseWriter) bool { c.answer(w); return true }
			s := source(t, clientWith(t, credential.Settings{OAuth2: clientCredentials(a)}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
			began := time.Now()
			failure(t, s, poller.ClassAuth, "shop: no token from "+a.URL+": ")
			failure(t, s, poller.ClassAuth, c.want)
			soon := time.Since(began) < time.Second // after which it is asked again
			a.mu.Lock()
			defer a.mu.Unlock()
			if soon && len(a.asked) != 1 || len(a.polls) > 0 {
				t.Errorf("asked %q, polls %q", a.asked, a.polls)
			}
		})
	}
	t.Run("asks to wait", func(t *testing.T) {
		a := newAccount(t)
		a.refuse = func(w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(429)
			return true
		}
		s := source(t, clientWith(t, credential.Settings{OAuth2: clientCredentials(a)}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
		if f := failure(t, s, poller.ClassAuth, "status 429"); f.After != 2*time.Minute {
			t.Errorf("after %s", f.After)
		}
	})
	t.Run("egress", func(t *testing.T) {
		a := newAccount(t)
		c := poller.NewClient(poller.ClientOptions{Auth: map[string]credential.Settings{"shop": {OAuth2: clientCredentials(a)}}})
		t.Cleanup(c.Close)
		failure(t, source(t, c, poller.RequestSettings{URL: "http://192.0.2.1/", Auth: credential.Ref{Name: "shop"}}, poller.ResponseSettings{}), poller.ClassAuth, "127.0.0.1 is refused")
	})
}

// endless is spaces.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestLogin: any request, the token by its path, put where it is wanted.
func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name string
		l    credential.LoginSettings
		want string
	}{
		{"usual", credential.LoginSettings{}, "|Bearer granted-token-1|"},
		{"another word", credential.LoginSettings{Prefix: "Token"}, "|Token granted-token-1|"},
		{"another header", credential.LoginSettings{Name: "x-key"}, "||granted-token-1"},
		{"the query", credential.LoginSettings{In: "query", Name: "sid"}, "sid=granted-token-1||"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount(t)
			c.l.Token = "d.session"
			c.l.Request = credential.LoginRequestSettings{URL: a.URL + "/login", JSON: map[string]any{"user": "me", "password": hidden, "n": "{{ 1 + 1 }}"}}
			s := source(t, clientWith(t, credential.Settings{Login: &c.l}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
			_, _ = s.Ask(t.Context(), poller.Bookmarks{}) // the API takes only one of these places
			if diff := cmp.Diff([]string{c.want}, a.polls); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{`{"n":2,"password":"` + hidden + `","user":"me"}|`}, a.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("no token", func(t *testing.T) {
		a := newAccount(t)
		l := credential.LoginSettings{Token: "data.nothing", Request: credential.LoginRequestSettings{URL: a.URL + "/login"}}
		failure(t, source(t, clientWith(t, credential.Settings{Login: &l}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{}), poller.ClassAuth, "data.nothing is absent in the answer")
	})
}
