package poller_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// hidden is a value that no error may show.
const hidden = "s3cr3t-t0ken"

func client(t testing.TB) *poller.Client {
	t.Helper()
	c := poller.NewClient(poller.ClientOptions{
		Version:  "test",
		Egress:   egress.Policy{AllowPrivate: true},
		Redactor: secret.NewRedactor(hidden),
	})
	t.Cleanup(c.Close)
	return c
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func source(t testing.TB, c *poller.Client, q poller.RequestSettings, resp poller.ResponseSettings) *poller.Source {
	t.Helper()
	s, err := poller.NewSource("parcels", poller.Settings{Schedule: "@every 30s", Request: q}, resp, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// failure asks and wants a failure of this class, whose text has what is
// wanted and shows no secret.
func failure(t *testing.T, s *poller.Source, class poller.Class, want string) *poller.Failure {
	t.Helper()
	a, err := s.Ask(t.Context(), poller.Bookmarks{})
	var f *poller.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %+v, %v, want a failure", a, err)
	}
	if a != nil || f.Class != class || !strings.Contains(f.Error(), want) {
		t.Errorf("got %+v, %q, want class %s and %q", a, f, class, want)
	}
	if strings.Contains(f.Error(), hidden) {
		t.Errorf("the error shows the secret: %q", f)
	}
	return f
}

func TestAnswer(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header()["X-Many"] = []string{"a", "b"}
		w.Header().Set("ETag", `"v1"`)
		io.WriteString(w, "\xef\xbb\xbf{\"price\": 1.10}\n")
	})
	before := time.Now()
	got, err := source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Pages[0]) != "{\"price\": 1.10}\n" {
		t.Errorf("body %q", got.Pages[0])
	}
	if got.Source != "parcels" || got.Status != 200 || got.Unmodified || got.Header["x-many"] != "a, b" {
		t.Errorf("got %+v", got)
	}
	if got.Received.Before(before) || got.Received.After(time.Now()) {
		t.Errorf("received %s", got.Received)
	}
	if got.Bookmarks.ETag != `"v1"` || got.Bookmarks.Request == "" {
		t.Errorf("bookmarks %+v", got.Bookmarks)
	}
}

