package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// TestBombs: answers of a few megabytes that are made to be gigabytes cost
// failed polls, and no more memory than what max_body allows.
func TestBombs(t *testing.T) {
	t.Parallel()
	member := squeeze(make([]byte, 10<<20)) // 10 MiB in 10 KB
	zeros := bytes.Repeat(member, 1000)     // 10 GB in 10 MB
	marked := strings.Repeat("<div><b>", 200) + strings.Repeat("</div>", 200) + strings.Repeat("<p>x", 1_000_000)
	var attributes strings.Builder
	for i := range 900 {
		fmt.Fprintf(&attributes, " a%d", i)
	}
	bombs := []struct {
		name, class, content, coding string
		settings                     string
		body                         []byte
	}{
		{"gzip", "too_large", "application/json", "gzip", "{}", zeros},
		{"twice", "too_large", "application/json", "gzip,gzip", "{}", squeeze(zeros)},
		{"br", "too_large", "application/json", "br", "{}", brotliOf(make([]byte, 64<<20))},
		{"laughs", "format", "application/xml", "", "{}", []byte(laughs)},
		{"nested", "format", "application/xml", "", "{}", []byte(strings.Repeat("<a>", 1_000_000))},
		{"lists", "format", "application/json", "", "{}", []byte(strings.Repeat("[", 5_000_000))},
		{"columns", "too_large", "text/csv", "", "{}", []byte(strings.Repeat("x", 4_000_000) + "\n" + strings.Repeat("1\n", 2_000_000))},
		{"page", "format", "text/html", "", "{format: html, html: {rows: p, fields: {a: .}}}", []byte(marked)},
		{"attributes", "format", "text/html", "", "{format: html, html: {rows: p, fields: {a: .}}}", []byte("<p><b" + attributes.String() + ">x</p>" + strings.Repeat("<p>x", 1_000_000))},
		// Its HTML is nobody's concern, so it fails for another reason.
		{"feed", "require", "application/rss+xml", "", "{require: [nothing]}", []byte("<rss><channel><item><description><![CDATA[" + marked + "]]></description></item></channel></rss>")},
	}
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		for _, b := range bombs {
			if r.URL.Path == "/"+b.name {
				w.Header().Set("Content-Type", b.content)
				if b.coding != "" {
					w.Header().Set("Content-Encoding", b.coding)
				}
				_, _ = w.Write(b.body) // the poller goes when it has enough
			}
		}
	})
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	var sources strings.Builder
	for _, b := range bombs {
		fmt.Fprintf(&sources, `
  %s:
    schedule: "@every 1s"
    request: {url: "%s/%s", timeout: 60s}
    response: %s`, b.name, server.URL, b.name, b.settings)
	}
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, sources.String()))
	d := start(t, plainBinary(t), dir, "run")
	for _, b := range bombs {
		d.says(t, d.stderr, `msg="poll failed" source=`+b.name+` err="?`+b.class)
	}
	if n := d.metric(t, "deltahook_polls_total", `result="ok"`); n != 0 {
		t.Errorf("%v of them were taken for answers", n)
	}
	if peak := peakMemory(t, d); peak > 400<<20 { // ten answers of up to 10 MiB at once
		t.Errorf("it took %d MiB of memory, want at most 400", peak>>20)
	}
	d.stop(t)
}
