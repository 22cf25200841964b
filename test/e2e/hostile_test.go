package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/deltahook/deltahook/test/loopback"
)

const (
	// three is the answer before the storm, threeChanged the one after it.
	three        = `{"items":[{"id":"a","v":1},{"id":"b","v":1},{"id":"c","v":1}]}`
	threeChanged = `{"items":[{"id":"a","v":1},{"id":"b","v":2},{"id":"c","v":1}]}`
)

// misfit is an answer that is none, and the class by which it is counted.
type misfit struct {
	name   string
	class  string
	answer http.HandlerFunc
}

// misfits are made when they are wanted: the bomb takes its time.
func misfits(loop string) []misfit {
	return []misfit{
		{"cut before its length", "network", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + three)},
		{"cut in the middle", "network", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n" + `{"items":[{"id":"a","v":1}`)},
		{"chunks that do not end", "network", raw(chunked("200 OK", three))},
		{"gzip that is cut", "network", zipped(squeeze([]byte(three)), 12)},
		{"gzip that is none", "network", zipped([]byte(three), 0)},
		{"half a document", "format", body([]byte(`{"items":[{"id":"a","v":1},{"id":"b"`))},
		{"two documents", "format", body([]byte(three + three))},
		{"nothing", "format", body(nil)},
		{"blanks", "format", body([]byte(" \r\n\t "))},
		{"no content", "format", raw("HTTP/1.1 204 No Content\r\n\r\n")},
		{"a page to log in at", "format", reply(200, "text/html; charset=utf-8", []byte("<!DOCTYPE html><html><title>Log in</title></html>"))},
		{"a page that says it is JSON", "format", body([]byte("<html>maintenance</html>"))},
		{"plain words", "format", reply(200, "text/plain", []byte("upstream timed out"))},
		{"not UTF-8", "format", body([]byte(`{"items":[{"id":"a","v":"` + "\xff\xfe" + `"}]}`))},
		{"a name twice", "format", body([]byte(`{"items":[],"items":[{"id":"a","v":1}]}`))},
		{"too deep", "format", body([]byte(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)))},
		{"too deep and open", "format", body([]byte(strings.Repeat(`{"items":`, 50_000)))},
		{"over max_body", "too_large", body([]byte(`{"items":[],"pad":"` + strings.Repeat("x", 600<<10) + `"}`))},
		{"over max_body in chunks", "too_large", raw(chunked("200 OK", `{"items":[],"pad":"`+strings.Repeat("x", 600<<10)+`"}`))},
		{"a gzip bomb", "too_large", zipped(squeeze([]byte(`{"items":[],"pad":"`+strings.Repeat("x", 16<<20)+`"}`)), 0)},
		{"a bomb of br", "too_large", coded("br", brotliOf([]byte(`{"items":[],"pad":"`+strings.Repeat("x", 16<<20)+`"}`)))},
		{"a coding of nobody", "format", coded("compress", []byte(three))},
		{"a billion laughs", "format", reply(200, "application/xml", []byte(laughs))},
		{"XML that is cut", "format", reply(200, "application/xml", []byte("<items><item><id>a</id>"))},
		{"XML too deep", "format", reply(200, "text/xml", []byte(strings.Repeat("<a>", 100_000)))},
		{"XML instead", "items", reply(200, "application/xml", []byte("<error>busy</error>"))},
		{"CSV that is ragged", "format", reply(200, "text/csv", []byte("id,v\na,1\nb\n"))},
		{"lines that are cut", "format", reply(200, "application/x-ndjson", []byte(`{"id":"a","v":1}`+"\n"+`{"id":"b`))},
		{"items of another kind", "items", body([]byte(`{"items":{"a":{"id":"a"}}}`))},
		{"items as text", "items", body([]byte(`{"items":"none"}`))},
		{"items null", "items", body([]byte(`{"items":null}`))},
		{"items absent", "items", body([]byte(`{"data":[]}`))},
		{"a list instead", "items", body([]byte(`[]`))},
		{"a number instead", "items", body([]byte(`0`))},
		{"an id twice", "items", body([]byte(`{"items":[{"id":"a","v":1},{"id":"a","v":2}]}`))},
		{"an item without id", "items", body([]byte(`{"items":[{"id":"a","v":9},{"v":1}]}`))},
		{"an id that is a list", "items", body([]byte(`{"items":[{"id":["a"],"v":1}]}`))},
		{"an id that is null", "items", body([]byte(`{"items":[{"id":null,"v":1}]}`))},
		{"an item that is text", "items", body([]byte(`{"items":["a"]}`))},
		{"status 500", "status", reply(500, "application/json", []byte(`{"items":[]}`))},
		{"status 503 with Retry-After", "status", raw("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 12\r\n\r\n" + `{"items":[]}`)},
		{"status 404", "status", reply(404, "application/json", []byte(`{"items":[]}`))},
		{"status 206", "status", reply(206, "application/json", []byte(`{"items":[]}`))},
		{"status 304 that nobody asked for", "status", raw("HTTP/1.1 304 Not Modified\r\n\r\n")},
		{"a connection that is reset", "network", reset},
		{"no HTTP", "network", raw("220 mail.example ESMTP\r\n")},
		{"redirects without end", "redirect", http.RedirectHandler(loop, http.StatusFound).ServeHTTP},
	}
}