// TestRequestAsSent compares what arrives at the server.
func TestRequestAsSent(t *testing.T) {
	var got string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s host=%t accept=%s agent=%s type=%s auth=%s x=%s body=%s", r.Method, r.RequestURI,
			r.Host == "api.example", r.Header.Get("Accept"), r.Header.Get("User-Agent"), r.Header.Get("Content-Type"),
			r.Header.Get("Authorization"), r.Header.Get("X-Locale"), body)
		io.WriteString(w, "{}")
	})
	const usual = "host=false accept=application/json, */*;q=0.5 agent=Deltahook/test "
	for _, c := range []struct {
		name string
		q    poller.RequestSettings
		want string
	}{
		{"plain", poller.RequestSettings{URL: server.URL + "/a?b=c%2Cd&&e"},
			"GET /a?b=c%2Cd&&e " + usual + "type= auth= x= body="},
		{"query is added to the URL's own", poller.RequestSettings{URL: server.URL + "/?z=1", Query: map[string]string{"b": "x y&", "a": "{{ 1 + 1 }}"}},
			"GET /?z=1&a=2&b=x%20y%26 " + usual + "type= auth= x= body="},
		{"headers", poller.RequestSettings{URL: server.URL, Headers: map[string]string{"x-locale": "en_{{ 'US' }}", "accept": "text/x", "user-agent": "me", "host": "api.example"}},
			"GET / host=true accept=text/x agent=me type= auth= x=en_US body="},
		{"json", poller.RequestSettings{URL: server.URL, JSON: map[string]any{"n": "{{ [1, 2] }}", "a": map[string]any{"<": true}}},
			`POST / ` + usual + `type=application/json auth= x= body={"a":{"<":true},"n":[1,2]}`},
		{"json under another type", poller.RequestSettings{URL: server.URL, JSON: []any{}, Headers: map[string]string{"Content-Type": "application/vnd.api+json"}},
			`POST / ` + usual + `type=application/vnd.api+json auth= x= body=[]`},
		{"form", poller.RequestSettings{URL: server.URL, Form: map[string]string{"b": "x y", "a": "{{ 1 }}"}},
			"POST / " + usual + "type=application/x-www-form-urlencoded auth= x= body=a=1&b=x+y"},
		{"body", poller.RequestSettings{URL: server.URL, Body: "n={{ 1 }}", Headers: map[string]string{"Content-Type": "text/plain"}},
			"POST / " + usual + "type=text/plain auth= x= body=n=1"},
		{"GET with a body", poller.RequestSettings{Method: "GET", URL: server.URL, Body: "{}"},
			"GET / " + usual + "type= auth= x= body={}"},
		{"POST without one", poller.RequestSettings{Method: "POST", URL: server.URL},
			"POST / " + usual + "type= auth= x= body="},
		{"user and password", poller.RequestSettings{URL: strings.Replace(server.URL, "://", "://me:pass@", 1) + "#top"},
			"GET / " + usual + "type= auth=Basic bWU6cGFzcw== x= body="},
		{"an expression in the URL", poller.RequestSettings{URL: server.URL + "/{{ 'a/b' }}?q={{ '&' }}"},
			"GET /a%2Fb?q=%26 " + usual + "type= auth= x= body="},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := source(t, client(t), c.q, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoAnswer is every answer that is none.
func TestNoAnswer(t *testing.T) {
	respond := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	cut := func(header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, out, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			fmt.Fprintf(out, "HTTP/1.1 200 OK\r\n%s\r\n\r\n%s", header, body)
			_ = out.Flush()
		}
	}
	zipped := zip(t, `{"a": 1}`)
	big := strings.Repeat("x", 3000)
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		resp  poller.ResponseSettings
		class poller.Class
		want  string
	}{
		{"404", respond(404, "application/json", `{}`), poller.ResponseSettings{}, poller.ClassStatus, "status: 404 Not Found"},
		{"500 without a name", respond(599, "", ``), poller.ResponseSettings{}, poller.ClassStatus, "status: 599"},
		{"206, not asked for", respond(206, "application/json", `{}`), poller.ResponseSettings{}, poller.ClassStatus, "206 Partial Content"},
		{"304, not asked for", respond(304, "", ``), poller.ResponseSettings{}, poller.ClassStatus, "no validators"},
		{"302 to nowhere", respond(302, "", ``), poller.ResponseSettings{}, poller.ClassStatus, "status: 302 Found"},
		{"204", respond(204, "", ``), poller.ResponseSettings{}, poller.ClassFormat, "without a body"},
		{"empty", respond(200, "application/json", " \n"), poller.ResponseSettings{}, poller.ClassFormat, "an empty body"},
		{"HTML", respond(200, "text/html; charset=utf-8", "\n<!DOCTYPE html>"), poller.ResponseSettings{}, poller.ClassFormat, "an HTML page, not JSON"},
		{"HTML that says JSON", respond(200, "application/json", "<html>"), poller.ResponseSettings{}, poller.ClassFormat, "an HTML page, not JSON"},
		{"XML", respond(200, "application/json", "<?xml version='1.0'?><a/>"), poller.ResponseSettings{}, poller.ClassFormat, "XML, not JSON"},
		{"text that is a number", respond(200, "text/plain", "123"), poller.ResponseSettings{}, poller.ClassFormat, `content type "text/plain"`},
		{"cut JSON", respond(200, "application/json", `{"a": [1, 2`), poller.ResponseSettings{}, poller.ClassFormat, "byte 11"},
		{"two values", respond(200, "application/json", "{}\n{}"), poller.ResponseSettings{}, poller.ClassFormat, "unexpected text"},
		{"a name twice", respond(200, "application/json", `{"a": 1, "a": 1}`), poller.ResponseSettings{}, poller.ClassFormat, "twice"},
		{"not UTF-8", respond(200, "application/json", "{\"a\": \"\xff\"}"), poller.ResponseSettings{}, poller.ClassFormat, "UTF-8"},
		{"too large, and says so", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3000")
			io.WriteString(w, big)
		}, poller.ResponseSettings{}, poller.ClassTooLarge, "request.max_body allows 2000"},
		{"too large, in chunks", func(w http.ResponseWriter, _ *http.Request) {
			for range 3000 {
				io.WriteString(w, " ")
				w.(http.Flusher).Flush()
			}
		}, poller.ResponseSettings{}, poller.ClassTooLarge, "over 2000 bytes"},
		{"cut, though the part is JSON", cut("Content-Type: application/json\r\nContent-Length: 20", `{"a": 1}`),
			poller.ResponseSettings{}, poller.ClassNetwork, "cut in the middle"},
		{"cut between chunks", cut("Transfer-Encoding: chunked", "8\r\n{\"a\": 1}\r\n"),
			poller.ResponseSettings{}, poller.ClassNetwork, "cut in the middle"},
		{"cut gzip", cut(fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d", len(zipped)-6), zipped[:len(zipped)-6]),
			poller.ResponseSettings{}, poller.ClassNetwork, "cut in the middle"},
		{"compress, not asked for", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "compress")
			io.WriteString(w, "\x1f\x9d")
		}, poller.ResponseSettings{}, poller.ClassFormat, `content encoding "compress"`},
		{"closed at once", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		}, poller.ResponseSettings{}, poller.ClassNetwork, "closed without an answer"},
		{"not HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "220 "+hidden+" ESMTP\r\n")
			_ = conn.Close()
		}, poller.ResponseSettings{}, poller.ClassNetwork, "malformed HTTP"},
		{"require, absent", respond(200, "application/json", `{"a": {}}`), poller.ResponseSettings{Require: []string{"a", "a.b"}}, poller.ClassRequire, "a.b is absent"},
		{"require, null", respond(200, "application/json", `{"a": null}`), poller.ResponseSettings{Require: []string{"a"}}, poller.ClassRequire, "a is null"},
		{"ok, false", respond(202, "application/json", `{}`), poller.ResponseSettings{OK: "status == 200"}, poller.ClassOK, "false: status == 200"},
		{"ok, by the body", respond(200, "application/json", `{"errors": [1]}`), poller.ResponseSettings{OK: "body.errors == nil"}, poller.ClassOK, "false: body.errors"},
		{"ok, by a header", respond(200, "application/json", `{}`), poller.ResponseSettings{OK: `headers["x-version"] == "2"`}, poller.ClassOK, "false: headers"},
		{"ok, no bool", respond(200, "application/json", `{"n": 1}`), poller.ResponseSettings{OK: "body.n"}, poller.ClassOK, "not true or false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.serve)
			s := source(t, client(t), poller.RequestSettings{URL: server.URL + "?token=" + hidden, MaxBody: 2000}, c.resp)
			failure(t, s, c.class, c.want)
		})
	}
}

