package poller_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

// TestFormats compares what arrives as a page. A want that does not start with
// "{" or "[" is part of a failure's text.
func TestFormats(t *testing.T) {
	format := func(f string) poller.ResponseSettings { return poller.ResponseSettings{Format: f} }
	byID := func(id ...string) poller.ResponseSettings {
		return poller.ResponseSettings{Format: "csv", Items: "@this", ID: id}
	}
	var auto poller.ResponseSettings
	rows := poller.ResponseSettings{Format: "html", HTML: poller.HTMLSettings{Rows: "li", Fields: map[string]string{"t": ".", "h": "a@href"}}}
	const rss = `<rss version="2.0"><channel><item><guid>1</guid></item></channel></rss>`
	for _, c := range []struct {
		name, contentType, body string
		resp                    poller.ResponseSettings
		want                    string
	}{
		{"auto: XML", "application/xml", "<r><a>1.10</a></r>", auto, `{"r":{"a":"1.10"}}`},
		{"auto: XML of a vendor", "application/vnd.cpc.track-v2+xml; charset=UTF-8", "<r/>", auto, `{"r":""}`},
		{"auto: XML without a type", "", "\n<?xml version='1.0'?><r/>", auto, `{"r":""}`},
		{"auto: RSS", "application/rss+xml", rss, auto, `{"items":[{"id":"1"}]}`},
		{"auto: RSS that says XML", "text/xml", rss, auto, `{"items":[{"id":"1"}]}`},
		{"auto: RSS without a type", "", rss, auto, `{"items":[{"id":"1"}]}`},
		{"xml: RSS", "application/rss+xml", rss, format("xml"), `{"rss":{"@version":"2.0","channel":{"item":{"guid":"1"}}}}`},
		{"auto: CSV", "text/csv; header=present", "a,b\n1,2\n", auto, `[{"a":"1","b":"2"}]`},
		{"auto: CSV that is JSON", "text/csv", `{"Note": "limit"}`, auto, `{"Note": "limit"}`},
		{"auto: NDJSON", "application/x-ndjson", "{\"n\": 9007199254740993}\n{}\n", auto, `[{"n": 9007199254740993},{}]`},
		{"auto: HTML", "text/html", "<html>", auto, "an HTML page, not JSON"},
		{"auto: XHTML", "application/xhtml+xml", "<?xml version='1.0'?><html/>", auto, "not JSON"},
		{"auto: a page that says XML", "text/xml", "<!DOCTYPE html><p>", auto, "an HTML page, not JSON"},
		{"auto: text", "text/plain", "up", auto, "text, csv and others"},
		{"auto: UTF-16", "application/json", "\xff\xfe{\x00}\x00", auto, "{}"},
		{"json: in Latin-1", "application/json; charset=iso-8859-1", "[\"\xe9\"]", format("json"), `["é"]`},
		{"json: XML", "application/xml", "<r/>", format("json"), "XML, not JSON"},
		{"ndjson", "text/plain", "1\n2", format("ndjson"), "[1,2]"},
		{"ndjson: a name twice", "", `{"a":1,"a":2}`, format("ndjson"), "not NDJSON"},
		{"ndjson: a page", "text/html", "<html>", format("ndjson"), "an HTML page, not NDJSON"},
		{"xml: a page", "text/html", "<html>", format("xml"), "an HTML page, not XML"},
		{"xml: JSON", "application/json", "{}", format("xml"), "JSON, not XML"},
		{"xml: cut", "application/xml", "<r><a>", format("xml"), "not XML"},
		{"xml: lists", "text/xml", "<r><a/></r>", poller.ResponseSettings{XML: poller.XMLSettings{Lists: []string{"r.a", "r.b"}}}, `{"r":{"a":[""],"b":[]}}`},
		{"csv: settings", "text/plain", "1;2\n", poller.ResponseSettings{Format: "csv", CSV: poller.CSVSettings{Delimiter: ";", Header: []string{"x", "y"}}}, `[{"x":"1","y":"2"}]`},
		{"csv: ragged", "text/csv", "a,b\n1\n", format("csv"), "line 2 has 1 fields"},
		{"csv: names that look like tags", "text/plain", "<TICKER>,<PER>\nA,D\n", format("csv"), `[{"<TICKER>":"A","<PER>":"D"}]`},
		{"csv: names in brackets", "text/plain", "[a],[b]\n1,2\n", format("csv"), `[{"[a]":"1","[b]":"2"}]`},
		{"csv: XML", "application/xml", "<?xml version='1.0'?><a/>", format("csv"), "XML, not CSV"},
		{"csv: no rows", "text/csv", "n,order.id\n", byID(`order\.id`, "n"), `[]`},
		{"csv: a line of text", "text/plain", "Service unavailable, try later\n", byID("id"), `there is no column "id"`},
		{"csv: an id that is not a column", "text/csv", "a\n", byID("a.b", "@values.0"), `[]`},
		{"auto: UTF-16 that is cut", "text/csv", "\xff\xfea\x00,", auto, "half a character"},
		{"auto: UTF-16 with half a pair", "application/json", "\xff\xfe\"\x00\x00\xd8\"\x00", auto, "not UTF-16 at byte 2"},
		{"csv: UTF-16 without a mark", "text/csv; charset=utf-16le", "a\x00\n\x00\x3d\xd8\x00\xde", format("csv"), `[{"a":"😀"}]`},
		{"csv: UTF-16 without a mark that is cut", "text/csv; charset=utf-16le", "a\x00\n", format("csv"), "half a character"},
		{"csv: a page", "text/html", "<html>\n", format("csv"), "an HTML page, not CSV"},
		{"csv: JSON", "application/json", "{}", format("csv"), "JSON, not CSV"},
		{"csv: in another charset", "text/csv; charset=utf-8", "a\n\x80\n", poller.ResponseSettings{Format: "csv", Charset: "windows-1252"}, `[{"a":"€"}]`},
		{"feed", "text/html", rss, format("feed"), "an HTML page, not a feed"},
		{"feed: JSON Feed", "application/feed+json", `{"version":"https://jsonfeed.org/version/1","items":[]}`, format("feed"), `{"items":[]}`},
		{"html", "text/html", "<li><a href=/1>One</a><li>Two", rows, `[{"h":"/1","t":"One"},{"t":"Two"}]`},
		{"html: JSON", "application/json", "{}", rows, "JSON, not HTML"},
		{"html: another page", "text/html", "<p>Log in", rows, "nothing is at html.rows"},
		{"text", "text/plain; charset=latin1", "caf\xe9\n", format("text"), `{"text":"café\n","lines":["café"]}`},
		{"text: empty", "text/plain", "\n", format("text"), "an empty body, where text was expected"},
		{"text: not UTF-8", "text/plain", "\xe9", format("text"), "not UTF-8"},
		{"csv: too large", "text/csv", strings.Repeat("x", 1900) + "\n1\n1\n1\n1\n1\n", format("csv"), "4 times request.max_body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if c.contentType != "" {
					w.Header().Set("Content-Type", c.contentType)
				}
				io.WriteString(w, c.body)
			})
			s := source(t, client(t), poller.RequestSettings{URL: server.URL, MaxBody: 2000}, c.resp)
			if !strings.HasPrefix(c.want, "{") && !strings.HasPrefix(c.want, "[") {
				class := poller.ClassFormat
				if strings.Contains(c.want, "max_body") {
					class = poller.ClassTooLarge
				}
				failure(t, s, class, c.want)
				return
			}
			a, err := s.Ask(t.Context(), poller.Bookmarks{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(a.Pages[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// compress is text in each coding that is asked for.
func compress(t testing.TB, text []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for coding, open := range map[string]func(io.Writer) (io.WriteCloser, error){
		"deflate": func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
		"br":      func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriterLevel(w, 1), nil },
		"zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) },
	} {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all[coding] = b.Bytes()
	}
	all["gzip"] = []byte(zip(t, string(text)))
	return all
}

// TestContentEncodings: each is undone; cut it is a failure; a bomb costs no
// more than max_body.
func TestContentEncodings(t *testing.T) {
	small, bombs := compress(t, []byte(`{"a": 1}`)), compress(t, bytes.Repeat([]byte(" "), 16<<20))
	var coding string
	var body []byte
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", coding)
		w.Write(body)
	})
	c := client(t)
	s := source(t, c, poller.RequestSettings{URL: server.URL, MaxBody: 1 << 20}, poller.ResponseSettings{OK: `headers["content-encoding"] == ""`})
	for _, coding = range slices.Sorted(maps.Keys(small)) {
		t.Run(coding, func(t *testing.T) {
			body = small[coding]
			if a, err := s.Ask(t.Context(), poller.Bookmarks{}); err != nil || string(a.Pages[0]) != `{"a": 1}` {
				t.Errorf("got %+v, %v", a, err)
			}
			body = small[coding][:len(small[coding])-1]
			failure(t, s, poller.ClassNetwork, "cut in the middle")
			body = bombs[coding]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			failure(t, s, poller.ClassTooLarge, "over 1048576 bytes")
			runtime.ReadMemStats(&after)
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 24 {
				t.Errorf("a bomb of %d bytes makes %d MiB", len(body), mib)
			}
		})
	}
}

// TestTokenIsDecompressed: a login may be answered in a coding, too.
func TestTokenIsDecompressed(t *testing.T) {
	a := newAccount(t)
	a.refuse = func(w http.ResponseWriter) bool {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, zip(t, `{"d": {"session": "granted-token-1"}}`))
		a.now = "granted-token-1"
		return true
	}
	l := credential.LoginSettings{Token: "d.session", Request: credential.LoginRequestSettings{URL: a.URL + "/login"}}
	s := source(t, clientWith(t, credential.Settings{Login: &l}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
	if _, err := s.Ask(t.Context(), poller.Bookmarks{}); err != nil {
		t.Error(err)
	}
}

// TestEndlessCompression: what is compressed may be endless and hold nothing.
func TestEndlessCompression(t *testing.T) {
	empty := []byte(zip(t, ""))
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for r.Context().Err() == nil {
			if _, err := w.Write(empty); err != nil {
				return
			}
		}
	})
	failure(t, source(t, client(t), poller.RequestSettings{URL: server.URL, MaxBody: 100_000}, poller.ResponseSettings{}),
		poller.ClassTooLarge, "over 100000 bytes")
}

