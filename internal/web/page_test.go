package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// site is a server with pages of everything there is to show.
type site struct {
	base   string
	shelf  *shelf
	keeper *keeper
	holder *holder
	sender *sender
	book   *book
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{shelf: filledShelf(), keeper: &keeper{}, holder: &holder{}, sender: &sender{}, book: &book{}}
	server, _ := start(t, web.Options{
		Listen: "127.0.0.1:0", Sources: s.shelf, Holds: s.holder, Endpoints: s.sender, Archive: s.book, Replays: s.book,
		Live: new(web.Live),
	})
	s.base = "http://" + server.Addr()
	return s
}

// newFan is a site whose source s has watch keys.
func newFan(t *testing.T, keys ...string) *site {
	t.Helper()
	s := &site{shelf: filledShelf(), keeper: &keeper{keys: map[string]bool{}}}
	for _, key := range keys {
		s.keeper.keys[key] = true
	}
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: s.shelf, Watches: s.keeper})
	s.base = "http://" + server.Addr()
	return s
}

// get gives a page.
func (s *site) get(t *testing.T, path string, status int) nodes {
	t.Helper()
	resp, body := ask(t, http.MethodGet, s.base+path, "")
	if resp.StatusCode != status {
		t.Fatalf("%s: %d %s, want %d", path, resp.StatusCode, body, status)
	}
	return parsed(t, path, resp, body)
}

// parsed reads a page, and checks what holds for every page.
func parsed(t *testing.T, path string, resp *http.Response, body string) nodes {
	t.Helper()
	path = path[:min(len(path), 60)]
	doc := parseHTML(t, body)
	csp := resp.Header.Get("Content-Security-Policy")
	for _, word := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, word) || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q has no %s, or has unsafe", path, csp, word)
		}
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: it may be stored", path)
	}
	doc.find("*").each(func(e nodes) {
		for _, a := range e[0].Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s %s=%q> is against the policy", path, e.name(), a.Key, a.Val)
			}
		}
	})
	doc.find("style, script, iframe, object, base").each(func(e nodes) {
		if src := e.attr("src"); e.name() != "script" || !strings.HasPrefix(src, "/assets/") || e.text() != "" {
			t.Errorf("%s: <%s> %s", path, e.name(), e.text())
		}
	})
	reachable(t, path, doc)
	return doc
}

// reachable checks what somebody needs who does not see the page, or has no
// mouse.
func reachable(t *testing.T, path string, doc nodes) {
	t.Helper()
	ids := map[string]bool{}
	doc.find("[id]").each(func(e nodes) {
		if id := e.attr("id"); id == "" || ids[id] {
			t.Errorf("%s: id %q is empty or stands twice", path, id)
		}
		ids[e.attr("id")] = true
	})
	doc.find("[aria-labelledby]").each(func(e nodes) {
		if !ids[e.attr("aria-labelledby")] {
			t.Errorf("%s: nothing has the id %s", path, e.attr("aria-labelledby"))
		}
	})
	doc.find("input:not([type=hidden]), select").each(func(e nodes) {
		if !e.within("label") && e.attr("aria-label") == "" {
			t.Errorf("%s: <%s name=%s> has no label", path, e.name(), e.attr("name"))
		}
	})
	doc.find("a[href], button").each(func(e nodes) {
		if e.text() == "" {
			t.Errorf("%s: a link or button without a word: %s", path, e.attr("href"))
		}
	})
	if n := len(doc.find("h1")); n != 1 {
		t.Errorf("%s: %d h1, want 1", path, n)
	}
	if len(doc.find("html[lang=en] main#main")) != 1 || len(doc.find("a.skip[href='#main']")) != 1 || doc.find("title").text() == "" {
		t.Errorf("%s: no language, no main, no skip link or no title", path)
	}
	if len(doc.find("a[href^='javascript'], a[href^='data']")) > 0 {
		t.Errorf("%s: a link that runs", path)
	}
}

// itemPath is the page of the item whose name is hostile.
var itemPath = "/sources/s/items?key=" + url.QueryEscape(hostile)

