package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// office is a web.Daemon.
type office struct{}

func (office) About() web.About {
	return web.About{Version: "v1", Started: shelfTime, Uptime: 1.5, Store: web.Stored{Path: "/d.db", Size: 7}, Reload: &web.Reload{At: shelfTime, Error: "no"}}
}

func (office) Config() web.Config {
	return web.Config{Files: []string{"d.yaml"}, YAML: "a: 1\n", Config: map[string]any{"a": 1}}
}

// whole is a server of everything there is.
func whole() *web.Server {
	k := &keeper{keys: map[string]bool{"k": true}}
	b := &book{}
	return web.New(web.Options{
		Listen: "127.0.0.1:80", Daemon: office{}, Sources: filledShelf(), Watches: k, Holds: &holder{}, Endpoints: &sender{},
		Archive: b, Replays: b, Backups: &copier{data: []byte("store")}, Token: secret.New("t0ken"), Reloader: &reloader{done: web.Reloaded{
			Sources:   web.Reconfigured{Added: []string{"b"}, Removed: []string{"a"}, Changed: []string{}},
			Endpoints: web.Reconfigured{Added: []string{}, Removed: []string{}, Changed: []string{"shop"}},
			Renamed:   map[string]string{"b": "a"}, Warnings: []string{"d.yaml:1:2: x: is odd"},
		}},
	})
}

// call asks a server as somebody on its machine does.
func (v *visitor) call(method, path, body string, header ...string) (*http.Response, []byte) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Authorization", "Bearer t0ken")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp := v.ask(r)
	var out bytes.Buffer
	_, _ = out.ReadFrom(resp.Body) // it is in memory
	return resp, out.Bytes()
}

// description is the OpenAPI document as it is served.
type description struct {
	doc map[string]any
	c   *jsonschema.Compiler
}

func described(t *testing.T, v *visitor) *description {
	t.Helper()
	resp, text := v.call(http.MethodGet, "/api/v1/openapi.json", "")
	if resp.StatusCode != 200 {
		t.Fatalf("openapi.json: %d", resp.StatusCode)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{doc: doc.(map[string]any), c: jsonschema.NewCompiler()}
	closed(d.at("components", "schemas"))
	d.c.AssertFormat()
	if err := d.c.AddResource("openapi.json", d.doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// closed has each object refuse what is not described, so that a field without
// a description is seen here; clients may take in more.
func closed(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, has := v["properties"]; has && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, below := range v {
			closed(below)
		}
	case []any:
		for _, below := range v {
			closed(below)
		}
	}
}

func (d *description) at(path ...string) any {
	var v any = d.doc
	for _, name := range path {
		v = d.followed(v.(map[string]any)[name])
	}
	return v
}

// followed is what a reference is of.
func (d *description) followed(v any) any {
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return v
}

// operations are those of the document: METHOD PATH, and the words of their
// queries.
func (d *description) operations() map[string][]string {
	all := map[string][]string{}
	for path, item := range d.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			var words []string
			parameters, _ := op.(map[string]any)["parameters"].([]any)
			for _, one := range parameters {
				p := d.followed(one).(map[string]any)
				if p["in"] == "query" {
					words = append(words, p["name"].(string))
				}
			}
			all[strings.ToUpper(method)+" "+path] = words
		}
	}
	return all
}

