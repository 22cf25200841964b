package browser

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// show is a daemon in which there is something of everything to see.
const show = `
server: {listen: "127.0.0.1:0"}
defaults: {source: {schedule: "@every 1s"}}
sources:
  parcels:
    request: {url: "{api}/parcels"}
    response: {items: parcels, id: number, pick: {status: status, place: place, eta: eta}}
    events:
      parcel.announced: {on: [created]}
      parcel.moved: {on: [updated], when: new.status != "delivered", to: [warehouse, crm]}
      parcel.delivered: {on: [updated], when: new.status == "delivered"}
  prices: {request: {url: "{api}/prices"}}
  rates: {request: {url: "{api}/rates"}, events: {rates.changed: {to: [warehouse]}}}
  stock:
    request: {url: "{api}/stock"}
    response: {items: items, id: id}
  shipments:
    request: {url: "{api}/track", query: {number: "{{ key }}"}}
    response: {pick: {status: status}}
    watch: {keys: ["794806132416", "122816215025810"], api: true}
  weather: {schedule: "0 6 * * *", timezone: Europe/Berlin, request: {url: "{api}/weather"}}
endpoints:
  warehouse: {url: "http://hooks.warehouse.example/parcels", proxy: "{proxy}", secrets: ["{whsec}"]}
  crm: {url: "http://crm.example/incoming", proxy: "{proxy}", secrets: ["{whsec}"], retry: {schedule: [1s]}}
  archive: {url: "http://archive.example/store", proxy: "{proxy}", secrets: ["{whsec}"]}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`

// parcels are an answer of parcels at a step of their way.
func parcels(step int) string {
	way := []struct{ status, place string }{
		{"announced", "Berlin"}, {"in transit", "Hannover"}, {"in transit", "Dortmund"}, {"out for delivery", "Köln"}, {"delivered", "Köln"},
	}
	items := make([]string, 18+step)
	for i := range items {
		at := way[min(max(step-i%7, 0), len(way)-1)]
		items[i] = fmt.Sprintf(`{"number":"DH-%d","status":%q,"place":%q,"eta":"2026-12-%02d"}`, 1041+i, at.status, at.place, 1+i%20)
	}
	return `{"parcels":[` + strings.Join(items, ",") + `]}`
}

// showcase starts show and brings it to where there is something to see: a
// source that fails, one that is held, dead letters, an endpoint that is paused.
func showcase(t *testing.T) *daemon {
	t.Helper()
	a := newAPI(t)
	a.set("/parcels", parcels(0))
	a.set("/stock", list(14, "in stock"))
	a.set("/rates", `{"base":"EUR","rates":{"USD":1.0842,"GBP":0.8571,"CHF":0.9388}}`)
	a.set("/track", `{"status":"in transit"}`)
	a.fail("/prices", http.StatusServiceUnavailable, `{"error":"maintenance until 22:00"}`)
	a.fail("/incoming", http.StatusBadRequest, `{"error":"no customer has this parcel","code":"E-4711"}`)
	d := start(t, a, show)
	b := visit(t, d)
	b.open("/endpoints/archive")
	b.click("#pause")
	b.open("/")
	for _, name := range []string{"parcels", "stock", "rates", "shipments"} {
		b.shows("#source-"+name+" .badge", "ok")
	}
	for step, want := range []int{0, 4, 11} {
		if step == 0 {
			continue
		}
		a.set("/parcels", parcels(step))
		a.hooks(t, "/parcels", want)
	}
	a.set("/rates", `{"base":"EUR","rates":{"USD":1.0913,"GBP":0.8571,"CHF":0.9388,"JPY":163.21}}`)
	a.set("/track", `{"status":"out for delivery"}`)
	a.set("/stock", list(4, "in stock"))
	b.shows("#source-prices .badge", "failing")
	b.shows("#source-stock .badge", "held")
	b.until("document.querySelector('.tiles .bad strong') && /[1-9]/.test(document.querySelector('.tiles a[href=\"/dead\"] strong').innerText)")
	b.shows("#changes", "rates.changed")
	b.shows("#changes", "shipments.updated")
	b.shows("#endpoint-archive .badge", "paused")
	return d
}