// TestGoodAnswers are odd, but answers.
func TestGoodAnswers(t *testing.T) {
	for _, c := range []struct {
		name, contentType, body string
		resp                    poller.ResponseSettings
	}{
		{"no content type", "", `[]`, poller.ResponseSettings{}},
		{"problem", "application/problem+json; charset=UTF-8", `{}`, poller.ResponseSettings{}},
		{"JSON that says HTML", "text/html", `{"a": 1}`, poller.ResponseSettings{}},
		{"a number, as JSON", "application/json", `17`, poller.ResponseSettings{}},
		{"a number, read as JSON", "text/plain", `17`, poller.ResponseSettings{Format: "json"}},
		{"required", "application/json", `{"a": [{"b": false}]}`, poller.ResponseSettings{Require: []string{"a.0.b", "a.#.b"}}},
		{"ok", "application/json", `{"n": 9007199254740993}`, poller.ResponseSettings{
			OK: `status == 200 && headers["content-type"] startsWith "application/" && body.n == 9007199254740993 && body.errors == nil`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if c.contentType != "" {
					w.Header().Set("Content-Type", c.contentType)
				}
				io.WriteString(w, c.body)
			})
			a, err := source(t, client(t), poller.RequestSettings{URL: server.URL}, c.resp).Ask(t.Context(), poller.Bookmarks{})
			if err != nil || string(a.Pages[0]) != c.body {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
}

func zip(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGzip(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip, deflate, br, zstd" {
			t.Errorf("accepts %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, zip(t, `{"a": 1}`))
	})
	a, err := source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil || string(a.Pages[0]) != `{"a": 1}` {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestGzipBomb: 16 MiB of spaces arrive as 16 KB; no more than max_body of
// them is kept.
func TestGzipBomb(t *testing.T) {
	bomb := zip(t, strings.Repeat(" ", 16<<20))
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, bomb)
	})
	failure(t, source(t, client(t), poller.RequestSettings{URL: server.URL, MaxBody: 1 << 20}, poller.ResponseSettings{}),
		poller.ClassTooLarge, "over 1048576 bytes")
}

func TestRetryAfterOfAnAnswer(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1.5")
		w.WriteHeader(429)
	})
	f := failure(t, source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}), poller.ClassStatus, "429 Too Many Requests")
	if f.After != 1500*time.Millisecond {
		t.Errorf("after %s", f.After)
	}
}