// Each page is whole, shows what an API said as text, and its links lead
// somewhere.
func TestPages(t *testing.T) {
	s := newSite(t)
	seen := map[string]bool{}
	for _, path := range []string{
		"/", "/?state=failing", "/sources/s", "/sources/broken", "/sources/empty", "/sources/off", "/sources/well", itemPath, itemPath + "&before=2",
	} {
		doc := s.get(t, path, http.StatusOK)
		if len(doc.find("script")) != 1 || len(doc.find("img")) != 0 {
			t.Errorf("%s: markup of an API became some of the page", path)
		}
		doc.find("a[href], link[href], script[src]").each(func(e nodes) {
			to, _, _ := strings.Cut(e.attr("href")+e.attr("src"), "#")
			if to == "" || seen[to] {
				return
			}
			seen[to] = true
			if strings.HasPrefix(to, "/sources/s/items?key=a") || strings.HasPrefix(to, "/events") || strings.HasPrefix(to, "/endpoints") || strings.HasPrefix(to, "/dead") {
				return
			}
			if resp, body := ask(t, http.MethodGet, s.base+to, ""); resp.StatusCode != http.StatusOK {
				t.Errorf("%s leads to %s: %d %s", path, to, resp.StatusCode, body)
			}
		})
	}
	if len(seen) < 12 {
		t.Errorf("only %d links: %v", len(seen), seen)
	}
}

func TestOverviewShowsTroubleFirst(t *testing.T) {
	s := newSite(t)
	doc := s.get(t, "/", http.StatusOK)
	var names []string
	doc.find("#sources tbody tr").each(func(e nodes) { names = append(names, strings.TrimPrefix(e.attr("id"), "source-")) })
	if diff := cmp.Diff([]string{"broken", "s", "empty", "well", "off"}, names); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	tiles := doc.find(".tiles").text()
	for _, want := range []string{"5 sources", "1 failing", "1 held", "1 wait for a limit", "7 deliveries wait", "1 dead letter"} {
		if !strings.Contains(tiles, want) {
			t.Errorf("the summary %q has no %q", tiles, want)
		}
	}
	if gist := doc.find("main").attr("data-gist"); !strings.HasPrefix(gist, "1 failing, 1 held, 1 dead letter; last change: t a/b") {
		t.Errorf("gist %q", gist)
	}
	if len(doc.find("#event-evt_1 a[href='/events/evt_1']")) != 1 {
		t.Error("the last change is not shown")
	}
}

// Of many sources a page is shown, and all can be searched.
func TestOverviewOfManySources(t *testing.T) {
	s := newSite(t)
	for i := range 120 {
		s.shelf.sources = append(s.shelf.sources, web.SourceState{Name: "many-" + string(rune('a'+i%26)) + strings.Repeat("x", i), State: web.SourceOK, Host: "https://many.example"})
	}
	for path, want := range map[string]int{
		"/": 50, "/?page=3": 25, "/?page=99": 25, "/?page=-1": 50, "/?page=x": 50,
		"/?q=BROKEN": 1, "/?q=many.example&page=3": 20, "/?state=held": 1, "/?state=bogus": 50, "/?q=nothing": 0,
	} {
		doc := s.get(t, path, http.StatusOK)
		if n := len(doc.find("#sources tbody tr")); n != want {
			t.Errorf("%s: %d rows, want %d", path, n, want)
		}
	}
	doc := s.get(t, "/?q=many&page=2", http.StatusOK)
	if text := doc.find("#sources .pager").text(); !strings.Contains(text, "51 to 100 of 120") {
		t.Errorf("pager %q", text)
	}
	if prev, next := doc.find("[rel=prev]").attr("href"), doc.find("[rel=next]").attr("href"); prev != "/?page=1&q=many#sources" || next != "/?page=3&q=many#sources" {
		t.Errorf("prev %s, next %s", prev, next)
	}
}