// A hostile answer, twice in a row, changes and tells nothing; the next true
// change is told as if it had not been. All sources are played at once.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	hooks, dir := newReceiver(t, nil), t.TempDir()
	hostile := misfits(newLoop(t))
	var sources strings.Builder
	apis := make([]*api, len(hostile))
	for i := range hostile {
		apis[i] = newAPI(t)
		fmt.Fprintf(&sources, `
  h%d:
    schedule: "@every 1s"
    request: {url: "%s/list", timeout: 60s, max_body: 512KiB}
    response: {items: items, id: id}
    changes: {confirm_deletes: 1}`, i, apis[i].URL)
	}
	write(t, dir, "deltahook.yaml", configured(hooks, sources.String()))
	d := start(t, binary(t), dir, "run")

	each := func(answer func(i int) http.HandlerFunc) {
		for i, a := range apis {
			a.play(t, answer(i))
		}
		for _, a := range apis {
			a.settled(t)
		}
	}
	// A connection that was used before could be tried again by itself.
	each(func(int) http.HandlerFunc { return closing(body([]byte(three))) })
	for range 2 {
		each(func(i int) http.HandlerFunc { return closing(hostile[i].answer) })
	}
	if n := d.metric(t, "deltahook_events_total"); n != 0 {
		t.Errorf("%v events are committed after hostile answers, want 0", n)
	}
	each(func(int) http.HandlerFunc { return body([]byte(threeChanged)) })

	got := map[string][]string{}
	for range hostile {
		h := hooks.next(t)
		got[h.Data.Source] = append(got[h.Data.Source], line(t, h))
	}
	log := d.stderr.String()
	for i, h := range hostile {
		name := fmt.Sprintf("h%d", i)
		want := name + `.updated b 1 {"id":"b","v":1} -> {"id":"b","v":2}`
		if lines := got[name]; len(lines) != 1 || lines[0] != want {
			t.Errorf("%s: told %q, want only %q", h.name, lines, want)
		}
		for _, m := range []struct {
			name, label string
			want        float64
		}{
			{"deltahook_polls_total", `result="` + h.class + `"`, 2},
			{"deltahook_polls_total", `result="ok"`, 2},
			{"deltahook_events_total", "", 1},
		} {
			if n := d.metric(t, m.name, `source="`+name+`"`, m.label); n != m.want {
				t.Errorf("%s: %s{%s} is %v, want %v", h.name, m.name, m.label, n, m.want)
			}
		}
		for _, text := range []string{"poll failed", "poll works again"} {
			lines := regexp.MustCompile(`msg="`+text+`" source=`+name+` .*`).FindAllString(log, -1)
			if len(lines) != 1 {
				t.Errorf("%s: %q is logged %d times, want once: %q", h.name, text, len(lines), lines)
			}
		}
	}
}

// A redirect to another host is followed without what is meant for the first.
func TestRedirectLeavesCredentialsBehind(t *testing.T) {
	t.Parallel()
	elsewhere, a, hooks, dir := newAPI(t), newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  list:
    schedule: "@every 1s"
    request: {url: "%s/list", timeout: 60s, headers: {Authorization: Bearer c4edential, X-Api-Key: c4edential, Cookie: a=c4edential}}
    response: {items: items, id: id}
`, strings.Replace(a.URL, "http://", "http://user:c4edential@", 1))))
	d := start(t, binary(t), dir, "run")
	for _, text := range []string{three, threeChanged} {
		a.play(t, http.RedirectHandler(elsewhere.URL+"/moved", http.StatusFound).ServeHTTP)
		elsewhere.play(t, body([]byte(text)))
		for name, values := range elsewhere.last.Header {
			if strings.Contains(strings.Join(values, " "), "c4edential") || name == "Referer" {
				t.Errorf("the other host got %s: %q", name, values)
			}
		}
	}
	if got := a.last.Header.Get("X-Api-Key"); got != "c4edential" {
		t.Errorf("the first host got X-Api-Key %q", got)
	}
	if got, want := line(t, hooks.next(t)), `list.updated b 1 {"id":"b","v":1} -> {"id":"b","v":2}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	d.kill()
}

// raw answers with these bytes and closes the connection.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // a server of HTTP/1.1 can
		}
		_, _ = out.WriteString(text) // the poller may have seen enough
		_ = out.Flush()
		_ = conn.Close()
	}
}

// reset drops the connection without a word.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // as above
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // RST instead of FIN
	_ = conn.Close()
}

// chunked is an answer of one chunk, without the one that ends it.
func chunked(status, text string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", status, len(text), text)
}

func squeeze(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// zipped is an answer that says it is gzip, less the last cut bytes.
func zipped(text []byte, cut int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		body(text[:len(text)-cut])(w, r)
	}
}

// coded is an answer in another coding.
func coded(coding string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		body(text)(w, r)
	}
}

func brotliOf(text []byte) []byte {
	var b bytes.Buffer
	z := brotli.NewWriterLevel(&b, 1)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// laughs would be a gigabyte if its entities were believed.
const laughs = `<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">` +
	`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><items>&c;</items>`

// closing has the connection closed after the answer.
func closing(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		h(w, r)
	}
}

// newLoop is the URL of a page that redirects to itself.
func newLoop(tb testing.TB) string {
	tb.Helper()
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	tb.Cleanup(server.Close)
	return server.URL + "/loop"
}