func TestNoConnection(t *testing.T) {
	// Nothing listens there; the port of a server that was closed may be another's.
	q := poller.RequestSettings{URL: "http://127.0.0.1:1/" + hidden + "?key=" + hidden, Headers: map[string]string{"X-Key": hidden}}
	failure(t, source(t, client(t), q, poller.ResponseSettings{}), poller.ClassNetwork, "connection refused")
}

func TestEgressRefused(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was reached") })
	c := poller.NewClient(poller.ClientOptions{})
	failure(t, source(t, c, poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}), poller.ClassRefused, "127.0.0.1 is refused")
}

func TestRequestThatCannotBeMade(t *testing.T) {
	for _, c := range []struct {
		q    poller.RequestSettings
		want string
	}{
		{poller.RequestSettings{URL: "{{ raw('ftp') }}://x.example"}, `url: the scheme is "ftp"`},
		{poller.RequestSettings{URL: "http://x.example", Headers: map[string]string{"X-A": `{{ "a\r\nb" }}`}}, "headers.X-A: the value holds a line break"},
		{poller.RequestSettings{URL: "http://x.example", Query: map[string]string{"a": `{{ [1][2] }}`}}, "query.a: "},
		{poller.RequestSettings{URL: "http://x.example", JSON: map[string]any{"a": `{{ [1][2] }}`}}, "body: "},
	} {
		failure(t, source(t, client(t), c.q, poller.ResponseSettings{}), poller.ClassRequest, c.want)
	}
}

// roundTripper answers in place of a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stuck is a body that never ends.
type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}
func (stuck) Close() error { return nil }

func TestTimeout(t *testing.T) {
	for name, rt := range map[string]roundTripper{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"no end": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: stuck{r.Context()}, ContentLength: -1}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				q := poller.RequestSettings{URL: "http://x.example", Timeout: units.Duration(7 * time.Second)}
				failure(t, source(t, poller.NewClientOver(rt, poller.ClientOptions{}), q, poller.ResponseSettings{}),
					poller.ClassTimeout, "no complete answer within 7s")
				if took := time.Since(start); took != 7*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}