// check holds an answer to what the document says of its operation.
func (d *description) check(operation string, resp *http.Response, body []byte) error {
	method, path, _ := strings.Cut(operation, " ")
	status := strconv.Itoa(resp.StatusCode)
	responses := d.at("paths", path, strings.ToLower(method), "responses").(map[string]any)
	if responses[status] == nil {
		if status = "default"; resp.StatusCode < 400 {
			return fmt.Errorf("status %d is not described", resp.StatusCode)
		}
	}
	answer := d.at("paths", path, strings.ToLower(method), "responses", status).(map[string]any)
	kinds, _ := answer["content"].(map[string]any)
	if len(kinds) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("status %s has a body that is not described: %s", status, body)
		}
		return nil
	}
	kind := resp.Header.Get("Content-Type")
	if kinds[kind] == nil {
		return fmt.Errorf("status %s has the type %q, expected one of %v", status, kind, slices.Collect(maps.Keys(kinds)))
	}
	if kind == "application/octet-stream" {
		return nil // any bytes are
	}
	pointer := "openapi.json#/paths/" + escapePointer(path) + "/" + strings.ToLower(method) + "/responses/" + status
	if ref, ok := responses[status].(map[string]any)["$ref"].(string); ok {
		pointer = "openapi.json" + ref
	}
	schema, err := d.c.Compile(pointer + "/content/" + escapePointer(kind) + "/schema")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w: %s", err, body)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return nil
}

func escapePointer(s string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
}

func TestDocumentHasEveryOperation(t *testing.T) {
	s := whole()
	d := described(t, &visitor{h: s.Admin(), from: "127.0.0.1:9"})
	routes, operations := s.Operations(), d.operations()
	for op, words := range routes {
		described, ok := operations[op]
		if !ok {
			t.Errorf("%s is not in openapi.yaml", op)
			continue
		}
		want, got := slices.Sorted(slices.Values(words)), slices.Sorted(slices.Values(described))
		if !slices.Equal(want, got) {
			t.Errorf("%s: openapi.yaml has the query words %v, the route %v", op, got, want)
		}
	}
	for op := range operations {
		if _, ok := routes[op]; !ok {
			t.Errorf("%s is in openapi.yaml, and there is no such route", op)
		}
	}
}

