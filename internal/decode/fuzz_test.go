package decode_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/deltahook/deltahook/internal/decode"
)

// fuzz reads bodies and wants JSON within the limit, the same each time, or an
// error.
func fuzz(f *testing.F, format decode.Format, seeds ...string) {
	f.Helper()
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) || len(body) > 64<<10 {
			t.Skip("a decoder gets UTF-8, of a bounded size")
		}
		const limit = 256 << 10
		given := bytes.Clone(body)
		out, err := format.JSON(body, limit)
		if !bytes.Equal(given, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if out != nil {
				t.Fatalf("an error and JSON: %v, %s", err, out)
			}
			return
		}
		if len(out) > limit+1 {
			t.Fatalf("%d bytes", len(out))
		}
		if !json.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("not JSON: %q", out)
		}
		if twice, err := format.JSON(body, limit); err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%s, then %s, %v", out, twice, err)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	fuzz(f, decode.NDJSON{}, "{\"a\":1}\n[2]\n", "1],[2\n", "\n\n", "{\"a\":")
}

func FuzzText(f *testing.F) { fuzz(f, decode.Text{}, "a\r\nb\n", "\x00\"\\") }

func FuzzCSV(f *testing.F) {
	fuzz(f, decode.CSV{}, "id,name\n1,\"a\n\"\"b\"\"\"\n", "a;b\n", "a,a\n", "\"", ",\n,\n")
}

func FuzzXML(f *testing.F) {
	fuzz(f, xmlWith(f, []string{"r.a", "r.b.c"}, map[string]string{"m": "urn:m"}),
		`<r xmlns:m="urn:m"><a i="1">x<b/>y</a><a/><b><c/></b><m:a><![CDATA[<]]></m:a></r>`,
		`<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>`, `<r><a></r></a>`, `<r a="1" a="2"/>`, `<r/><!-- x -->`)
}

func FuzzHTML(f *testing.F) {
	fuzz(f, htmlWith(f, "tr, li", "p.none", "a", "td:nth-child(2)", "b", "a@href", "c", "."),
		"<table><tr><td>1<td><a href=x>2</a></table>", "<li>1<li>2", "<p class=none>", "<b><table><td></b><p>x")
}

func FuzzFeed(f *testing.F) {
	fuzz(f, decode.Feed{},
		`<rss version="2.0"><channel><title>T</title><item><guid>1</guid><pubDate>Wed, 15 Jul 2026 10:00:00 GMT</pubDate><description><![CDATA[<b>x</b>]]></description></item></channel></rss>`,
		`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://x.example/"><entry><id>1</id><content type="xhtml"><div><a href="y"/></div></content></entry></feed>`,
		`{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","content_html":"<p>"}]}`,
		`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><item><title>&nbsp;</title></item></rdf:RDF>`)
}

// FuzzWire undoes codings and charsets of what may be anything.
func FuzzWire(f *testing.F) {
	f.Add("gzip", "text/csv; charset=latin1", []byte(code(f, "gzip", "a\xe9")))
	f.Add("br, deflate", "", []byte(code(f, "deflate", code(f, "br", "a"))))
	f.Add("zstd", "text/xml", []byte(code(f, "zstd", "<?xml version='1.0' encoding='euc-jp'?>")))
	f.Add("", "", []byte("\xfe\xff\xd8\x00"))
	f.Fuzz(func(t *testing.T, codings, contentType string, body []byte) {
		var inflater decode.Inflater
		text, err := undo(&inflater, string(body), codings, 64<<10)
		if err != nil || len(text) > 64<<10 {
			return
		}
		for where := decode.InHeader; where <= decode.InJSON; where++ {
			got, marked, err := decode.Unmark([]byte(text))
			if err == nil && !marked {
				got, err = decode.UTF8(got, "", contentType, where)
			}
			if err == nil && (!utf8.Valid(got) || len(got) > 3*len(text)+3) {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
