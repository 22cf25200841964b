package web_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

const adminToken = "admin-token-of-the-test"

// visitor asks a server as somebody from one address does, without a network,
// so that time can be the bubble's.
type visitor struct {
	h      http.Handler
	from   string
	cookie string // as it is sent, name=value
}

func (v *visitor) ask(r *http.Request) *http.Response {
	r.RemoteAddr = v.from
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	return w.Result()
}

func (v *visitor) get(path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.ask(r)
}

// signIn sends the form, and keeps the cookie that comes back.
func (v *visitor) signIn(token, next string, header ...string) *http.Response {
	form := url.Values{"token": {token}, "next": {next}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "/signin", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp := v.ask(r)
	for _, c := range resp.Cookies() {
		v.cookie = c.Name + "=" + c.Value
	}
	return resp
}

// guarded is a server with the token, and what it logs.
func guarded() (*web.Server, *visitor, *bytes.Buffer) {
	var log bytes.Buffer
	s := web.New(web.Options{
		Listen: "deltahook.test:80", Token: secret.New(adminToken), Metrics: prometheus.NewRegistry(),
		Watches: &keeper{keys: map[string]bool{}}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	return s, &visitor{h: s.Admin(), from: "192.0.2.1:1000"}, &log
}

func TestSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v, log := guarded()
		const path = "/api/v1/sources/s/watches"
		if resp := v.get(path); resp.StatusCode != 401 || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("without a cookie: %d %v", resp.StatusCode, resp.Header)
		}
		if resp := v.signIn("wrong", "/"); resp.StatusCode != 401 || v.cookie != "" {
			t.Errorf("a wrong token: %d, cookie %q", resp.StatusCode, v.cookie)
		}
		resp := v.signIn(adminToken, "/sources/a%2Fb?q=1")
		if resp.StatusCode != 303 || resp.Header.Get("Location") != "/sources/a%2Fb?q=1" {
			t.Errorf("signed in: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
		}
		c := resp.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge != 12*3600 || c.Path != "/" || len(c.Value) < 26 {
			t.Errorf("cookie %v", c)
		}
		if resp := v.get(path); resp.StatusCode != 200 {
			t.Errorf("with the cookie: %d", resp.StatusCode)
		}
		if resp := v.get(path, "Authorization", "Bearer wrong"); resp.StatusCode != 401 {
			t.Errorf("a wrong header beside the cookie: %d, want 401", resp.StatusCode)
		}
		if resp := v.get("/signin?next=/x"); resp.StatusCode != 303 || resp.Header.Get("Location") != "/x" {
			t.Errorf("the sign-in page of one who is: %d %v", resp.StatusCode, resp.Header)
		}

		time.Sleep(web.SessionLife - time.Second)
		if resp := v.get(path); resp.StatusCode != 200 {
			t.Errorf("before the end of the session: %d", resp.StatusCode)
		}
		time.Sleep(time.Second)
		if resp := v.get(path); resp.StatusCode != 401 {
			t.Errorf("after the end of the session: %d", resp.StatusCode)
		}
		if strings.Contains(log.String(), adminToken) || !strings.Contains(log.String(), "wrong token") {
			t.Errorf("log: %s", log)
		}
	})
}

func TestSignOutEndsTheSession(t *testing.T) {
	_, v, _ := guarded()
	v.signIn(adminToken, "/")
	other := *v
	resp := v.ask(httptest.NewRequest(http.MethodPost, "/signout", http.NoBody))
	if c := resp.Cookies(); resp.StatusCode != 303 || len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("signed out: %d %v", resp.StatusCode, c)
	}
	if resp := other.get("/metrics"); resp.StatusCode != 401 {
		t.Errorf("a copy of the cookie after signing out: %d", resp.StatusCode)
	}
}

