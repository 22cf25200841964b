package poller_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
)

// witness is a server that notes what it was asked.
func witness(t *testing.T, asked *[]string, name string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, strings.TrimSpace(fmt.Sprintf("%s: %s %s key=%s agent=%s referer=%s match=%s type=%s %s", name, r.Method, r.RequestURI,
			r.Header.Get("X-Api-Key"), r.Header.Get("User-Agent"), r.Header.Get("Referer"), r.Header.Get("If-None-Match"),
			r.Header.Get("Content-Type"), body)))
		h(w, r)
	})
}

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"other"`)
	io.WriteString(w, `{}`)
}

func to(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}
}

// TestRedirects: at home everything goes along; abroad nothing that the
// configuration names, and on the way back neither.
func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		path   string // of the first request
		body   string
		want   []string
	}{
		{"at home", 302, "/home?q=1", "", []string{
			"home: GET /home?q=1 key=hidden agent=mine referer= match= type=",
			"home: GET /end key=hidden agent=mine referer= match= type="}},
		{"abroad", 301, "/abroad", "", []string{
			"home: GET /abroad key=hidden agent=mine referer= match= type=",
			"abroad: GET /end key= agent=Deltahook/test referer= match= type="}},
		{"there and back", 307, "/back", "", []string{
			"home: GET /back key=hidden agent=mine referer= match= type=",
			"abroad: GET /return key= agent=Deltahook/test referer= match= type=",
			"home: GET /end key= agent=Deltahook/test referer= match= type="}},
		{"a POST that becomes a GET", 303, "/abroad", "a=1", []string{
			"home: POST /abroad key=hidden agent=mine referer= match= type=text/plain a=1",
			"abroad: GET /end key= agent=Deltahook/test referer= match= type="}},
		{"a POST that is sent again at home", 308, "/home", "a=1", []string{
			"home: POST /home key=hidden agent=mine referer= match= type=text/plain a=1",
			"home: POST /end key=hidden agent=mine referer= match= type=text/plain a=1"}},
		{"a POST that becomes a GET at home", 302, "/home", "a=1", []string{
			"home: POST /home key=hidden agent=mine referer= match= type=text/plain a=1",
			"home: GET /end key=hidden agent=mine referer= match= type="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			var home, abroad *httptest.Server
			home = witness(t, &asked, "home", func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/home":
					to(c.status, "/end")(w, r)
				case "/abroad":
					to(c.status, abroad.URL+"/end")(w, r)
				case "/back":
					to(c.status, abroad.URL+"/return")(w, r)
				default:
					answer(w, r)
				}
			})
			abroad = witness(t, &asked, "abroad", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/return" {
					to(c.status, home.URL+"/end")(w, r)
					return
				}
				answer(w, r)
			})
			headers := map[string]string{"X-Api-Key": "hidden", "User-Agent": "mine"}
			if c.body != "" {
				headers["Content-Type"] = "text/plain"
			}
			s := source(t, client(t), poller.RequestSettings{URL: home.URL + c.path, Headers: headers, Body: c.body}, poller.ResponseSettings{})
			first, err := s.Ask(t.Context(), poller.Bookmarks{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Error(diff)
			}
			if first.Bookmarks.ETag != "" {
				t.Error("validators of another resource were kept")
			}
		})
	}
}

func TestRedirectsNotFollowed(t *testing.T) {
	none := 0
	secure := httptest.NewTLSServer(to(302, "http://plain.example/?token="+hidden))
	t.Cleanup(secure.Close)
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		q    poller.RequestSettings
		want string
	}{
		{"a loop", func(w http.ResponseWriter, r *http.Request) { to(302, r.URL.Path+"?token="+hidden)(w, r) },
			poller.RequestSettings{}, "and request.redirects allows 5"},
		{"none at all", to(302, "https://else.example/"),
			poller.RequestSettings{Redirects: &none}, "status 302 Found to https://else.example, and request.redirects allows 0"},
		{"a body to another host", to(307, "https://else.example/?token="+hidden),
			poller.RequestSettings{Body: "{}"}, "a body is not sent on"},
		{"a secret to another host", to(302, "https://else.example/?q="+hidden),
			poller.RequestSettings{}, "status 302 Found to https://else.example: its URL holds a credential"},
		{"a secret to another host, escaped", to(302, "https://else.example/%733cr3t-t0ken"),
			poller.RequestSettings{}, "its URL holds a credential"},
		{"a query to another host", func(w http.ResponseWriter, r *http.Request) { to(302, "https://else.example/?"+r.URL.RawQuery)(w, r) },
			poller.RequestSettings{Query: map[string]string{"api_key": "not known as one"}}, "its URL holds a credential"},
		{"another scheme", to(302, "file:///etc/passwd"), poller.RequestSettings{}, "to what is no URL"},
		{"yet another scheme", to(302, "ftp://else.example/"), poller.RequestSettings{}, "only http and https"},
		{"no URL", to(302, "http://[::1/"+hidden), poller.RequestSettings{}, "to what is no URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.URL = serve(t, c.h).URL
			failure(t, source(t, client(t), c.q, poller.ResponseSettings{}), poller.ClassRedirect, c.want)
		})
	}
	t.Run("from https to http", func(t *testing.T) {
		c := poller.NewClientOver(secure.Client().Transport, poller.ClientOptions{})
		t.Cleanup(c.Close)
		failure(t, source(t, c, poller.RequestSettings{URL: secure.URL}, poller.ResponseSettings{}), poller.ClassRedirect, "a step down from https")
	})
}