// TestAnswersAreAsDescribed asks for each operation, and holds what is answered
// to the document.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := whole()
	v := &visitor{h: s.Admin(), from: "127.0.0.1:9"}
	d := described(t, v)
	left := d.operations()
	const src = "/api/v1/sources/{name}"
	long := url.PathEscape(hostile)
	for _, c := range []struct {
		operation, path, body string
		status                int
	}{
		{"GET /api/v1/openapi.json", "/api/v1/openapi.json", "", 200},
		{"GET /api/v1/status", "/api/v1/status", "", 200},
		{"GET /api/v1/config", "/api/v1/config", "", 200},
		{"GET /api/v1/config", "/api/v1/config?a=b", "", 400},
		{"POST /api/v1/reload", "/api/v1/reload", "", 200},
		{"POST /api/v1/reload", "/api/v1/reload?now=true", "", 400},
		{"POST /api/v1/backup", "/api/v1/backup", "", 200},
		{"GET /api/v1/sources", "/api/v1/sources?limit=3", "", 200},
		{"GET /api/v1/sources", "/api/v1/sources?limit=0", "", 400},
		{"GET /api/v1/sources", "/api/v1/sources?state=odd", "", 400},
		{"GET " + src, "/api/v1/sources/s", "", 200},
		{"GET " + src, "/api/v1/sources/none", "", 404},
		{"POST " + src + "/poll", "/api/v1/sources/s/poll", "", 204},
		{"POST " + src + "/release", "/api/v1/sources/s/release?silently=true&watch=a%2Fb", "", 204},
		{"POST " + src + "/release", "/api/v1/sources/x/release", "", 404},
		{"POST " + src + "/discard", "/api/v1/sources/s/discard?watch=a%2Fb", "", 204},
		{"GET " + src + "/items", "/api/v1/sources/s/items?q=x&prefix=y", "", 200},
		{"GET " + src + "/items", "/api/v1/sources/s/items?limit=501", "", 400},
		{"GET " + src + "/items/{key}", "/api/v1/sources/s/items/a%2Fb&c=d", "", 200},
		{"GET " + src + "/items/{key}", "/api/v1/sources/s/items/" + long, "", 200},
		{"GET " + src + "/items/{key}", "/api/v1/sources/s/items/none", "", 404},
		{"GET " + src + "/items/{key}/revisions", "/api/v1/sources/s/items/" + long + "/revisions", "", 200},
		{"GET " + src + "/items/{key}/revisions", "/api/v1/sources/s/items/x/revisions?cursor=x", "", 400},
		{"GET " + src + "/watches", "/api/v1/sources/s/watches", "", 200},
		{"POST " + src + "/watches", "/api/v1/sources/s/watches", `{"add":["n","k"],"remove":["o"]}`, 200},
		{"POST " + src + "/watches", "/api/v1/sources/s/watches", `{"add":["n"],"remove":["n"]}`, 400},
		{"POST " + src + "/watches", "/api/v1/sources/s/watches", `{}`, 400},
		{"POST " + src + "/watches", "/api/v1/sources/x/watches", `{"add":["n"]}`, 404},
		{"GET " + src + "/watches/{key}", "/api/v1/sources/s/watches/k", "", 200},
		{"PUT " + src + "/watches/{key}", "/api/v1/sources/s/watches/new", "", 201},
		{"PUT " + src + "/watches/{key}", "/api/v1/sources/s/watches/k", "", 204},
		{"DELETE " + src + "/watches/{key}", "/api/v1/sources/s/watches/k", "", 204},
		{"GET /api/v1/holds", "/api/v1/holds", "", 200},
		{"GET /api/v1/endpoints", "/api/v1/endpoints", "", 200},
		{"GET /api/v1/endpoints/{name}", "/api/v1/endpoints/e", "", 200},
		{"GET /api/v1/endpoints/{name}", "/api/v1/endpoints/none", "", 404},
		{"POST /api/v1/endpoints/{name}/test", "/api/v1/endpoints/e/test", "", 200},
		{"POST /api/v1/endpoints/{name}/test", "/api/v1/endpoints/none/test", "", 404},
		{"POST /api/v1/endpoints/{name}/pause", "/api/v1/endpoints/e/pause", "", 204},
		{"POST /api/v1/endpoints/{name}/pause", "/api/v1/endpoints/off/pause", "", 409},
		{"POST /api/v1/endpoints/{name}/resume", "/api/v1/endpoints/e/resume", "", 204},
		{"POST /api/v1/endpoints/{name}/drop", "/api/v1/endpoints/e/drop?dry_run=true&before=2026-11-23T10:00:00Z", "", 200},
		{"GET /api/v1/events", "/api/v1/events?source=s&state=dead&since=2026-11-23T10:00:00Z", "", 200},
		{"GET /api/v1/events", "/api/v1/events?cursor=bad", "", 400},
		{"GET /api/v1/events/{id}", "/api/v1/events/evt_1", "", 200},
		{"GET /api/v1/events/{id}", "/api/v1/events/none", "", 404},
		{"GET /api/v1/deliveries", "/api/v1/deliveries?event=evt_1", "", 200},
		{"GET /api/v1/deliveries/{number}", "/api/v1/deliveries/7", "", 200},
		{"GET /api/v1/deliveries/{number}", "/api/v1/deliveries/x", "", 404},
		{"GET /api/v1/deliveries/{number}/attempts", "/api/v1/deliveries/7/attempts", "", 200},
		{"POST /api/v1/replay", "/api/v1/replay", `{"source":"s","state":"any","rate":"5/s"}`, 200},
		{"GET /api/v1/replays/{id}", "/api/v1/replays/1", "", 200},
		{"POST /api/v1/replay", "/api/v1/replay", `{"all":true}`, 202},
		{"POST /api/v1/replay", "/api/v1/replay", `{"all":true,"key":"` + strings.Repeat("k", 70000) + `"}`, 413},
		{"GET /api/v1/replays", "/api/v1/replays", "", 200},
		{"DELETE /api/v1/replays/{id}", "/api/v1/replays/1", "", 200},
	} {
		method, _, _ := strings.Cut(c.operation, " ")
		resp, body := v.call(method, c.path, c.body, "Prefer", "respond-async")
		if resp.StatusCode != c.status {
			t.Errorf("%s %.80s: %d %.300s, want %d", method, c.path, resp.StatusCode, body, c.status)
			continue
		}
		if err := d.check(c.operation, resp, body); err != nil {
			t.Errorf("%s %.80s: %v", method, c.path, err)
		}
		if c.status < 300 {
			delete(left, c.operation)
		}
	}
	if len(left) > 0 {
		t.Errorf("operations that no test asks for: %v", slices.Sorted(maps.Keys(left)))
	}
}

