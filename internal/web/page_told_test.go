package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// tale is an archive of one event whose receiver answered with markup.
type tale struct {
	book
	event  emitter.EventRecord
	orders []emitter.ReplayOrder
	fail   error
}

func newTale() *tale {
	e := emitter.EventRecord{ID: "evt_1", Type: "t", Source: "s", Key: hostile, Change: "updated", Revision: 2, Time: shelfTime, Created: shelfTime}
	e.Deliveries = []emitter.DeliveryRecord{
		{Number: 7, Endpoint: "e", State: emitter.Dead, Attempts: 2, Queued: shelfTime, Settled: shelfTime, Payload: emitter.Payload(`{"data":{"name":"<script>alert(3)</script>"}}`)},
		{Number: 9, Endpoint: "e2", State: emitter.Dead, Queued: shelfTime, Settled: shelfTime, Payload: emitter.Payload("{}")},
		{Number: 8, Endpoint: "e2", State: emitter.Waiting, Queued: shelfTime, SupersededBy: 9, SupersededByEvent: "evt_1", Payload: emitter.Payload("no \xff JSON <b>")},
	}
	return &tale{event: e}
}

func (a *tale) Events(_ context.Context, f emitter.Filter, p emitter.Page) (emitter.EventPage, error) {
	a.filter, a.page = f, p
	e := a.event
	if f.Source == "none" {
		return emitter.EventPage{}, a.fail
	}
	return emitter.EventPage{Events: []emitter.EventRecord{e}, Rest: emitter.Rest{Next: "further", Damaged: 1, Damage: "<i>"}}, a.fail
}

func (a *tale) Event(_ context.Context, id string) (emitter.EventRecord, error) {
	if id != a.event.ID {
		return emitter.EventRecord{}, fmt.Errorf("event %s: %w", id, emitter.ErrUnknown)
	}
	return a.event, nil
}

func (a *tale) Deliveries(_ context.Context, f emitter.Filter, p emitter.Page) (emitter.DeliveryPage, error) {
	a.filter, a.page = f, p
	if f.Source == "none" {
		return emitter.DeliveryPage{}, nil
	}
	d := a.event.Deliveries[0]
	if f.State == emitter.StateSuperseded {
		d = a.event.Deliveries[2]
	}
	d.Event, d.Payload = &a.event, nil
	return emitter.DeliveryPage{Deliveries: []emitter.DeliveryRecord{d}, Rest: emitter.Rest{Next: "further"}}, nil
}

func (a *tale) Attempts(_ context.Context, number uint64, p emitter.Page) (emitter.AttemptPage, error) {
	if number == 9 { // nothing was sent
		return emitter.AttemptPage{Attempts: []emitter.AttemptRecord{{Attempt: 1, End: true, At: shelfTime, Error: "dropped", Reason: "dropped by a person"}}}, nil
	}
	tries := []emitter.AttemptRecord{
		{Attempt: 2, At: shelfTime, Took: 0.2, Status: 500, Error: "status", Reason: "<u>no</u>", Response: "<h1>oops</h1>"},
		{Attempt: 1, At: shelfTime, Took: 20, Error: "timeout"},
	}
	return emitter.AttemptPage{Attempts: tries[:min(p.Limit, 2)]}, nil
}

func (a *tale) Start(_ context.Context, o emitter.ReplayOrder) (emitter.ReplayJob, error) {
	a.orders = append(a.orders, o)
	if err := o.Check(); err != nil {
		return emitter.ReplayJob{}, &emitter.OrderError{Fault: err}
	}
	return a.Job(nil, "1") //nolint:staticcheck // it is not used
}

func (a *tale) Job(context.Context, string) (emitter.ReplayJob, error) {
	n := max(1, len(slices.DeleteFunc(slices.Clone(a.orders[len(a.orders)-1].Deliveries), func(d uint64) bool { return d == 404 })))
	return emitter.ReplayJob{ID: "1", State: emitter.ReplayDone, Replayed: emitter.Replayed{Replayed: n}}, nil
}

