package e2e

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPagesFollow: a page is told of each step of a change, from the poll to
// the receiver's answer, and shows it; a hold is released by its form.
func TestPagesFollow(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, heldSource(a.URL)))
	d := start(t, binary(t), dir, "run")
	a.play(t, body(listing(20)))
	a.settled(t)
	shows := func(path string, want ...string) {
		t.Helper()
		status, page := d.get(t, path)
		for _, text := range want {
			if status != http.StatusOK || !strings.Contains(page, text) {
				t.Fatalf("%s has no %q: %d %s", path, text, status, page)
			}
		}
	}
	shows("/", `id="source-s"`, "Nothing has been told yet")
	shows("/sources/s", "@every 1s", `items?key=20"`)
	moves := hears(t, d, "sources/s", "events", "endpoints/hook")

	for range 2 {
		a.play(t, body(listing(2)))
	}
	a.settled(t)
	moves("sources/s")
	shows("/sources/s", "max_deletes", "Release silently")
	resp, err := http.PostForm("http://"+d.Addr(t)+"/sources/s/decide", url.Values{"state": {"released"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.String() != "http://"+d.Addr(t)+"/sources/s?did=released" {
		t.Fatalf("released: %s at %s", resp.Status, resp.Request.URL)
	}
	a.play(t, body(listing(2)))
	for range 18 {
		hooks.next(t)
	}
	moves("events", "endpoints/hook")
	shows("/events", "s.deleted", "hook: ")
	shows("/sources/s/items?key=20", "deleted", "Revision 1")
	shows("/endpoints/hook", "answered 200")
	shows("/config", "&lt;secret&gt;")
	d.stop(t)
}

// hears listens to what a daemon tells its pages; what it gives waits until
// topics were told of.
func hears(t *testing.T, d *process, topics ...string) func(topics ...string) {
	t.Helper()
	query := url.Values{"topic": topics}
	resp, err := http.Get("http://" + d.Addr(t) + "/stream?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("/stream: %s", resp.Status)
	}
	lines, told := bufio.NewScanner(resp.Body), map[string]bool{}
	return func(topics ...string) {
		t.Helper()
		for _, topic := range topics {
			for !told[topic] {
				if !lines.Scan() {
					t.Fatalf("the stream ended before %s moved: %v", topic, lines.Err())
				}
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					for moved := range strings.FieldsSeq(data) {
						told[moved] = true
					}
				}
			}
			delete(told, topic)
		}
	}
}