// What is asked for in a body that nobody reads would not be done: each
// operation that the document gives no body refuses one.
func TestBodyThatNobodyReadsIsRefused(t *testing.T) {
	k, b, h, e, r := &keeper{keys: map[string]bool{"k": true}}, &book{}, &holder{}, &sender{}, &reloader{}
	shelf := filledShelf()
	s := web.New(web.Options{
		Listen: "127.0.0.1:80", Daemon: office{}, Sources: shelf, Watches: k, Holds: h, Endpoints: e,
		Archive: b, Replays: b, Backups: &copier{data: []byte("store")}, Token: secret.New("t0ken"), Reloader: r,
	})
	v := &visitor{h: s.Admin(), from: "127.0.0.1:9"}
	d := described(t, v)
	fill := strings.NewReplacer("{name}", "s", "{key}", "k", "{id}", "1", "{number}", "7")
	const body = `{"before":"2020-01-01T00:00:00Z","dry_run":true}`
	for op, words := range d.operations() {
		method, path, _ := strings.Cut(op, " ")
		if _, reads := d.at("paths", path, strings.ToLower(method)).(map[string]any)["requestBody"]; reads {
			continue
		}
		for _, body := range []string{body, "before=2020-01-01", "[]", "null", `{}{"dry_run":true}`} {
			resp, text := v.call(method, fill.Replace(path), body)
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with the body %s: %d %s, want 400", op, body, resp.StatusCode, text)
			} else if err := d.check(op, resp, text); err != nil {
				t.Errorf("%s with the body %s: %v", op, body, err)
			}
		}
		_, text := v.call(method, fill.Replace(path), body)
		for _, want := range append([]string{`\"before\"`}, words...) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %s does not name %s", op, text, want)
			}
		}
		if resp, _ := v.call(method, fill.Replace(path), body+strings.Repeat(" ", 65<<10)); resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with a large body: %d, want 413", op, resp.StatusCode)
		}
	}
	if len(shelf.asked) > 0 || len(k.keys) != 1 || len(e.asked) > 0 || len(h.decided) > 0 {
		t.Errorf("what was refused was done: %q, %v, %q, %q", shelf.asked, k.keys, e.asked, h.decided)
	}
	for _, body := range []string{"{}", " {\n} ", "\n"} {
		if resp, text := v.call(http.MethodPost, "/api/v1/endpoints/e/pause", body); resp.StatusCode != http.StatusNoContent {
			t.Errorf("pause with the body %q: %d %s, want 204", body, resp.StatusCode, text)
		}
	}
}

