package decode_test

import (
	"fmt"
	"html"
	"runtime"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/decode"
)

// TestHostile: a body of a megabyte or two that is made to be costly costs no
// more than most megabytes while it is read.
func TestHostile(t *testing.T) {
	const most = 120
	var attributes strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&attributes, ` a%d=""`, i)
	}
	var open strings.Builder
	for i := range 400 {
		fmt.Fprintf(&open, "<div><b a=%d>", i)
	}
	plain, page := xmlWith(t, nil, nil), htmlWith(t, "p", "", "a", ".")
	again := open.String() + strings.Repeat("</div>", 400) + strings.Repeat("<p>x", 250_000)
	for _, c := range []struct {
		name   string
		format decode.Format
		body   string
	}{
		{"elements", plain, "<r>" + strings.Repeat("<a/>", 400_000) + "</r>"},
		{"attributes", plain, "<r" + attributes.String() + "/>"},
		// Each level writes what is within once more, so this is garbage of 128 times the body.
		{"a text at every depth", plain, strings.Repeat("<a>"+strings.Repeat("x", 1000), 250) + strings.Repeat("</a>", 250)},
		{"never closed", plain, strings.Repeat("<a>", 400_000)},
		{"formatting that is opened again", page, again},
		{"attributes that are opened again", page, "<p><b" + attributes.String()[:7_000] + ">x</p>" + strings.Repeat("<p>x", 250_000)},
		{"attributes of one element", page, "<p><b" + attributes.String() + ">x</p>" + strings.Repeat("<p>x", 300)},
		{"attributes that are merged", page, strings.ReplaceAll(attributes.String(), " ", "><body ")},
		{"formatting that is opened again in a cell", page, "<p>" + open.String() + "<table><td>" + strings.Repeat("</b>", 400) + "</table>" + strings.Repeat("<p>x", 250_000)},
		{"attributes that are opened again in Atom", decode.Feed{}, `<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="html">` +
			html.EscapeString("<p><b"+attributes.String()+">x</p>"+strings.Repeat("<p>x", 100_000)) + "</content></entry></feed>"},
		{"formatting that is opened again in a feed", decode.Feed{}, "<rss><channel><item><description><![CDATA[" + again + "]]></description></item></channel></rss>"},
		{"formatting that is opened again in a JSON Feed", decode.Feed{}, `{"version": "https://jsonfeed.org/version/1.1", "items": [{"content_html": "` + strings.ReplaceAll(again, "<", `\u003c`) + `"}]}`},
		{"tags", page, strings.Repeat("<p>", 400_000)},
		{"wide names", decode.CSV{}, strings.Repeat("x", 500_000) + "\n" + strings.Repeat("1\n", 250_000)},
		{"lines", decode.Text{}, strings.Repeat("\n", 1_000_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.body)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			out, err := c.format.JSON(body, 4<<20)
			runtime.ReadMemStats(&after)
			// All that was allocated, which is more than what was held at once.
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > most {
				t.Errorf("%d MiB are allocated for %d KiB; %d bytes of JSON, %v", mib, len(body)>>10, len(out), err)
			} else {
				t.Logf("%d MiB for %d KiB; %d bytes of JSON, %v", mib, len(body)>>10, len(out), err)
			}
		})
	}
}