func (a *tale) Jobs() []emitter.ReplayJob {
	return []emitter.ReplayJob{
		{ID: "3", State: emitter.ReplayRunning, Replayed: emitter.Replayed{Replayed: 1234}},
		{ID: "2", State: emitter.ReplayDone, Order: emitter.ReplayOrder{Dry: true}},
		{ID: "1", State: emitter.ReplayDone, Order: emitter.ReplayOrder{Delivery: 7}},
	}
}

// newTold is a site of that archive.
func newTold(t *testing.T) (*site, *tale) {
	t.Helper()
	a := newTale()
	s := &site{shelf: filledShelf(), sender: &sender{}}
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: s.shelf, Endpoints: s.sender, Archive: a, Replays: a, Live: new(web.Live)})
	s.base = "http://" + server.Addr()
	return s, a
}

func TestToldPages(t *testing.T) {
	s, _ := newTold(t)
	for _, path := range []string{"/events", "/events?cursor=x", "/events?source=none", "/events/evt_1", "/endpoints", "/endpoints/e", "/endpoints/e?state=waiting", "/dead", "/dead?source=none", "/dead?cursor=x"} {
		doc := s.get(t, path, http.StatusOK)
		if len(doc.find("script")) != 1 || len(doc.find("main img, main i, main u, main b")) != 0 || len(doc.find("h1")) != 1 {
			t.Errorf("%s: markup of others became some of the page", path)
		}
		doc.find("a[href]").each(func(e nodes) {
			to, _, _ := strings.Cut(e.attr("href"), "#")
			if to == "" || strings.HasPrefix(to, "/endpoints/e2") || strings.HasPrefix(to, "/config") {
				return
			}
			if resp, _ := ask(t, http.MethodGet, s.base+to, ""); resp.StatusCode != http.StatusOK {
				t.Errorf("%s leads to %.60s: %d", path, to, resp.StatusCode)
			}
		})
	}
	for path, status := range map[string]int{
		"/events/evt_2": 404, "/endpoints/none": 404, "/events?state=bogus": 400, "/events?since=yesterday": 400, "/dead?until=x": 400, "/endpoints/e?state=bogus": 400,
	} {
		s.get(t, path, status)
	}
}

func TestEventPage(t *testing.T) {
	s, _ := newTold(t)
	doc := s.get(t, "/events/evt_1", http.StatusOK)
	if text := doc.find("#payload-7 pre").text(); text != `{ "data": { "name": "<script>alert(3)</script>" } }` {
		t.Errorf("payload %q", text)
	}
	if text := doc.find("#payload-8 pre").text(); text != "no \uFFFD JSON <b>" {
		t.Errorf("payload that is no JSON %q", text)
	}
	if text := doc.find("#delivery-7 tbody").text(); !strings.Contains(text, "<u>no</u>") || !strings.Contains(text, "<h1>oops</h1>") || !strings.Contains(text, "no answer, timeout") {
		t.Errorf("attempts %q", text)
	}
	if text := doc.find("#delivery-9").text(); !strings.Contains(text, "0 attempts") || !strings.Contains(text, "End") || !strings.Contains(text, "dropped by a person") {
		t.Errorf("a delivery that was dropped: %q", text)
	}
	if text := doc.find("#delivery-8 > p").text(); !strings.Contains(text, "It was never tried: a later update tells of it too.") {
		t.Errorf("a delivery that was superseded: %q", text)
	}
	if to := doc.find(".facts a").attr("href"); to != "/sources/s" {
		t.Errorf("its source is at %q", to)
	}
	if len(doc.find("a[href$='#revision-2']")) != 1 {
		t.Error("no link to the item's revision")
	}
}