// place is a page in one of its states.
type place struct {
	name, path string
	press      string // what leads from there to it, by a form
	status     int    // 0: 200
}

// places are all pages of a showcase.
func places() []place {
	return []place{
		{name: "overview", path: "/"},
		{name: "overview-failing", path: "/?state=failing"},
		{name: "overview-nothing", path: "/?q=nothing-is-like-that"},
		{name: "source", path: "/sources/parcels"},
		{name: "source-search", path: "/sources/parcels?q=nothing-is-like-that"},
		{name: "source-failing", path: "/sources/prices"},
		{name: "source-held", path: "/sources/stock"},
		{name: "source-keys", path: "/sources/shipments"},
		{name: "source-key", path: "/sources/shipments?watch=794806132416"},
		{name: "source-new", path: "/sources/weather"},
		{name: "item", path: "/sources/parcels/items?key=DH-1041"},
		{name: "item-document", path: "/sources/rates/items?key=rates"},
		{name: "events", path: "/events"},
		{name: "events-nothing", path: "/events?type=none.such"},
		{name: "event", path: "/dead", press: "#letters tbody .word a"},
		{name: "endpoints", path: "/endpoints"},
		{name: "endpoint", path: "/endpoints/warehouse"},
		{name: "endpoint-paused", path: "/endpoints/archive"},
		{name: "endpoint-dead", path: "/endpoints/crm?state=dead"},
		{name: "test", path: "/endpoints/crm", press: "#test"},
		{name: "dead", path: "/dead"},
		{name: "dead-confirm", path: "/dead", press: "#replay-all"},
		{name: "config", path: "/config"},
		{name: "missing", path: "/sources/none", status: http.StatusNotFound},
		{name: "refused", path: "/events?since=yesterday", status: http.StatusBadRequest},
	}
}

// stage is a daemon with what is to be seen there.
type stage struct {
	of     *daemon
	places []place
}

// stages are all pages: those of a showcase, those with nothing on them, the
// one before all others, and those that show a faulty reload.
func stages(t *testing.T) []stage {
	t.Helper()
	empty := start(t, newAPI(t), `server: {listen: "127.0.0.1:0"}`)
	locked := start(t, newAPI(t), `server: {listen: "127.0.0.1:0", token: "`+token+`"}`)
	return []stage{
		{showcase(t), places()},
		{empty, []place{
			{name: "empty-overview", path: "/"}, {name: "empty-events", path: "/events"},
			{name: "empty-dead", path: "/dead"}, {name: "empty-endpoints", path: "/endpoints"},
		}},
		{locked, []place{{name: "signin", path: "/signin"}}},
		{mistaken(t), []place{{name: "overview-reload", path: "/"}, {name: "config-reload", path: "/config"}}},
	}
}

// mistaken starts shop and has it read a configuration with faults, which it
// does not take.
func mistaken(t *testing.T) *daemon {
	t.Helper()
	d := start(t, newAPI(t), shop)
	config, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	faulty := strings.NewReplacer("schedule:", "shedule:", "[1s]", "[soon]").Replace(string(config))
	if err := os.WriteFile(d.config, []byte(faulty), 0o600); err != nil {
		t.Fatal(err)
	}
	b := visit(t, d)
	b.open("/config")
	b.click("#reload")
	b.shows("#reload-failed", "shedule")
	return d
}

// goes to a place, and checks that it is what it should be.
func (b *tab) goes(p place) {
	b.Helper()
	var status int
	b.do("open "+p.path, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		resp, err := chromedp.NavigateResponse(b.base+p.path)(ctx, t)
		if resp != nil {
			status = int(resp.Status)
		}
		return chromedp.Void{}, err
	})
	if want := max(p.status, http.StatusOK); status != want {
		b.Errorf("%s answered %d, want %d", p.path, status, want)
	}
	if p.press != "" {
		b.click(p.press)
	}
	if n := ask[int](b, "document.querySelectorAll('h1').length"); n != 1 {
		b.Errorf("%s has %d headings of the first level", p.name, n)
	}
}
