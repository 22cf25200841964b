package decode_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/decode"
)

const plenty = 1 << 20

func xmlWith(t testing.TB, lists []string, namespaces map[string]string) *decode.XML {
	t.Helper()
	var paths [][]string
	for _, l := range lists {
		path, err := decode.XMLPath(l)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return decode.NewXML(paths, namespaces)
}

func htmlWith(t testing.TB, rows, empty string, fields ...string) *decode.HTML {
	t.Helper()
	h := &decode.HTML{}
	var err error
	if rows != "" {
		if h.Rows, err = decode.ParseSelector(rows); err != nil {
			t.Fatal(err)
		}
	}
	if empty != "" {
		if h.Empty, err = decode.ParseSelector(empty); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(fields); i += 2 {
		s, err := decode.ParseField(fields[i+1])
		if err != nil {
			t.Fatal(err)
		}
		h.Fields = append(h.Fields, decode.Field{Name: fields[i], From: s})
	}
	return h
}

// TestFormats compares what bodies become. A want that does not start with
// "{" or "[" is part of an error.
func TestFormats(t *testing.T) {
	plain := xmlWith(t, nil, nil)
	lists := xmlWith(t, []string{"r.a", "r.b.c", `r.d\.e`}, map[string]string{"m": "urn:media"})
	table := htmlWith(t, "tr.row", "p.none", "name", "td:nth-child(1)", "href", "a@href", "id", "@data-id", "all", ".")
	page := htmlWith(t, "", "", "title", "h1", "lang", "html@lang")
	for _, c := range []struct {
		name   string
		format decode.Format
		body   string
		want   string
	}{
		{"lines", decode.NDJSON{}, "{\"a\": 9007199254740993}\r\n\n [1.10] \n2", `[{"a": 9007199254740993},[1.10],2]`},
		{"one line", decode.NDJSON{}, "null\n", `[null]`},
		{"no lines", decode.NDJSON{}, "\n\n", `[]`},
		{"a line that is cut", decode.NDJSON{}, "{}\n{\"a\":", "line 2 is not JSON"},
		{"a line that would make two", decode.NDJSON{}, "1,2", "line 1 is not JSON"},
		{"lines that would close the list", decode.NDJSON{}, "1],[2", "line 1 is not JSON"},

		{"text", decode.Text{}, "a\r\nb\n\n\"c\"\x01", `{"text":"a\r\nb\n\n\"c\"\u0001","lines":["a","b","","\"c\"\u0001"]}`},
		{"a last line that ends", decode.Text{}, "a\n", `{"text":"a\n","lines":["a"]}`},

		{"csv", decode.CSV{}, "id,name\n1,a\n2,\"b\n\"\"c\"\"\"\n", `[{"id":"1","name":"a"},{"id":"2","name":"b\n\"c\""}]`},
		{"csv without rows", decode.CSV{}, "id,name\n", `[]`},
		{"csv of CRLF", decode.CSV{}, "id,name\r\n1,a\r\n", `[{"id":"1","name":"a"}]`},
		{"csv with semicolons", decode.CSV{Delimiter: ';', Comment: '#'}, "# made today\nid; \n1;2,5\n#end", `[{"id":"1","2":"2,5"}]`},
		{"csv without a line of names", decode.CSV{Delimiter: '\t', Names: []string{"a", "b"}}, "1\t2\n", `[{"a":"1","b":"2"}]`},
		{"csv, ragged", decode.CSV{}, "id,name\n1,a\n\n2\n", "line 4 has 1 fields, and there are 2 columns"},
		{"csv, a name twice", decode.CSV{}, "id, id\n", `two columns are called "id"`},
		{"csv, a quote that stays open", decode.CSV{}, "id\n\"1\n2\n", "line 3"},
		{"csv without a column that is needed", decode.CSV{Needed: []string{"id"}}, "Service unavailable, try later\n", `there is no column "id"`},
		{"csv with a column that is needed", decode.CSV{Needed: []string{"b"}, Names: []string{"a", "b"}}, "1,2\n", `[{"a":"1","b":"2"}]`},
		{"csv, a long name twice", decode.CSV{}, strings.Repeat("x", 201) + "," + strings.Repeat("x", 201), "two columns are called a name of 201 bytes"},
		{"csv of blank lines", decode.CSV{}, "\n\n", "no line of names"},

		{"a text", plain, "<?xml version='1.0' encoding='latin1'?>\n<r>\n x &lt;&#65; <![CDATA[<&]]>\n</r><!-- end -->\n", `{"r":"x <A <&"}`},
		{"an empty element", plain, "<r/>", `{"r":""}`},
		{"attributes", plain, `<r a="1" xml:lang="en" xmlns:x="urn:x" x:a="2" x:b="3">t</r>`, `{"r":{"@a":"1","@a+":["2"],"@lang":"en","@b":"3","#text":"t"}}`},
		{"an attribute's namespace does not decide", plain, `<r x:a="2" a="1" xmlns:x="urn:x"/>`, `{"r":{"@a":"1","@a+":["2"]}}`},
		{"one child", plain, `<r><a i="1"/><b/></r>`, `{"r":{"a":{"@i":"1"},"b":""}}`},
		{"two children", plain, `<r><a i="1"/><b/><a i="2"/><a i="3"/></r>`, `{"r":{"a":{"@i":"1"},"a+":[{"@i":"2"},{"@i":"3"}],"b":""}}`},
		{"mixed", plain, `<r>one <b>two</b> three</r>`, `{"r":{"b":"two","#text":"one  three"}}`},
		{"namespaces", plain, `<g:r xmlns:g="urn:g" xmlns="urn:d"><a/><g:a/></g:r>`, `{"r":{"a":"","a+":[""]}}`},
		{"a prefix that is chosen", lists, `<r xmlns:q="urn:media" q:u="1"><q:a>x</q:a><a>y</a></r>`, `{"r":{"@m:u":"1","m:a":"x","a":["y"],"d.e":[]}}`},
		{"lists of none", lists, `<r/>`, `{"r":{"a":[],"d.e":[]}}`},
		{"lists of one", lists, `<r><a>1</a><b><c/></b><d.e/></r>`, `{"r":{"a":["1"],"b":{"c":[""]},"d.e":[""]}}`},
		{"lists of two", lists, `<r><a>1</a><a k="v"/><b/><b><c/><c/></b></r>`, `{"r":{"a":["1",{"@k":"v"}],"b":{"c":[]},"b+":[{"c":["",""]}],"d.e":[]}}`},
		{"another root", lists, `<Error><a/></Error>`, `{"Error":{"a":""}}`},
		{"xml that is cut", plain, `<r><a>1</a>`, "unexpected EOF"},
		{"xml that is cut in a tag", plain, `<r><a`, "unexpected EOF"},
		{"tags that cross", plain, `<r><a></r></a>`, "closed by </r>"},
		{"two roots", plain, `<r/><r/>`, "after the end of the root"},
		{"text after the root", plain, `<r/>x`, "outside of the root"},
		{"nothing but a comment", plain, `<!-- -->`, "no element"},
		{"an attribute twice", plain, `<r a="1" a="1"/>`, "twice"},
		{"a DTD", plain, `<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>`, "document type declaration"},
		{"a declaration inside", plain, `<r><!ENTITY a "b"></r>`, "a declaration within"},
		{"an entity of nobody", plain, `<r>&a;</r>`, "invalid character entity"},
		{"too deep", plain, strings.Repeat("<a>", 257), "nested deeper than 256"},

		{"rows", table, `<table><tr class=row data-id=7><td> One <b>and</b><br>two<td><a href="/x">x</a><tr class=row data-id=8><td>Three</table>`,
			`[{"name":"One and two","href":"/x","id":"7","all":"One and two x"},{"name":"Three","id":"8","all":"Three"}]`},
		{"no rows", table, `<p>Log in</p>`, "nothing is at html.rows"},
		{"truly no rows", table, `<p class=none>No incidents</p>`, `[]`},
		{"a page", page, `<html lang=en><h1>Up<script>1</script></h1>`, `{"title":"Up","lang":"en"}`},
		{"another page", page, `<p>Log in</p>`, "none of html.fields"},
		{"a page too deep", page, strings.Repeat("<div>", 600), "512"},

		{"rss", decode.Feed{}, `<?xml version="1.0" encoding="ISO-8859-1"?><rss version="2.0"><channel><title>T é</title><link>https://x.example</link><lastBuildDate>Wed, 15 Jul 2026 10:00:10 +0200</lastBuildDate>
<item><title>A &amp; B</title><guid isPermaLink="false">inc-1</guid><pubDate>Wed, 15 Jul 2026 10:00:00 GMT</pubDate><description><![CDATA[<b>x</b>]]></description><category>c</category><author>me@x.example (Me)</author></item>
<item><link>https://x.example/2</link><pubDate>soon</pubDate></item></channel></rss>`,
			`{"title":"T é","link":"https://x.example","updated":"2026-07-15T08:00:10Z","items":[{"id":"inc-1","title":"A & B","published":"2026-07-15T10:00:00Z","summary":"<b>x</b>","authors":["Me"],"categories":["c"]},{"id":"https://x.example/2","link":"https://x.example/2","published":"soon"}]}`},
		{"atom", decode.Feed{}, `<feed xmlns="http://www.w3.org/2005/Atom"><title>R</title><updated>2026-07-15T10:00:00Z</updated><entry><id>tag:1</id><title>v1</title><link rel="alternate" href="https://x.example/1"/><updated>2026-07-15T10:00:00Z</updated><content type="html">&lt;p&gt;1&lt;/p&gt;</content></entry></feed>`,
			`{"title":"R","updated":"2026-07-15T10:00:00Z","items":[{"id":"tag:1","title":"v1","link":"https://x.example/1","published":"2026-07-15T10:00:00Z","updated":"2026-07-15T10:00:00Z","content":"<p>1</p>"}]}`},
		{"json feed", decode.Feed{}, `{"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [{"id": "1", "url": "https://x.example/1", "content_text": "c", "date_published": "2026-07-15T12:00:00+02:00"}]}`,
			`{"title":"J","items":[{"id":"1","link":"https://x.example/1","published":"2026-07-15T10:00:00Z","content":"c"}]}`},
		{"a feed without items", decode.Feed{}, `<rss version="2.0"><channel><title>T</title></channel></rss>`, `{"title":"T","items":[]}`},
		{"a feed that is cut", decode.Feed{}, `<rss version="2.0"><channel><item><title>T</title></item>`, "unexpected EOF"},
		{"a feed with a DTD", decode.Feed{}, `<!DOCTYPE rss [<!ENTITY a "b">]><rss version="2.0"><channel/></rss>`, "document type declaration"},
		{"no feed", decode.Feed{}, `<html></html>`, "not a feed"},
		{"atom of HTML", decode.Feed{}, `<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://x.example/"><entry><title type="html">1 &amp;lt; 2</title><link type="text/html" href="y"/><summary type='HTML'><![CDATA[<a href="y">y</a>]]></summary><content type="html"><![CDATA[<p>]]>&lt;b></content></entry></feed>`,
			`{"items":[{"id":"https://x.example/y","title":"1 &lt; 2","link":"https://x.example/y","summary":"<a href=\"y\">y</a>","content":"<p><b>"}]}`},
		{"atom of XHTML", decode.Feed{}, `<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>1</a:id><a:summary type="xhtml"><b>x</b><div>y</div></a:summary><a:content type="xhtml" xmlns:h="http://www.w3.org/1999/xhtml">
			<h:div>5 &lt; <h:b>6</h:b></h:div></a:content></a:entry></a:feed>`,
			`{"items":[{"id":"1","summary":"<b>x</b><div>y</div>","content":"5 &lt; <h:b>6</h:b>"}]}`},
		{"rss 1.0", decode.Feed{}, `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>T</title></channel><item><title>1</title><link>https://x.example/1</link></item></rdf:RDF>`,
			`{"title":"T","items":[{"id":"https://x.example/1","title":"1","link":"https://x.example/1"}]}`},
		{"a feed of nobody", decode.Feed{}, `<feed><product/></feed>`, `not a feed: its root is "feed"`},
		{"an error in place of a feed", decode.Feed{}, `<error>down</error>`, `not a feed: its root is "error"`},
		{"rss without a channel", decode.Feed{}, `<rss version="2.0"><error/></rss>`, "it has no channel"},
		{"two feeds", decode.Feed{}, `<rss><channel/></rss><rss><channel/></rss>`, "after the end of the root"},
		{"JSON that is no feed", decode.Feed{}, `{"message": "down"}`, "not a JSON Feed"},
		{"a JSON Feed without items", decode.Feed{}, `{"version": "https://jsonfeed.org/version/1"}`, "not a JSON Feed"},
		{"a JSON Feed whose items are none", decode.Feed{}, `{"version": "https://jsonfeed.org/version/1", "items": {}}`, "not a JSON Feed"},
		{"a JSON Feed of null", decode.Feed{}, `{"version": "https://jsonfeed.org/version/1", "items": null}`, "not a JSON Feed"},
		{"no feed of JSON", decode.Feed{}, `{"a": 1,}`, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.format.JSON([]byte(c.body), plenty)
			if !strings.HasPrefix(c.want, "{") && !strings.HasPrefix(c.want, "[") {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %s, %v, want an error with %q", got, err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(got) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

// TestLimit: what is made of a body ends at the limit, however small the body.
func TestLimit(t *testing.T) {
	for name, c := range map[string]struct {
		format decode.Format
		body   string
	}{
		"ndjson":          {decode.NDJSON{}, strings.Repeat("1\n", 1000)},
		"text":            {decode.Text{}, strings.Repeat("1\n", 1000)},
		"csv":             {decode.CSV{}, strings.Repeat("x", 900) + "\n1\n2\n"},
		"xml":             {xmlWith(t, nil, nil), "<r>" + strings.Repeat("<a/>", 1000) + "</r>"},
		"xml, many names": {xmlWith(t, nil, nil), "<r>" + strings.Repeat("<a><b/></a>", 200) + "</r>"},
		"html":            {htmlWith(t, "li", "", "a", "."), strings.Repeat("<li>x", 1000)},
		"feed":            {decode.Feed{}, "<rss><channel>" + strings.Repeat("<item><guid>1</guid></item>", 1000) + "</channel></rss>"},
	} {
		if got, err := c.format.JSON([]byte(c.body), 1000); !errors.Is(err, decode.ErrTooLarge) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	var columns, elements strings.Builder
	for i := range decode.MaxNames + 1 {
		name := "n" + strings.Repeat("x", i%10) + string(rune('a'+i/10%26)) + string(rune('a'+i/260%26)) + string(rune('a'+i/6760%26))
		columns.WriteString(name + ",")
		elements.WriteString("<" + name + "/>")
	}
	if _, err := (decode.CSV{}).JSON([]byte(columns.String()), plenty); err == nil || !strings.Contains(err.Error(), "at most 10000") {
		t.Errorf("columns: %v", err)
	}
	if _, err := xmlWith(t, nil, nil).JSON([]byte("<r>"+elements.String()+"</r>"), plenty); err == nil || !strings.Contains(err.Error(), "more than 10000") {
		t.Errorf("elements: %v", err)
	}
}

func TestIsFeed(t *testing.T) {
	for body, want := range map[string]bool{
		`<?xml version="1.0"?><!-- x --><rss version="2.0">`:                                                 true,
		`<feed xmlns="http://www.w3.org/2005/Atom">`:                                                         true,
		`<a:feed xmlns:a="http://www.w3.org/2005/Atom">`:                                                     true,
		`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">`: true,
		`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`:                                  false,
		`<feed>`: false,
		`<r/>`:   false,
		`x`:      false,
	} {
		if got := decode.IsFeed([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

// TestFaults are what is wrong with settings.
func TestFaults(t *testing.T) {
	for name, err := range map[string]error{
		"a path of one name":     second(decode.XMLPath("Cube")),
		"a path of an attribute": second(decode.XMLPath("a.@b")),
		"a path with an end":     second(decode.XMLPath("a..b")),
		"no path":                second(decode.XMLPath("")),
		"no selector":            second(decode.ParseSelector(" ")),
		"a bad selector":         second(decode.ParseSelector("td[")),
		"no field":               second(decode.ParseField("")),
		"a bad field":            second(decode.ParseField("td:nth-child(x)@href")),
		"two characters":         second(decode.Rune(";;")),
		"no character":           second(decode.Rune("")),
		"a quote":                second(decode.Rune(`"`)),
		"a charset":              decode.CheckCharset("utf-9"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := decode.CheckCharset("Shift_JIS"); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
