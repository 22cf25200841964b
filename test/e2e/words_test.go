package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// TestRefusalsSayWhatIsWrong: what a daemon does not have, or does not take, is
// told once and by name, by the commands and by the API alike.
func TestRefusalsSayWhatIsWrong(t *testing.T) {
	api := loopback.NewServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"list":[{"id":"a","url":"https://x.example/?a=1&b=<2>"}]}`)
	})
	defer api.Close()
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", `
store: state.db
server: {listen: "127.0.0.1:0"}
sources:
  plain: {schedule: "@every 1s", request: {url: "`+api.URL+`"}, response: {items: list, id: id}}
  off: {schedule: "@every 1h", disabled: true, request: {url: "`+api.URL+`/{{ key }}"}, watch: {api: true}}
  fixed: {schedule: "@every 1h", request: {url: "`+api.URL+`/{{ key }}"}, watch: {keys: [k]}}
  watched: {schedule: "@every 1h", request: {url: "`+api.URL+`/{{ key }}"}, watch: {keys: [k], api: true}, response: {items: list, id: id}}
endpoints: {}
`)
	d := start(t, binary(t), dir, "run")
	eventually(t, "an item", func(int) bool { return strings.Contains(firstItem(t, d), `"a"`) }, 0)

	if text := firstItem(t, d); !strings.Contains(text, "?a=1&b=<2>") {
		t.Errorf("the API gives %s", text)
	}
	for _, form := range []string{"table", "json"} {
		if status, out, stderr := deltahook(t, dir, "items", "plain", "-o", form); status != 0 || !strings.Contains(out, "?a=1&b=<2>") {
			t.Errorf("items -o %s: %d\n%s%s", form, status, out, stderr)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"items plain zz", `source plain has no item "zz"`},
		{"items watched zz --watch k", `watch key "k" of source watched has no item "zz"`},
		{"items plain --cursor zzz", `cursor is "zzz": expected the next of a page of this list`},
		{"watch ls nobody", `no source is called "nobody"`},
		{"watch ls off", "source off: the source is disabled in the configuration"},
		{"watch ls plain", "source plain: it has no watch keys"},
		{"watch add fixed x", "source fixed: it takes no watch keys over the API: it has no watch.api"},
		{"watch add plain x", "source plain: it has no watch keys"},
		{"watch add watched ''", `"": source watched: not a watch key: an empty key`},
		{"watch add watched _", `" ": source watched: not a watch key: a key with space around it: " "`},
	} {
		args := strings.Fields(c.args)
		for i, arg := range args {
			args[i] = strings.NewReplacer("_", " ", "''", "").Replace(arg)
		}
		status, _, stderr := deltahook(t, dir, args...)
		if status == 0 || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "no such item") || strings.Contains(stderr, " not found") {
			t.Errorf("%s: %d, %s want %s", c.args, status, stderr, c.want)
		}
	}
	for path, want := range map[string]string{
		"/sources/plain/items?key=zz":        "source plain has no item &#34;zz&#34;",
		"/api/v1/sources/plain/items/zz":     `source plain has no item \"zz\"`,
		"/api/v1/sources/nobody/watches":     `no source is called \"nobody\"`,
		"/api/v1/sources/off/watches":        "source off: the source is disabled in the configuration",
		"/api/v1/sources/plain/watches":      "source plain: it has no watch keys",
		"/api/v1/sources/watched/watches/zz": "source watched: it has no such watch key",
	} {
		status, body := d.get(t, path)
		if status != http.StatusNotFound || !strings.Contains(body, want) || strings.Contains(body, "no such item") {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	d.stop(t)
}

// firstItem is what the API says of the item a of plain; "" until there is one.
func firstItem(t *testing.T, d *process) string {
	t.Helper()
	status, body := d.get(t, "/api/v1/sources/plain/items/a")
	if status == http.StatusNotFound || status >= 500 {
		return ""
	}
	return body
}
