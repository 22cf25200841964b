package browser

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// shop is a source of items that is polled each second, told to a hook.
const shop = `
server: {listen: "127.0.0.1:0"}
sources:
  parcels:
    schedule: "@every 1s"
    request: {url: "{api}/parcels"}
    response: {items: items, id: id}
endpoints:
  hook: {url: "{api}/hook", secrets: ["{whsec}"], retry: {schedule: [1s]}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`

// TestLive: each page shows a change without being loaded anew, and what a
// person has there stays.
func TestLive(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	d := start(t, a, shop)
	first := visit(t, d)
	first.open("/")
	first.shows("#source-parcels .badge", "ok") // the first answer was taken in
	first.shows("#changes", "Nothing has been told yet")

	pages := []struct{ path, where string }{
		{"/", "#changes tbody tr"},
		{"/sources/parcels", "#changes tbody tr"},
		{"/sources/parcels/items?key=DH-1002", "#timeline ins"},
		{"/events", "main tbody tr"},
		{"/endpoints/hook", "#deliveries tbody tr"},
	}
	tabs := make([]*tab, len(pages))
	for i, p := range pages {
		tabs[i] = visit(t, d)
		tabs[i].open(p.path)
		tabs[i].until("document.getElementById('live').innerText === 'Live'")
		ask[int](tabs[i], "window.loaded = 1")
		if n := ask[int](tabs[i], fmt.Sprintf("document.querySelectorAll(%q).length", p.where)); n != 0 {
			t.Fatalf("%s shows %d changes before there are any", p.path, n)
		}
	}
	typed := tabs[1]
	ask[bool](typed, `(() => { const q = document.querySelector("#items input[name=q]"); q.focus(); q.value = "half a wo"; return true })()`)

	a.set("/parcels", `{"items":[{"id":"DH-1001","state":"announced"},{"id":"DH-1002","state":"out for delivery"},{"id":"DH-1003","state":"announced"}]}`)
	a.hooks(t, "/hook", 1)
	for i, p := range pages {
		want := "DH-1002"
		if p.where == "#timeline ins" {
			want = "out for delivery"
		}
		tabs[i].shows(p.where, want)
		if ask[int](tabs[i], "window.loaded ?? 0") != 1 {
			t.Errorf("%s was loaded anew", p.path)
		}
	}
	tabs[0].shows("#changes .badge.good", "hook: delivered")
	tabs[4].shows("#deliveries tbody", "answered 200")
	if got := ask[string](typed, "document.activeElement.name + '=' + document.activeElement.value"); got != "q=half a wo" {
		t.Errorf("what was typed became %q", got)
	}
}

// TestLiveFromTheStart: what changes after a page was made and before it hears
// of changes is on it all the same.
func TestLiveFromTheStart(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	d := start(t, a, shop)
	b := visit(t, d)
	b.open("/")
	b.shows("#source-parcels .badge", "ok")
	deaf := fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/stream?*"}}}
	if _, err := chromedp.Call(b.ctx, fetch.Enable, deaf); err != nil {
		t.Fatal(err)
	}
	b.open("/events")
	b.shows("main", "Nothing has been told yet")
	a.set("/parcels", list(3, "delivered"))
	a.hooks(t, "/hook", 3)
	told := visit(t, d)
	told.open("/events")
	told.until("document.querySelectorAll('main .badge.good').length === 3")
	if _, err := chromedp.Call(b.ctx, fetch.Disable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	b.until("document.querySelectorAll('main .badge.good').length === 3")
}

// relay stands before a daemon, and can be cut.
type relay struct {
	*httptest.Server
	next http.Handler
	gone atomic.Bool
}

func newRelay(t *testing.T, d *daemon) *relay {
	t.Helper()
	to, err := url.Parse(d.base)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{next: &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.SetURL(to) },
		ErrorLog: log.New(io.Discard, "", 0), // of streams that were cut
	}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// ServeHTTP passes a request on, or hangs up.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.gone.Load() {
		panic(http.ErrAbortHandler)
	}
	r.next.ServeHTTP(w, req)
}

// cut hangs up on everybody.
func (r *relay) cut() {
	r.gone.Store(true)
	r.CloseClientConnections()
}

// TestStale: a page says that nobody has answered for 10 seconds, and since
// when; not earlier, and not any more when somebody does.
func TestStale(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	r := newRelay(t, start(t, a, shop))
	b := visit(t, &daemon{base: r.URL})
	b.open("/")
	b.shows("#source-parcels .badge", "ok")
	a.set("/parcels", list(3, "delivered"))
	b.shows("#changes", "DH-1003") // the stream is heard
	ask[int](b, "(Date.now = () => window.clock, window.clock = Date.UTC(2026, 10, 24, 12))")
	r.cut()
	b.until("document.getElementById('live').innerText === 'Reconnecting'")
	ask[int](b, "window.clock += 9999")
	if text := ask[string](b, "new Promise(r => setTimeout(() => r(document.getElementById('stale').innerText), 1500))"); text != "" {
		t.Errorf("too early it says %q", text)
	}
	ask[int](b, "window.clock += 1")
	b.shows("#stale[role=status]", "Deltahook has not answered since 12:00:0")
	b.shows("#stale", " UTC; what stands here is of then.")
	r.gone.Store(false)
	b.until("document.getElementById('stale').innerText === '' && document.getElementById('live').innerText === 'Live'")
}