func TestSourcesComeInPages(t *testing.T) {
	shelf := filledShelf()
	slices.SortFunc(shelf.sources, func(a, b web.SourceState) int { return strings.Compare(a.Name, b.Name) })
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: shelf})
	c, err := web.Connect("http://"+s.Addr(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var names []string
	for cursor, pages := "", 0; ; pages++ {
		page, err := c.Sources(t.Context(), "", cursor, 2)
		if err != nil || pages > 3 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, one := range page.Sources {
			names = append(names, one.Name)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if want := []string{"broken", "empty", "off", "s", "well"}; !slices.Equal(names, want) {
		t.Errorf("page by page %v, want %v", names, want)
	}
	page, err := c.Sources(t.Context(), web.SourceFailing, "", 0)
	if err != nil || len(page.Sources) != 1 || page.Sources[0].Name != "broken" || page.Next != "" {
		t.Errorf("those that fail: %+v, %v", page, err)
	}
	if err := c.Poll(t.Context(), "s", "a/b"); err != nil || !slices.Equal(shelf.asked, []string{"poll s a/b"}) {
		t.Errorf("poll: %v, asked %q", err, shelf.asked)
	}
}

func TestItemsAndRevisions(t *testing.T) {
	shelf := filledShelf()
	shelf.items = append(shelf.items, differ.Item{Key: "..", Revision: 1, Content: json.RawMessage(`{"n":1.10}`)}, differ.Item{Key: "gone", Revision: 3})
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: shelf})
	c, err := web.Connect("http://"+s.Addr(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, want := range shelf.items { // slashes, dots, markup and 4 KB
		got, err := c.Item(t.Context(), "s", "", want.Key)
		if err != nil || got.Key != want.Key || got.Revision != want.Revision || string(got.Content) != string(want.Content) {
			t.Errorf("item %.40q: %+v, %v", want.Key, got, err)
		}
		if got.Gone != (want.Content == nil) {
			t.Errorf("item %.40q: gone is %t", want.Key, got.Gone)
		}
	}
	f := differ.ItemFilter{Prefix: "p", Contains: "c&d", Limit: 7}
	page, err := c.Items(t.Context(), "s", "", f)
	if err != nil || shelf.filter != f {
		t.Errorf("asked for %+v, want %+v (%v)", shelf.filter, f, err)
	}
	f.After = page.Next
	page, err = c.Items(t.Context(), "s", "", f)
	if f.After = hostile; err != nil || shelf.filter != f || page.Next != "" {
		t.Errorf("then asked for %+v, want %+v (%q, %v)", shelf.filter, f, page.Next, err)
	}
	var numbers []uint64
	for cursor, pages := "", 0; ; pages++ {
		page, err := c.Revisions(t.Context(), "s", "", hostile, cursor, 2)
		if err != nil || pages > 3 {
			t.Fatal(err)
		}
		for _, r := range page.Revisions {
			numbers = append(numbers, r.Revision)
			if diff := string(r.Diff); r.Revision == 2 && !strings.Contains(diff, `"value":9007199254740992`) || r.Revision != 2 && diff != "" {
				t.Errorf("revision %d has the diff %s", r.Revision, diff)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(numbers, []uint64{4, 3, 2, 1}) {
		t.Errorf("revisions %v", numbers)
	}
}

// A cursor is of one list and its filter: another one would leave out what
// nobody asked to leave out.
func TestCursorIsOfItsList(t *testing.T) {
	shelf, k := filledShelf(), &keeper{keys: map[string]bool{"a": true, "b": true}}
	v := &visitor{h: web.New(web.Options{Listen: "127.0.0.1:80", Sources: shelf, Watches: k}).Admin(), from: "127.0.0.1:9"}
	long := "/api/v1/sources/s/items/" + url.PathEscape(hostile) + "/revisions"
	lists := [][]string{ // the same list once with each filter it has
		{"/api/v1/sources?limit=1", "/api/v1/sources?limit=1&state=ok"},
		{"/api/v1/sources/s/items?limit=1", "/api/v1/sources/s/items?limit=1&prefix=x", "/api/v1/sources/s/items?limit=1&q=x", "/api/v1/sources/s/items?limit=1&watch=x", "/api/v1/sources/x/items?limit=1"},
		{long + "?limit=1", long + "?limit=1&watch=x"},
		{"/api/v1/sources/s/watches?limit=1", "/api/v1/sources/x/watches?limit=1"},
	}
	for i, list := range lists {
		_, text := v.call(http.MethodGet, list[0], "")
		var page struct{ Next string }
		if err := json.Unmarshal(text, &page); err != nil || page.Next == "" {
			t.Fatalf("%s: %v: %s", list[0], err, text)
		}
		ask := func(path, cursor string, status int) {
			t.Helper()
			if resp, text := v.call(http.MethodGet, path+"&cursor="+url.QueryEscape(cursor), ""); resp.StatusCode != status {
				t.Errorf("%s after %q: %d %.300s, want %d", path, cursor, resp.StatusCode, text, status)
			}
		}
		ask(strings.Replace(list[0], "limit=1", "limit=2", 1), page.Next, http.StatusOK)
		for _, other := range list[1:] {
			ask(other, page.Next, http.StatusBadRequest)
		}
		ask(lists[(i+1)%len(lists)][0], page.Next, http.StatusBadRequest)
		for _, odd := range []string{"zzz", "zzzzzzzz", "s", "2", page.Next[:6], "%%%"} {
			ask(list[0], odd, http.StatusBadRequest)
		}
	}
}

// JSON spells &, < and > as they stand, in contents, in diffs, in payloads that
// are text, and in problems.
func TestAnswersSpellWhatStands(t *testing.T) {
	const odd = `<b>&amp;</b> a=1&b=2`
	shelf := filledShelf()
	shelf.items = []differ.Item{{Key: odd, Revision: 2, Content: json.RawMessage(`"` + odd + `"`)}}
	v := &visitor{h: web.New(web.Options{Listen: "127.0.0.1:80", Sources: shelf, Endpoints: &sender{}, Reloader: &reloader{err: &web.Faulty{Faults: []string{odd}}}}).Admin(), from: "127.0.0.1:9"}
	for _, c := range []struct{ method, path, want string }{
		{http.MethodGet, "/api/v1/sources/s/items", odd},
		{http.MethodGet, "/api/v1/sources/s/items/" + url.PathEscape(odd), odd},
		{http.MethodGet, "/api/v1/sources/s/items/" + url.PathEscape(hostile) + "/revisions", `"value":"<b>DL</b>"`},
		{http.MethodGet, "/api/v1/endpoints/" + url.PathEscape(odd), odd},
		{http.MethodPost, "/api/v1/reload", odd},
	} {
		if _, text := v.call(c.method, c.path, ""); !strings.Contains(string(text), c.want) || bytes.Contains(text, []byte(`\u00`)) {
			t.Errorf("%s %.60s: %.400s, want %s in it", c.method, c.path, text, c.want)
		}
	}
	text, err := emitter.Payload(odd).MarshalJSON()
	var got string
	if err != nil || json.Unmarshal(text, &got) != nil || got != odd || bytes.Contains(text, []byte(`\u00`)) {
		t.Errorf("a payload that is text: %s (%v)", text, err)
	}
}

// The words that the document lists are those that there are.
func TestDocumentKnowsEveryState(t *testing.T) {
	d := described(t, &visitor{h: whole().Admin(), from: "127.0.0.1:9"})
	words := func(schema string) (all []string) {
		for _, word := range d.at("components", "schemas", schema, "enum").([]any) {
			all = append(all, word.(string))
		}
		slices.Sort(all)
		return all
	}
	var states, conditions []string
	for _, s := range emitter.States() {
		states = append(states, string(s))
	}
	for _, c := range []web.Condition{web.SourceDisabled, web.SourceFailing, web.SourceHeld, web.SourceNew, web.SourceOK} {
		conditions = append(conditions, string(c))
	}
	slices.Sort(states)
	if got := words("DeliveryState"); !slices.Equal(got, states) {
		t.Errorf("states of deliveries: %v, want %v", got, states)
	}
	if got := words("SourceCondition"); !slices.Equal(got, conditions) {
		t.Errorf("states of sources: %v, want %v", got, conditions)
	}
}