func TestSourcePage(t *testing.T) {
	s := newSite(t)
	doc := s.get(t, "/sources/s?q=find&after=k", http.StatusOK)
	if s.shelf.filter.Contains != "find" || s.shelf.filter.After != "k" || s.shelf.filter.Limit != 50 {
		t.Errorf("asked for %+v", s.shelf.filter)
	}
	if n := len(doc.find("#items tbody tr")); n != 2 {
		t.Errorf("%d items, want 2", n)
	}
	charts := doc.find("svg.chart[role=img]")
	if len(charts) != 2 || len(charts.first().find("rect")) != 3 || len(charts.first().find(".bar-bad")) != 1 {
		t.Error("the charts do not show three polls, one of them failed")
	}
	if failed := charts[1:].find(".bar-bad"); len(failed) != 1 || !strings.HasSuffix(failed.text(), "UTC: failed") {
		t.Errorf("the chart of changes has %d polls that failed: %q; want one", len(failed), failed.text())
	}
	if label := charts.first().attr("aria-label"); label != "Latency of the last 3 polls: mean 200 ms, at most 300 ms, 1 failed" {
		t.Errorf("label %q", label)
	}
	if hold := doc.find(".hold").text(); !strings.Contains(hold, "1 of 1,234 remembered items and would tell 1,233 events") {
		t.Errorf("hold %q", hold)
	}
	if badge := doc.find(".hold .badge"); len(badge) != 0 {
		t.Errorf("held since some time, and besides %q", badge.text())
	}
	if title := doc.find("#items tbody a").first().find("bdi").attr("title"); len(title) < 1000 || len(title) > 2100 {
		t.Errorf("a long name has a title of %d bytes", len(title))
	}

	doc = s.get(t, "/sources/broken", http.StatusOK)
	if text := doc.find("#failure").text(); !strings.Contains(text, "last 3 polls failed") || !strings.Contains(text, "look there") {
		t.Errorf("failure %q", text)
	}
	s.get(t, "/sources/none", http.StatusNotFound)
}

func TestEmptyPagesSayWhatIsNext(t *testing.T) {
	s := newSite(t)
	s.shelf.sources, s.shelf.items = nil, nil
	if text := s.get(t, "/", http.StatusOK).find("#sources .empty").text(); !strings.Contains(text, "deltahook init") {
		t.Errorf("no sources: %q", text)
	}
	s = newSite(t)
	s.shelf.sources[2].Baseline = shelfTime
	s.shelf.sources[0].Name = "t"
	if text := s.get(t, "/sources/empty", http.StatusOK).find("#items .empty").text(); !strings.Contains(text, "no items") {
		t.Errorf("no items: %q", text)
	}
	if text := s.get(t, "/sources/off", http.StatusOK).find("#items .empty").text(); !strings.Contains(text, "It is disabled in the configuration; deltahook poll off") || strings.Contains(text, "Poll now") {
		t.Errorf("no answer: %q", text)
	}
	if text := newFan(t).get(t, "/sources/s", http.StatusOK).find("#keys .empty").text(); !strings.Contains(text, "deltahook watch add s KEY") {
		t.Errorf("no keys: %q", text)
	}
}

func TestItemPage(t *testing.T) {
	s := newSite(t)
	doc := s.get(t, itemPath, http.StatusOK)
	var edits []string
	doc.find("#revision-2 .edits li").each(func(e nodes) { edits = append(edits, e.text()) })
	want := []string{`~changed: n 9007199254740993 → 9007199254740992`, `~changed: status "<b>OD</b>" → "<b>DL</b>"`}
	if diff := cmp.Diff(want, edits, cmp.Transformer("sorted", sortedSet)); diff != "" {
		t.Errorf("revision 2 (-want +got):\n%s", diff)
	}
	if n := len(doc.find(".timeline > li")); n != 4 {
		t.Errorf("%d revisions, want 4", n)
	}
	if text := doc.find("#revision-3").text(); !strings.Contains(text, "not kept") {
		t.Errorf("revision 3: %q", text)
	}
	if n := len(s.get(t, itemPath+"&before=3", http.StatusOK).find(".timeline > li")); n != 2 {
		t.Errorf("%d revisions before 3, want 2", n)
	}
	s.shelf.revisions = nil
	for n := range uint64(30) {
		s.shelf.revisions = append(s.shelf.revisions, differ.Revision{Revision: 30 - n, Change: differ.Updated})
	}
	if older := s.get(t, itemPath, http.StatusOK).find("#timeline [rel=next]").attr("href"); !strings.HasSuffix(older, "&before=6") {
		t.Errorf("older changes at %q", older)
	}
	s.get(t, "/sources/s/items?key=none", http.StatusNotFound)
	s.get(t, "/sources/none/items?key=x", http.StatusNotFound)
	s.get(t, "/sources/s/items", http.StatusBadRequest)
	s.get(t, itemPath+"&before=-1", http.StatusBadRequest)
}

