package poller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// TestCheck wants all the faults of one source in one run, each at its place.
func TestCheck(t *testing.T) {
	many := 21
	s := poller.Settings{
		Schedule: "61 * * * *", Timezone: "Mars/Olympus", Missed: "twice",
		Request: poller.RequestSettings{
			Method: "PUT", URL: "shop.example/orders", Timeout: units.Duration(2 * time.Hour), MaxBody: 2 << 30,
			Redirects: &many, Conditional: "yes",
			Headers: map[string]string{"X A": "1", "Content-Length": "5", "x-b": "{{ nix }}", "X-C": "1\n2", "X-D": "1", "x-d": "2"},
			Query:   map[string]string{"a": "{{ 1 +"},
			JSON:    map[string]any{"a": []any{"{{ nix }}"}},
			Form:    map[string]string{"b": "{{"},
			Body:    "{{ }}",
		},
	}
	resp := poller.ResponseSettings{Format: "yaml", Require: []string{"a", ""}, OK: "statsu == 200"}
	r := fault.New()
	s.Check(r, resp)
	resp.Check(r.At("response"))
	got := map[string]string{}
	for _, f := range r.All() {
		got[strings.Join(f.Path, ".")] = f.Text
	}
	want := map[string]string{
		"timezone":                       "not an IANA name",
		"schedule":                       `minute field "61"`,
		"missed":                         `"twice": expected once or skip`,
		"request.method":                 `"PUT": expected GET or POST`,
		"request.url":                    `the scheme is "": expected http or https`,
		"request.timeout":                "2h: expected more than 0 and at most 1h",
		"request.max_body":               "2GiB: expected more than 0 and at most 1GiB",
		"request.redirects":              "from 0 to 20",
		"request.conditional":            "expected auto or off",
		"request.headers.X A":            "not the name of a header",
		"request.headers.Content-Length": "sets by itself",
		"request.headers.x-b":            "nix",
		"request.headers.X-C":            "line break",
		"request.headers.x-d":            "twice",
		"request.query.a":                "",
		"request.json.a.0":               "nix",
		"request.form.b":                 "",
		"request.body":                   "",
		"request":                        "a request has one body",
		"response.format":                "expected auto or csv or feed",
		"response.require.1":             "empty path",
		"response.ok":                    "statsu",
	}
	for path, text := range want {
		if found, ok := got[path]; !ok || !strings.Contains(found, text) {
			t.Errorf("%s: got %q, want %q", path, found, text)
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("more than was wanted: %q", got)
	}
	if _, err := poller.NewSource("a", s, resp, client(t)); err == nil {
		t.Error("a source was made of it")
	}
}

func TestCheckFindsNothing(t *testing.T) {
	for _, s := range []poller.Settings{
		{Schedule: "@hourly", Request: poller.RequestSettings{URL: "https://x.example"}},
		{Schedule: "0 */5 * * * *", Timezone: "Europe/Berlin", Jitter: units.Duration(time.Minute), Missed: "skip", Request: poller.RequestSettings{
			Method: "POST", URL: "{{ raw('http') }}://x.example/{{ now().Unix() }}", Headers: map[string]string{"X-Request-ID": "{{ uuid() }}"},
			JSON: map[string]any{"since": "{{ now() - duration('1h') }}"},
		}},
	} {
		r := fault.New()
		s.Check(r, poller.ResponseSettings{})
		poller.ResponseSettings{Format: "json", Require: []string{"a.#.b|@flatten"}, OK: `status == 200 && headers["x-a"] != "" && body.errors == nil`}.Check(r)
		if diff := cmp.Diff([]fault.Fault(nil), r.All()); diff != "" {
			t.Error(diff)
		}
	}
}

// TestCheckWarns wants settings that work, but hardly as meant, to be told
// without being refused.
func TestCheckWarns(t *testing.T) {
	s := poller.Settings{Schedule: "@hourly", Request: poller.RequestSettings{Method: "GET", URL: "https://x.example", Body: "x"}}
	r := fault.New()
	s.Check(r, poller.ResponseSettings{})
	want := []fault.Fault{{Path: []string{"request", "method"}, Text: "GET with a body: most servers don't read it; leave the method out for POST", Warning: true}}
	if diff := cmp.Diff(want, r.All()); diff != "" {
		t.Error(diff)
	}
	if _, err := poller.NewSource("a", s, poller.ResponseSettings{}, client(t)); err != nil {
		t.Error(err)
	}
}