// The words of a list's form reach the archive, and stand in the form again.
func TestEventsAreSearched(t *testing.T) {
	s, a := newTold(t)
	doc := s.get(t, "/events?source=s&type=t&key=k%2Fy&watch=w&endpoint=e&state=dead&since=2026-11-23T10:00&until=2026-11-23T11:00:00Z&cursor=c", http.StatusOK)
	want := emitter.Filter{Source: "s", Type: "t", Key: "k/y", Watch: "w", Endpoint: "e", State: emitter.Dead, Since: shelfTime, Until: shelfTime.Add(time.Hour)}
	if diff := cmp.Diff(want, a.filter); diff != "" || a.page.Cursor != "c" || a.page.Limit != 50 {
		t.Errorf("page %+v, filter (-want +got):\n%s", a.page, diff)
	}
	for name, value := range map[string]string{"source": "s", "type": "t", "key": "k/y", "watch": "w", "endpoint": "e", "since": "2026-11-23T10:00:00", "until": "2026-11-23T11:00:00"} {
		if got := doc.find("form input[name=" + name + "]").attr("value"); got != value {
			t.Errorf("field %s has %q, want %q", name, got, value)
		}
	}
	if doc.find("option[selected]").text() != "dead" {
		t.Errorf("state %q", doc.find("option[selected]").text())
	}
	older, err := url.Parse(doc.find(".pager [rel=next]").attr("href"))
	if err != nil || older.Query().Get("cursor") != "further" || older.Query().Get("key") != "k/y" {
		t.Errorf("older at %v: %v", older, err)
	}
	if doc.find("body").attr("data-topics") != "" {
		t.Error("an old page is live")
	}
}

func TestDeadLettersAreReplayed(t *testing.T) {
	s, a := newTold(t)
	doc := s.get(t, "/dead?endpoint=e", http.StatusOK)
	if a.filter.State != emitter.Dead || a.filter.Endpoint != "e" {
		t.Errorf("asked for %+v", a.filter)
	}
	form := doc.find("form#letters")
	if form.attr("action") != "/dead/replay" || form.find("input[name=delivery]").attr("value") != "7" || form.find("input[name=endpoint]").attr("value") != "e" {
		t.Errorf("the form is not one of delivery 7 at e")
	}
	if doc.find("#replay-3").text() == "" || len(doc.find("#replay-2, #replay-1")) != 0 {
		t.Error("want the replay that runs, and neither a count nor a single one")
	}

	status, to := s.submit(t, "/dead/replay", url.Values{"delivery": {"7", "404", "9"}, "endpoint": {"e"}})
	if status != http.StatusSeeOther || to != "/dead?endpoint=e&did=replay&n=2" {
		t.Errorf("%d to %s", status, to)
	}
	if text := s.get(t, to, http.StatusOK).find("#message").text(); text != "Put back into the queue: 2." {
		t.Errorf("message %q", text)
	}
	want := []emitter.ReplayOrder{{Deliveries: []uint64{7, 404, 9}, State: emitter.Dead}}
	if diff := cmp.Diff(want, a.orders); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	for _, numbers := range [][]string{nil, {"x"}, {"0"}, make([]string, 51)} {
		if status, _ := s.submit(t, "/dead/replay", url.Values{"delivery": numbers}); status != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", numbers, status)
		}
	}
}