// TestDaemonsOfAHostKeepTheirSessions: a browser's cookies know no ports. Behind
// a proxy that does not pass the port on, the daemons' stores tell them apart.
func TestDaemonsOfAHostKeepTheirSessions(t *testing.T) {
	daemon := func(store string) http.Handler {
		return web.New(web.Options{Listen: "127.0.0.1:80", Store: store, Token: secret.New(adminToken)}).Admin()
	}
	withoutPort := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Host = "deltahook.test"
			h.ServeHTTP(w, r)
		})
	}
	for name, both := range map[string][2]http.Handler{
		"by their ports":  {daemon("/data/d.db"), daemon("/data/d.db")},
		"by their stores": {withoutPort(daemon("/a/d.db")), withoutPort(daemon("/b/d.db"))},
	} {
		t.Run(name, func(t *testing.T) {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			var at [2]string
			for i, h := range both {
				server := httptest.NewServer(h)
				defer server.Close()
				at[i] = server.URL
				resp, err := browser.PostForm(at[i]+"/signin", url.Values{"token": {adminToken}})
				if err != nil || resp.StatusCode != http.StatusSeeOther {
					t.Fatal(resp, err)
				}
				resp.Body.Close()
			}
			resp, err := browser.Post(at[1]+"/signout", "", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp, err = browser.Get(at[0] + "/signin"); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusSeeOther {
				t.Errorf("signing in and out at one signed out of the other: %d", resp.StatusCode)
			}
		})
	}
}

func TestCookieIsSecureOverTLS(t *testing.T) {
	_, v, _ := guarded()
	if c := v.signIn(adminToken, "/", "X-Forwarded-Proto", "https").Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("behind a proxy with TLS: %v", c)
	}
}

// A cookie is sent by itself, so what another site has a browser do with it
// must not be done.
func TestCookieAndOtherSites(t *testing.T) {
	_, v, _ := guarded()
	v.signIn(adminToken, "/")
	for _, path := range []string{"/api/v1/sources/s/watches/k", "/signin", "/signout"} {
		r := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if resp := v.ask(r); resp.StatusCode != 403 {
			t.Errorf("%s from another site: %d", path, resp.StatusCode)
		}
	}
}

// What a page of another site loads costs, even though it cannot read it: only
// following a link leads here.
func TestOtherSitesLoadNothing(t *testing.T) {
	_, v, _ := guarded()
	v.signIn(adminToken, "/")
	for site, mode := range map[string]string{"cross-site": "no-cors", "same-site": "cors"} {
		if resp := v.get("/metrics", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode); resp.StatusCode != 403 {
			t.Errorf("loaded %s: %d", site, resp.StatusCode)
		}
	}
	resp := v.get("/metrics", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if resp.StatusCode != 200 || resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("by a link: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := v.get("/metrics", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"); resp.StatusCode != 403 {
		t.Errorf("in a frame: %d", resp.StatusCode)
	}
	if resp := v.get("/metrics", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"); resp.StatusCode != 200 {
		t.Errorf("from its own page: %d", resp.StatusCode)
	}
}

// A proxy that asks for a user and a password passes on what it was shown: that
// is no token, and no wrong one.
func TestCredentialsOfAProxy(t *testing.T) {
	_, v, log := guarded()
	v.signIn(adminToken, "/")
	for range web.TriesOfOne + 1 {
		if resp := v.get("/metrics", "Authorization", "Basic bWU6cHc="); resp.StatusCode != 200 {
			t.Fatalf("signed in, behind a proxy: %d", resp.StatusCode)
		}
	}
	if strings.Contains(log.String(), "wrong token") {
		t.Error("it was taken for a wrong token")
	}
	v.cookie = ""
	if resp := v.get("/metrics", "Authorization", "Basic "+adminToken); resp.StatusCode != 401 {
		t.Errorf("the token by another scheme: %d", resp.StatusCode)
	}
}

func TestSignInGoesOnToLocalPathsOnly(t *testing.T) {
	for next, want := range map[string]string{
		"/a/b?c=d": "/a/b?c=d", "/a#frag": "/a", "": "/", "a": "/",
		"//evil.example/": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/\t/evil.example": "/",
		"javascript:alert(1)": "/", "\n/x": "/", "/%0d%0aSet-Cookie:x": "/%0d%0aSet-Cookie:x",
	} {
		_, v, _ := guarded()
		if got := v.signIn(adminToken, next).Header.Get("Location"); got != want {
			t.Errorf("next %q: went on to %q, want %q", next, got, want)
		}
	}
}

func TestWrongTokensAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v, _ := guarded()
		other := &visitor{h: s.Admin(), from: "192.0.2.2:1000"}
		for i := range web.TriesOfOne {
			if i%2 == 0 { // by header or by form, it is one count
				v.get("/metrics", "Authorization", "Bearer guess")
			} else {
				v.signIn("guess", "/")
			}
		}
		v.from = "192.0.2.1:2000" // another port is no other address
		for _, resp := range []*http.Response{
			v.get("/metrics", "Authorization", "Bearer "+adminToken), v.signIn(adminToken, "/"),
		} {
			wait, err := strconv.Atoi(resp.Header.Get("Retry-After"))
			if resp.StatusCode != 429 || err != nil || wait < 1 || wait > 6 {
				t.Errorf("after %d guesses: %d, Retry-After %q", web.TriesOfOne, resp.StatusCode, resp.Header.Get("Retry-After"))
			}
		}
		if resp := other.get("/metrics", "Authorization", "Bearer "+adminToken); resp.StatusCode != 200 {
			t.Errorf("from another address: %d", resp.StatusCode)
		}
		time.Sleep(web.AgainOfOne)
		if resp := v.get("/metrics", "Authorization", "Bearer "+adminToken); resp.StatusCode != 200 {
			t.Errorf("after a while: %d", resp.StatusCode)
		}
		for range 3 * web.TriesOfOne { // who has the token is never too many
			if resp := other.get("/metrics", "Authorization", "Bearer "+adminToken); resp.StatusCode != 200 {
				t.Fatalf("again and again with the token: %d", resp.StatusCode)
			}
		}
	})
}

func TestWrongTokensOfAllAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v, _ := guarded()
		for i := range web.TriesOfAll {
			v.from = fmt.Sprintf("[2001:db8:%x::1]:9", i)
			if resp := v.signIn("guess", "/"); resp.StatusCode != 401 {
				t.Fatalf("guess %d: %d", i, resp.StatusCode)
			}
		}
		v.from = "198.51.100.1:9"
		if resp := v.signIn(adminToken, "/"); resp.StatusCode != 429 {
			t.Errorf("the form after %d guesses from everywhere: %d", web.TriesOfAll, resp.StatusCode)
		}
		if resp := v.get("/metrics", "Authorization", "Bearer "+adminToken); resp.StatusCode != 200 {
			t.Errorf("the header from elsewhere: %d", resp.StatusCode)
		}
		for i := range web.MaxAddresses + 10 {
			v.from = fmt.Sprintf("10.%d.%d.1:9", i>>8, i&255)
			v.get("/metrics", "Authorization", "Bearer guess")
		}
		if n := s.Addresses(); n > web.MaxAddresses {
			t.Errorf("%d addresses are remembered, want %d at most", n, web.MaxAddresses)
		}
		// Addresses of one /64 are one.
		for i := range web.TriesOfOne {
			v.from = fmt.Sprintf("[2001:db8:ffff::%x]:9", i+1)
			v.get("/metrics", "Authorization", "Bearer guess")
		}
		v.from = "[2001:db8:ffff::abcd]:9"
		if resp := v.get("/metrics", "Authorization", "Bearer "+adminToken); resp.StatusCode != 429 {
			t.Errorf("from the same /64: %d", resp.StatusCode)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v, _ := guarded()
		v.signIn(adminToken, "/")
		first := v.cookie
		time.Sleep(time.Second)
		for range web.MaxSessions {
			v.signIn(adminToken, "/")
		}
		if resp := v.get("/metrics"); resp.StatusCode != 200 {
			t.Errorf("the last that signed in: %d", resp.StatusCode)
		}
		v.cookie = first
		if resp := v.get("/metrics"); resp.StatusCode != 401 {
			t.Errorf("the first of %d: %d, want it signed out", web.MaxSessions+1, resp.StatusCode)
		}
	})
}

func TestSignInWithoutTokenGoesOn(t *testing.T) {
	v := &visitor{h: web.New(web.Options{Listen: "127.0.0.1:80"}).Admin(), from: "127.0.0.1:9"}
	r := httptest.NewRequest(http.MethodGet, "http://localhost/signin?next=/x", http.NoBody)
	if resp := v.ask(r); resp.StatusCode != 303 || resp.Header.Get("Location") != "/x" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// What is no operation gets a problem, as any other error does.
func TestUnknownPathsAreProblems(t *testing.T) {
	_, v, _ := guarded()
	auth := []string{"Authorization", "Bearer " + adminToken}
	for path, want := range map[string]int{"/api/v1/nothing": 404, "/api/": 404, "/api/v2/sources": 404} {
		if resp := v.get(path, auth...); resp.StatusCode != want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	r := httptest.NewRequest(http.MethodPatch, "/api/v1/sources/s/watches/k", http.NoBody)
	r.Header.Set("Authorization", auth[1])
	resp := v.ask(r)
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "DELETE, GET, HEAD, PUT" || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("PATCH: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := v.get("/api/v1/nothing"); resp.StatusCode != 401 {
		t.Errorf("an unknown path without the token: %d, want 401", resp.StatusCode)
	}
}
