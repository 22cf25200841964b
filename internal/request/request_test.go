package request_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/request"
)

// compile gives a template and what is wrong with it.
func compile(s request.Settings) (*request.Template, []string) {
	report := fault.New()
	q := s.Compile(report.At("request"), expr.Env{"key": "", "n": 0, "old": nil})
	var faults []string
	for _, f := range report.All() {
		faults = append(faults, strings.Join(f.Path, ".")+": "+f.Text)
	}
	return q, faults
}

// made is the request that settings give for some values.
func made(t *testing.T, s request.Settings, base http.Header) (*request.Request, error) {
	t.Helper()
	q, faults := compile(s)
	if len(faults) > 0 {
		t.Fatalf("faults: %q", faults)
	}
	return q.Make(base, map[string]any{"key": "a b/&=c", "n": 7, "old": map[string]any{"v": "x\"y"}})
}

func TestMake(t *testing.T) {
	base := http.Header{"User-Agent": {"deltahook"}}
	for name, c := range map[string]struct {
		s      request.Settings
		method string
		url    string
		header http.Header
		body   string
	}{
		"plain": {request.Settings{URL: "https://api.example/v1?b=%7e&a#part"}, "GET", "https://api.example/v1?b=%7e&a", base, ""},
		"encoded by its place": {
			request.Settings{URL: "https://api.example/{{ key }}/x", Query: map[string]string{"q": "{{ key }}", "n": "{{ n }}"}},
			"GET", "https://api.example/a%20b%2F&=c/x?n=7&q=a%20b%2F%26%3Dc", base, "",
		},
		"json": {
			request.Settings{URL: "https://api.example/", JSON: map[string]any{"v": "{{ old.v }}", "n": "{{ n }}"}},
			"POST", "https://api.example/", http.Header{"User-Agent": {"deltahook"}, "Content-Type": {"application/json"}}, `{"n":7,"v":"x\"y"}`,
		},
		"form": {
			request.Settings{URL: "https://api.example/", Form: map[string]string{"k": "{{ key }}", "a": "1"}},
			"POST", "https://api.example/", http.Header{"User-Agent": {"deltahook"}, "Content-Type": {"application/x-www-form-urlencoded"}}, "a=1&k=a+b%2F%26%3Dc",
		},
		"body and headers": {
			request.Settings{URL: "https://api.example/", Body: "<k>{{ n }}</k>", Headers: map[string]string{"content-type": "text/xml", "x-key": "{{ key }}"}},
			"POST", "https://api.example/", http.Header{"User-Agent": {"deltahook"}, "Content-Type": {"text/xml"}, "X-Key": {"a b/&=c"}}, "<k>7</k>",
		},
		"user of the URL": {
			request.Settings{URL: "https://me:pass%20word@api.example/"},
			"GET", "https://api.example/", http.Header{"User-Agent": {"deltahook"}, "Authorization": {"Basic bWU6cGFzcyB3b3Jk"}}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := made(t, c.s, base)
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != c.method || got.URL.String() != c.url || string(got.Body) != c.body {
				t.Errorf("%s %s %s", got.Method, got.URL, got.Body)
			}
			if diff := cmp.Diff(c.header, got.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
	if len(base) != 1 {
		t.Errorf("what all have was changed: %v", base)
	}
}

// A body that comes out empty is one of no bytes, not one of an unknown length:
// some servers refuse chunks.
func TestMakeEmptyBody(t *testing.T) {
	got, err := made(t, request.Settings{URL: "https://api.example/", Body: "{{ old.none }}"}, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	var wire strings.Builder
	if err := got.HTTP(t.Context()).Write(&wire); err != nil {
		t.Fatal(err)
	}
	if head := wire.String(); !strings.Contains(head, "Content-Length: 0\r\n") || strings.Contains(head, "Transfer-Encoding") {
		t.Errorf("sent is %q", head)
	}
}

func TestMakeHTTP(t *testing.T) {
	got, err := made(t, request.Settings{URL: "https://api.example/", Body: "{{ n }}", Headers: map[string]string{"host": "other.example"}}, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	r := got.HTTP(t.Context())
	for range 2 { // a redirect sends it again
		body, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(body); string(text) != "7" || err != nil {
			t.Errorf("body %q, %v", text, err)
		}
	}
	if r.Host != "other.example" || r.Header.Get("Host") != "" || r.ContentLength != 1 || r.Method != http.MethodPost {
		t.Errorf("%+v", r)
	}
}

// What an answer says can neither leave its place nor add a header.
func TestMakeRefuses(t *testing.T) {
	q, faults := compile(request.Settings{
		URL: "https://api.example/", Headers: map[string]string{"x-key": "{{ key }}"},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	_, err := q.Make(http.Header{}, map[string]any{"key": "a\r\nx-evil: 1"})
	if err == nil || !strings.HasPrefix(err.Error(), "headers.X-Key:") || strings.Contains(err.Error(), "evil") {
		t.Errorf("error %v", err)
	}
	q, _ = compile(request.Settings{URL: "{{ raw(key) }}"})
	if _, err := q.Make(http.Header{}, map[string]any{"key": "file:///etc/passwd"}); err == nil || strings.Contains(err.Error(), "passwd") {
		t.Errorf("error %v", err)
	}
}

func TestCompileFaults(t *testing.T) {
	const url = "https://api.example/"
	for name, c := range map[string]struct {
		s    request.Settings
		want []string
	}{
		"no URL":         {request.Settings{}, []string{"request.url: no URL"}},
		"another scheme": {request.Settings{URL: "ftp://api.example/"}, []string{`request.url: the scheme is "ftp": expected http or https`}},
		"no host":        {request.Settings{URL: "https:///x"}, []string{"request.url: no host"}},
		"a method":       {request.Settings{URL: url, Method: "PUT"}, []string{`request.method: "PUT": expected GET or POST`}},
		"two bodies": {
			request.Settings{URL: url, Body: "a", Form: map[string]string{"a": "b"}},
			[]string{"request: more than one of json, form, body and graphql: a request has one body"},
		},
		"GET with a body": {
			request.Settings{URL: url, Method: "GET", Body: "a"},
			[]string{"request.method: GET with a body: most servers don't read it; leave the method out for POST"},
		},
		"headers": {
			request.Settings{URL: url, Headers: map[string]string{"a b": "1", "Accept-Encoding": "gzip", "X-A": "1", "x-a": "2", "x-b": "\n"}},
			[]string{
				"request.headers.Accept-Encoding: a header that Deltahook sets by itself",
				"request.headers.a b: not the name of a header",
				"request.headers.x-a: the header X-A stands here twice",
				"request.headers.x-b: the value holds a line break or another control character",
			},
		},
	} {
		if _, got := compile(c.s); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, got := compile(request.Settings{URL: url, JSON: map[string]any{"a": []any{"{{ nobody }}"}}}); len(got) != 1 || !strings.HasPrefix(got[0], "request.json.a.0: ") {
		t.Errorf("an expression: %q", got)
	}
}

func TestUses(t *testing.T) {
	q, _ := compile(request.Settings{URL: "https://api.example/{{ key }}", Form: map[string]string{"n": "{{ n }}"}})
	for name, want := range map[string][2]bool{"key": {true, true}, "n": {true, false}, "old": {false, false}} {
		if q.Uses(name) != want[0] || q.UsesInURL(name) != want[1] {
			t.Errorf("%s: used %v, in the URL %v", name, q.Uses(name), q.UsesInURL(name))
		}
	}
	if q.Constant() {
		t.Error("every request of it is the same")
	}
	if q, _ = compile(request.Settings{URL: "https://api.example/", Query: map[string]string{"a": "b"}, Body: "c"}); !q.Constant() {
		t.Error("its requests differ")
	}
}

func TestSetQuery(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", "k%20y=a%2Bb"},
		{"x=%7e&flag", "x=%7e&flag&k%20y=a%2Bb"},
		{"k+y=1&x=2&k%20y=3", "k%20y=a%2Bb&x=2"},
		{"%zz=1&&", "%zz=1&k%20y=a%2Bb"},
	} {
		if got := request.SetQuery(c.query, "k y", "a+b"); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.query, got, c.want)
		}
	}
}

func TestOrigin(t *testing.T) {
	for raw, want := range map[string]string{
		"https://API.example/x": "https://api.example:443", "http://api.example": "http://api.example:80", "http://api.example:8080/": "http://api.example:8080",
	} {
		u, err := request.ParseURL(raw)
		if err != nil || request.Origin(u) != want {
			t.Errorf("%s is of %v, %v; want %s", raw, request.Origin(u), err, want)
		}
	}
}