// All that match are counted first, and put back when that was confirmed.
func TestAllDeadLettersAreCountedFirst(t *testing.T) {
	s, a := newTold(t)
	for _, form := range []url.Values{{}, {"source": {"s"}, "key": {hostile}}} {
		a.orders = nil
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/dead/all", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, body := send(t, req)
		doc := parsed(t, "/dead/all", resp, body)
		if resp.StatusCode != http.StatusOK || doc.find("#confirm").text() != "Replay 1 dead letter" || len(a.orders) != 1 || !a.orders[0].Dry || a.orders[0].Settled.IsZero() {
			t.Fatalf("%d %s, orders %+v", resp.StatusCode, doc.find("main").text(), a.orders)
		}
		confirmed := url.Values{}
		doc.find("form.actions input").each(func(e nodes) { confirmed.Set(e.attr("name"), e.attr("value")) })
		if status, to := s.submit(t, "/dead/all", confirmed); status != http.StatusSeeOther || !strings.HasSuffix(to, "did=replaying") {
			t.Errorf("%d to %s", status, to)
		}
		counted, replayed := a.orders[0], a.orders[1]
		counted.Dry = false
		if diff := cmp.Diff(counted, replayed); diff != "" || replayed.State != emitter.Dead || replayed.All != (len(form) == 0) {
			t.Errorf("counted, then replayed (-counted +replayed):\n%s", diff)
		}
	}
	if status, _ := s.submit(t, "/dead/all", url.Values{"settled": {"never"}}); status != http.StatusBadRequest {
		t.Errorf("a time that is none: %d, want 400", status)
	}
}