func sortedSet(lines []string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines {
		set[line] = true
	}
	return set
}

// submit sends a form as a browser without a script does, and gives where it is
// sent then; "" where it is told on the spot.
func (s *site) submit(t *testing.T, path string, form url.Values) (status int, to string) {
	t.Helper()
	resp, _ := s.submitted(t, path, form)
	return resp.StatusCode, resp.Header.Get("Location")
}

// submitted is the answer to a form, and its page where it is refused.
func (s *site) submitted(t *testing.T, path string, form url.Values) (*http.Response, nodes) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.base)
	resp, body := send(t, req)
	if resp.StatusCode >= 400 {
		return resp, parsed(t, path, resp, body)
	}
	return resp, nil
}

// What can be done is done by plain forms.
func TestPageActions(t *testing.T) {
	s, fan := newSite(t), newFan(t, "k1")
	form := func(words ...string) url.Values {
		v := url.Values{}
		for i := 0; i+1 < len(words); i += 2 {
			v.Set(words[i], words[i+1])
		}
		return v
	}
	for _, tt := range []struct {
		at   *site
		path string
		form url.Values
		want int
		to   string
	}{
		{s, "/sources/s/poll", nil, 303, "/sources/s?did=poll"},
		{s, "/sources/s/poll", form("watch", "a b"), 303, "/sources/s?watch=a+b&did=poll"},
		{s, "/sources/s/decide", form("watch", "a/b", "state", "released"), 303, "/sources/s?did=released"},
		{s, "/sources/s/decide", form("state", "released_silently"), 303, "/sources/s?did=released_silently"},
		{s, "/sources/s/decide", form("state", "discarded"), 303, "/sources/s?did=discarded"},
		{s, "/sources/s/decide", form("state", "held"), 400, ""},
		{s, "/sources/x/decide", form("state", "released"), 404, ""},
		{fan, "/sources/s/watch", form("key", " k2 "), 303, "/sources/s?did=watch"},
		{fan, "/sources/s/unwatch", form("key", "k1"), 303, "/sources/s?did=unwatch"},
		{s, "/sources/s/poll", form("watch", strings.Repeat("x", 100_000)), 400, ""},
	} {
		status, to := tt.at.submit(t, tt.path, tt.form)
		if status != tt.want || to != tt.to {
			t.Errorf("%s %v: %d to %q, want %d to %q", tt.path, tt.form, status, to, tt.want, tt.to)
		}
		if to == "" {
			continue
		}
		if doc := tt.at.get(t, to, http.StatusOK); doc.find("#message p").text() == "" {
			t.Errorf("%s says nothing of what was done", to)
		}
	}
	if diff := cmp.Diff([]string{"poll s ", "poll s a b"}, s.shelf.asked); diff != "" {
		t.Errorf("polled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a/b released", " released_silently", " discarded"}, s.holder.decided); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"k2": true}, fan.keeper.keys); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}

	s.shelf.fail = errors.Join(errors.New("its server wants to be left alone"), web.ErrConflict)
	for path, back := range map[string]url.Values{"/sources/s": nil, "/sources/s?watch=a+b": form("watch", "a b")} {
		resp, page := s.submitted(t, "/sources/s/poll", back)
		if resp.StatusCode != http.StatusConflict {
			t.Errorf("what is not possible: %d, want 409", resp.StatusCode)
		} else if to := page.find("#back").attr("href"); to != path {
			t.Errorf("it leads back to %q, want %s", to, path)
		}
	}
	// A word of the address says what was done, and no other word does.
	if text := s.get(t, "/?did=%3Cb%3Eowned&n=5", http.StatusOK).find("#message").text(); text != "" {
		t.Errorf("a stranger's word: %q", text)
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	s := newSite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/sources/s/poll", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if resp, _ := send(t, req); resp.StatusCode != http.StatusForbidden || len(s.shelf.asked) > 0 {
		t.Errorf("%d, asked %v; want 403 and nothing", resp.StatusCode, s.shelf.asked)
	}
}

