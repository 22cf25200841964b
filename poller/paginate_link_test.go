package poller_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/poller"
)

// TestLinksToElsewhere: what the configuration names goes nowhere but where it
// was meant to.
func TestLinksToElsewhere(t *testing.T) {
	for _, c := range []struct {
		name    string
		q       poller.RequestSettings
		path    string // of the first request
		failure string
		want    []string
	}{
		{"at home", poller.RequestSettings{Headers: map[string]string{"X-Api-Key": "hidden"}}, "/at-home", "", []string{
			"home: GET /at-home key=hidden agent=Deltahook/test referer= match= type=",
			"home: GET /end key=hidden agent=Deltahook/test referer= match= type="}},
		{"abroad with a header", poller.RequestSettings{Headers: map[string]string{"X-Api-Key": "hidden"}}, "/abroad", "headers and bodies are not sent", []string{
			"home: GET /abroad key=hidden agent=Deltahook/test referer= match= type="}},
		{"abroad with a body", poller.RequestSettings{Body: "x"}, "/abroad", "headers and bodies are not sent", []string{
			"home: POST /abroad key= agent=Deltahook/test referer= match= type= x"}},
		{"abroad with nothing", poller.RequestSettings{}, "/abroad", "", []string{
			"home: GET /abroad key= agent=Deltahook/test referer= match= type=",
			"abroad: GET /end key= agent=Deltahook/test referer= match= type="}},
		{"abroad with a key", poller.RequestSettings{Query: map[string]string{"api_key": "a b&c=d"}}, "/echo", "its URL holds a credential", []string{
			"home: GET /echo?api_key=a%20b%26c%3Dd key= agent=Deltahook/test referer= match= type="}},
		{"redirected abroad, and home again", poller.RequestSettings{Headers: map[string]string{"X-Api-Key": "hidden"}}, "/redirect", "", []string{
			"home: GET /redirect key=hidden agent=Deltahook/test referer= match= type=",
			"abroad: GET /back key= agent=Deltahook/test referer= match= type=",
			"home: GET /end key= agent=Deltahook/test referer= match= type="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			page := func(w http.ResponseWriter, next string) { fmt.Fprintf(w, `{"items":[1],"next":%q}`, next) }
			var home string
			abroad := witness(t, &asked, "abroad", func(w http.ResponseWriter, r *http.Request) {
				page(w, map[string]string{"/end": "", "/back": home + "/end"}[r.URL.Path])
			})
			server := witness(t, &asked, "home", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/redirect" {
					to(http.StatusFound, abroad.URL+"/back")(w, r)
					return
				}
				page(w, map[string]string{"/echo": abroad.URL + "/end?" + r.URL.RawQuery, "/at-home": "//" + r.Host + "/end", "/abroad": "http://user:pass@" + strings.TrimPrefix(abroad.URL, "http://") + "/end"}[r.URL.Path])
			})
			home = server.URL
			c.q.URL, c.q.Paginate = server.URL+c.path, poller.PaginateSettings{Next: "next"}
			s := source(t, client(t), c.q, list)
			if c.failure != "" {
				failure(t, s, poller.ClassPages, c.failure)
			} else if _, err := s.Ask(t.Context(), poller.Bookmarks{}); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALinkFromHTTPSDown(t *testing.T) {
	rt := roundTripper(func(*http.Request) (*http.Response, error) {
		return reply(200, `{"items":[1],"next":"http://api.example/2?token=`+hidden+`"}`)
	})
	s := source(t, poller.NewClientOver(rt, poller.ClientOptions{}), poller.RequestSettings{URL: "https://api.example/", Paginate: poller.PaginateSettings{Next: "next"}}, list)
	failure(t, s, poller.ClassPages, "the next page is at http://api.example:80: a step down")
}

func TestNextOf(t *testing.T) {
	const bad = "a failure"
	for header, want := range map[string]string{
		`<https://a.example/?p=2>; rel="next"`:                             "https://a.example/?p=2",
		`<a>; rel="prev", <b>; rel="next"`:                                 "b",
		`<a,b;c>; rel="prev"; title="x, <y>; rel=\"next\"",<d>;REL = Next`: "d",
		`<a>; rel="last next"`:                                             "a",
		`<a>; rel="nextish"`:                                               "",
		`<a>; title="next"; rel=prev; rel=next`:                            "",
		`<a>; rel=next; anchor="#other", <b>; rel=next`:                    "b",
		`<a>; crossorigin; rel=next`:                                       "a",
		` , , < a > ; rel=next`:                                            "a",
		`<a>; rel="next`:                                                   bad,
		`<a; rel="next"`:                                                   bad,
		`a; rel="next"`:                                                    bad,
		`</1>; rel=prev; title=a b, c, </2>; rel="next"`:                   bad,
		`a, <b>; rel="next"`:                                               bad,
		`<a>; title="b, <c>; rel=next`:                                     bad,
		`<a>; rel="prev" garbage, <b>; rel=next`:                           bad,
		"":                                                                 "",
	} {
		got, ok, err := poller.NextOf(header)
		if err != nil {
			got = bad
		}
		if got != want || ok != (want != "" && want != bad) {
			t.Errorf("%s: %q, %v, %v, want %q", header, got, ok, err, want)
		}
	}
}

// FuzzNextOf: whatever the header, it is read in linear time, and what is found
// stands in it.
func FuzzNextOf(f *testing.F) {
	for _, seed := range []string{`<a>; rel="next"`, `<a>; rel="prev"; t="\"<b>", <c>;rel=next`, `<<<>;=",;\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		target, ok, err := poller.NextOf(header)
		if ok && !strings.Contains(header, "<") || !strings.Contains(header, target) || !ok && target != "" || ok && err != nil {
			t.Errorf("%q in %q", target, header)
		}
		quoted := `<x>; a="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(header) + `", <y>; rel=next`
		if got, _, _ := poller.NextOf(quoted); got != "y" {
			t.Errorf("%q behind %q", got, quoted)
		}
	})
}

// A client's certificate goes no further than the redirect that leads away.
func TestCertificatesAndPages(t *testing.T) {
	cert, key, pool := identity(t, "deltahook")
	var seen []string
	abroad := shows(t, tls.RequestClientCert, pool, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, "abroad "+r.URL.Path+" "+peer(r))
		fmt.Fprintf(w, `{"items":[1],"next":%q}`, map[string]string{"/1": "/2"}[r.URL.Path])
	})
	home := shows(t, tls.RequireAndVerifyClientCert, pool, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, "home "+r.URL.Path+" "+peer(r))
		to(http.StatusFound, abroad.URL+"/1")(w, r)
	})
	trusting := x509.NewCertPool()
	trusting.AddCert(home.Certificate())
	c := poller.NewClientOver(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusting}}, poller.ClientOptions{})
	t.Cleanup(c.Close)
	s := source(t, c, poller.RequestSettings{
		URL: home.URL + "/", Paginate: poller.PaginateSettings{Next: "next"},
		TLS: credential.TLSSettings{CA: pemFile(t, "ca.pem", "CERTIFICATE", home.Certificate().Raw), Cert: cert, Key: key},
	}, list)
	a, err := s.Ask(t.Context(), poller.Bookmarks{})
	if err != nil || len(a.Pages) != 2 {
		t.Fatalf("got %+v, %v, want 2 pages", a, err)
	}
	if diff := cmp.Diff([]string{"home / deltahook", "abroad /1 nobody", "abroad /2 nobody"}, seen); diff != "" {
		t.Error(diff)
	}
}