// TestCheckFormats wants the faults of settings that say how bodies are read.
func TestCheckFormats(t *testing.T) {
	for _, c := range []struct {
		resp poller.ResponseSettings
		want []string
	}{
		{poller.ResponseSettings{Charset: "utf-9"}, []string{`charset: "utf-9" is not a charset`}},
		{poller.ResponseSettings{Format: "json", XML: poller.XMLSettings{Lists: []string{"a.b"}}, CSV: poller.CSVSettings{Comment: "#"}},
			[]string{"xml: has no part in format: json", "csv: has no part in format: json"}},
		{poller.ResponseSettings{HTML: poller.HTMLSettings{Fields: map[string]string{"a": "b"}}}, []string{"html: has no part in format: auto"}},
		{poller.ResponseSettings{XML: poller.XMLSettings{Lists: []string{"a.b", "a", "a.@b"}, Namespaces: map[string]string{"a": "", "b": "urn:b", "c": "urn:b", "d:": "urn:d"}}},
			[]string{`xml.lists.1: "a" is a root`, `xml.lists.2: "a.@b" is not a path`, "xml.namespaces.a: the URI", "xml.namespaces.c: the namespace of b", `xml.namespaces.d:: "d:" is not a prefix`}},
		{poller.ResponseSettings{Format: "csv", CSV: poller.CSVSettings{Delimiter: ";;", Comment: ",", Header: []string{"a", "a"}}},
			[]string{"csv.delimiter: one character", `csv.comment: "," parts the fields`, `csv.header: two columns are called "a"`}},
		{poller.ResponseSettings{Format: "html", HTML: poller.HTMLSettings{Empty: "p"}}, []string{"html.empty: says when", "html.fields: format: html needs"}},
		{poller.ResponseSettings{Format: "html", HTML: poller.HTMLSettings{Rows: "td[", Fields: map[string]string{"a": "", "b": "a:foo@x", "c": "."}}},
			[]string{`html.rows: "td[" is not a CSS`, "html.fields.a: no selector", `html.fields.b: "a:foo" is not a CSS`}},
	} {
		r := fault.New()
		c.resp.Check(r)
		got := r.All()
		for i, want := range c.want {
			if i >= len(got) || !strings.HasPrefix(strings.Join(got[i].Path, ".")+": "+got[i].Text, want) {
				t.Errorf("fault %d of %+v: want %q among %q", i, c.resp, want, fmt.Sprint(got))
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%+v: %d faults, want %d: %q", c.resp, len(got), len(c.want), fmt.Sprint(got))
		}
	}
}