func TestWatchKeysOnPages(t *testing.T) {
	s := newFan(t, "k1", hostile)
	doc := s.get(t, "/sources/s", http.StatusOK)
	if len(doc.find("#keys tbody tr")) != 2 || len(doc.find("#items")) != 0 {
		t.Error("want two keys, and items only of one of them")
	}
	if n := len(s.get(t, "/sources/s?w=K1", http.StatusOK).find("#keys tbody tr")); n != 1 {
		t.Errorf("%d keys found, want 1", n)
	}
	if n := len(s.get(t, "/sources/s?watch=k1", http.StatusOK).find("#items tbody tr")); n != 2 {
		t.Errorf("%d items of a key, want 2", n)
	}
}

// An archive that cannot be read does not take the rest of the overview away.
func TestOverviewWithoutEvents(t *testing.T) {
	shelf := filledShelf()
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: shelf, Archive: harmed{}})
	s := &site{base: "http://" + server.Addr()}
	doc := s.get(t, "/", http.StatusOK)
	if !strings.Contains(doc.find("#changes .message").text(), "damaged") || len(doc.find("#sources tbody tr")) != 5 {
		t.Error("want the fault and the sources")
	}
}

// harmed is an archive whose events cannot be read.
type harmed struct{ web.Archive }

func (harmed) Events(context.Context, emitter.Filter, emitter.Page) (emitter.EventPage, error) {
	return emitter.EventPage{}, errors.New("a record is damaged")
}

// An archive looks at so many records, and what is older may be of a source.
func TestNoneOfTheLatestEvents(t *testing.T) {
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Archive: rare{}})
	s := &site{base: "http://" + server.Addr()}
	doc := s.get(t, "/sources/s", http.StatusOK)
	if text := doc.find("#changes .empty").text(); !strings.Contains(text, "None of the latest") || doc.find("#changes a").attr("href") != "/events?source=s" {
		t.Errorf("%q", text)
	}
}

// rare is an archive that found nothing yet.
type rare struct{ web.Archive }

func (rare) Events(context.Context, emitter.Filter, emitter.Page) (emitter.EventPage, error) {
	return emitter.EventPage{Rest: emitter.Rest{Next: "further"}}, nil
}

// A browser that asks for what is not there gets a page, others a problem.
func TestPageThatIsNotThere(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/nothing", "/sources/s/poll"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html,*/*")
		resp, body := send(t, req)
		if doc := parsed(t, path, resp, body); resp.StatusCode != http.StatusNotFound || !strings.Contains(doc.find("main").text(), path+": not found") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,*/*")
	resp, body := send(t, req)
	if text := parsed(t, "/", resp, body).find("main").text(); resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(text, "POST is not possible here: expected GET, HEAD") {
		t.Errorf("POST /: %d %s", resp.StatusCode, text)
	}
	for _, tt := range []struct{ method, path, want string }{
		{http.MethodGet, "/nothing", `{"title":"Not Found","status":404,"detail":"/nothing: not found"}`},
		{http.MethodGet, "/apix", `{"title":"Not Found","status":404,"detail":"/apix: not found"}`},
		{http.MethodPost, "/", `{"title":"Method Not Allowed","status":405,"detail":"POST is not possible here: expected GET, HEAD"}`},
	} {
		resp, body := ask(t, tt.method, s.base+tt.path, "")
		if strings.TrimSpace(body) != tt.want || resp.Header.Get("Content-Type") != "application/problem+json" || (resp.StatusCode == 405) != (resp.Header.Get("Allow") == "GET, HEAD") {
			t.Errorf("%s %s: %d %q, want %s", tt.method, tt.path, resp.StatusCode, body, tt.want)
		}
	}
}

func TestAssets(t *testing.T) {
	s := newSite(t)
	doc := s.get(t, "/", http.StatusOK)
	for _, file := range []string{doc.find("script").attr("src"), doc.find("link[rel=stylesheet]").attr("href"), doc.find("link[rel=icon]").attr("href")} {
		resp, body := ask(t, http.MethodGet, s.base+file, "")
		if resp.StatusCode != http.StatusOK || body == "" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", file, resp.StatusCode, resp.Header)
		}
	}
	if resp, _ := ask(t, http.MethodGet, s.base+"/assets/..%2fpages%2flayout.html", ""); resp.StatusCode == http.StatusOK {
		t.Error("a file that is no asset is given")
	}
}