func TestToldActions(t *testing.T) {
	s, a := newTold(t)
	for _, tt := range []struct{ path, field, want string }{
		{"/endpoints/e/pause", "", "/endpoints/e?did=pause"},
		{"/endpoints/e/resume", "", "/endpoints/e?did=resume"},
		{"/events/evt_1/replay", "", "/events/evt_1?did=replay&n=1"},
		{"/events/evt_1/replay", "e", "/events/evt_1?did=replay&n=1"},
		{"/replays/1/stop", "", "/dead?did=stop"},
	} {
		if status, to := s.submit(t, tt.path, url.Values{"endpoint": {tt.field}}); status != http.StatusSeeOther || to != tt.want {
			t.Errorf("%s: %d to %q, want %q", tt.path, status, to, tt.want)
		}
	}
	if diff := cmp.Diff([]string{"pause", "resume"}, s.sender.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	want := []emitter.ReplayOrder{{Event: "evt_1"}, {Event: "evt_1", Endpoint: "e"}}
	if diff := cmp.Diff(want, a.orders); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	if status, _ := s.submit(t, "/endpoints/off/pause", nil); status != http.StatusConflict {
		t.Errorf("a disabled endpoint: %d, want 409", status)
	}
}

func TestEndpointPage(t *testing.T) {
	s, _ := newTold(t)
	doc := s.get(t, "/endpoints/e", http.StatusOK)
	if text := doc.find("main").text(); !strings.Contains(text, "Paused since") || !strings.Contains(text, "it answered 503") || !strings.Contains(text, "resumes by itself") {
		t.Errorf("%q", text)
	}
	if text := doc.find("#terms").text(); !strings.Contains(text, "slack, in order, 1 at once, at most 1/s; updates of an item that wait become one") {
		t.Errorf("how it is sent to: %q", text)
	}
	if text := s.get(t, "/endpoints/e?state=superseded", http.StatusOK).find("#deliveries tbody").text(); !strings.Contains(text, "never tried: a later update tells of it too") {
		t.Errorf("an update that was superseded: %q", text)
	}
	form := doc.find("form[action='/dead/all']")
	if form.find("button").text() != "Replay 1 dead letter …" || form.find("input[name=endpoint]").attr("value") != "e" {
		t.Errorf("no button for its dead letter: %q", form.text())
	}
	if len(doc.find("form[action='/endpoints/e/resume']")) != 1 || len(doc.find("form[action='/endpoints/e/pause']")) != 0 {
		t.Error("a paused endpoint can be resumed, and not paused")
	}
	if text := doc.find("#delivery-7").text(); !strings.Contains(text, "<u>no</u>") || !strings.Contains(text, "<h1>oops</h1>") {
		t.Errorf("its delivery: %q", text)
	}
}

// An endpoint that refuses everything says so while it is still called ok; one
// that a person paused says so once.
func TestEndpointTrouble(t *testing.T) {
	refusing := sending[0]
	refusing.State, refusing.Health = emitter.ConditionOK, emitter.Health{Failed: 1234, FailedSince: shelfTime, Reason: "it answered <b>503</b>"}
	paused := refusing
	paused.Endpoint, paused.State = "paused", emitter.ConditionPaused
	paused.Health = emitter.Health{Pause: emitter.PauseManual, Since: shelfTime, Reason: "paused by a person"}
	well := refusing
	well.Endpoint, well.Health, well.Dead = "well", emitter.Health{}, 0
	s := &site{}
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Archive: silent{}, Endpoints: &those{all: []emitter.EndpointStatus{refusing, paused, well}}})
	s.base = "http://" + server.Addr()
	want := "it answered <b>503</b>; 1,234 failed in a row"
	for _, path := range []string{"/", "/endpoints"} {
		doc := s.get(t, path, http.StatusOK)
		if text := doc.find("#endpoint-e .why").text(); text != want {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
		if text := doc.find("#endpoint-well .why").text(); text != "" {
			t.Errorf("%s: nothing is wrong, and it says %q", path, text)
		}
	}
	for path, want := range map[string]string{"/endpoints/e": refusing.Reason, "/endpoints/paused": "It was paused by a person: nothing is sent until it is resumed.", "/endpoints/well": ""} {
		doc := s.get(t, path, http.StatusOK)
		if text := doc.find("#failure").text(); text != want {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
		if failed := strings.HasPrefix(doc.find("#failed dd").text(), "1,234 attempts in a row, since "); failed != (path == "/endpoints/e") {
			t.Errorf("%s: how many failed: %q", path, doc.find("#failed").text())
		}
		if len(doc.find("#replay-dead")) != 0 {
			t.Errorf("%s: a button for a replay, which there is not", path)
		}
	}
}

// those are endpoints.
type those struct {
	sender
	all []emitter.EndpointStatus
}

func (e *those) Endpoints(context.Context) ([]emitter.EndpointStatus, error) {
	return slices.Clone(e.all), nil
}

// A faulty search says what is wrong with it, and not that nothing was found.
func TestFaultySearch(t *testing.T) {
	s, _ := newTold(t)
	for _, path := range []string{"/events?since=yesterday", "/dead?since=yesterday"} {
		doc := s.get(t, path, http.StatusBadRequest)
		if text := doc.find("[role=alert]").text(); text != `since is "yesterday": expected a time such as 2026-11-23T10:00` {
			t.Errorf("%s: %q", path, text)
		}
		if len(doc.find(".empty, .rows, .pager")) != 0 || len(doc.find("form.filter")) != 1 {
			t.Errorf("%s: want the form, and nothing that was found: %s", path, doc.find("main").text())
		}
	}
}

// What came of a test event is shown on the spot.
func TestTestEventPage(t *testing.T) {
	s, _ := newTold(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/endpoints/e/test", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := send(t, req)
	text := parsed(t, "/endpoints/e/test", resp, body).find("main").text()
	for _, want := range []string{"not delivered", "answered 500", "status 500", `"type": "deltahook.test"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q has no %q", text, want)
		}
	}
	if status, _ := s.submit(t, "/endpoints/none/test", nil); status != http.StatusNotFound {
		t.Errorf("no endpoint: %d, want 404", status)
	}
}

func TestToldNothing(t *testing.T) {
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Archive: silent{}})
	s := &site{base: "http://" + server.Addr()}
	for path, want := range map[string]string{"/": "Nothing has been told yet", "/events": "deltahook poll", "/dead": "There are no dead letters", "/sources/s": "Nothing of it has been told yet"} {
		if text := s.get(t, path, http.StatusOK).find(".empty").text(); !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
	}
}

// silent is an archive of nothing.
type silent struct{ web.Archive }

func (silent) Events(context.Context, emitter.Filter, emitter.Page) (emitter.EventPage, error) {
	return emitter.EventPage{}, nil
}

func (silent) Deliveries(context.Context, emitter.Filter, emitter.Page) (emitter.DeliveryPage, error) {
	return emitter.DeliveryPage{}, nil
}
