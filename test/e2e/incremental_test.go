package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

const calendarSource = `
  meetings:
    schedule: "@every 1s"
    cursor: {name: sync, value: body.nextSyncToken}
    request:
      url: "%s/events?{{ raw(cursor.sync == nil ? 'singleEvents=true' : 'syncToken=') }}{{ cursor.sync }}"
      timeout: 60s
      paginate: {cursor: nextPageToken, param: pageToken}
    response:
      items: items
      id: id
      pick: {summary: summary, start: start.dateTime, updated: updated}
      absent: kept
      deleted_when: item.status == "cancelled"
      status: {410: reset}
`

// calendar are the three pages of all there is, as they must be asked for.
func calendar(t *testing.T) []turned {
	t.Helper()
	return []turned{
		{"/events?singleEvents=true", body(read(t, "google_calendar", "full_sync_page1.json"))},
		{"/events?singleEvents=true&pageToken=CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA", body(read(t, "google_calendar", "full_sync_page2_empty_items.json"))},
		{"/events?singleEvents=true&pageToken=page3", body(read(t, "google_calendar", "full_sync_page3.json"))},
	}
}

// All there is once, then what changed since; a token that is no longer good
// starts over in silence.
func TestCalendarBySyncToken(t *testing.T) {
	t.Parallel()
	all, changed := calendar(t), body(read(t, "google_calendar", "incremental.json"))
	gone := reply(http.StatusGone, "application/json", read(t, "google_calendar", "error_410.json"))
	none := body([]byte(`{"items":[],"nextSyncToken":"CPDAlvWDx70CEPDAlvWDz"}`))
	d, a, hooks := paged(t, calendarSource)
	const first, second, third = "/events?syncToken=CPDAlvWDx70CEPDAlvWDx", "/events?syncToken=CPDAlvWDx70CEPDAlvWDy", "/events?syncToken=CPDAlvWDx70CEPDAlvWDz"
	playRounds(t, d, a, hooks, []round{
		{name: "a first page alone", pages: []turned{all[0], {all[1].uri, reply(503, "text/plain", nil)}}, failed: "status"},
		{name: "all there is", pages: all},
		{name: "one moved and one cancelled", pages: []turned{{first, changed}}, told: []string{"meetings.deleted evt2 1", "meetings.updated evt1 1"}},
		{name: "a failure moves nothing", pages: []turned{{second, body([]byte(`{"nextSyncToken":"x"}`))}}, failed: "items"},
		{name: "the same again", pages: []turned{{second, changed}}},
		{name: "nothing changed", pages: []turned{{second, none}}},
		{name: "start over", pages: []turned{{third, gone}}},
		{name: "all there is, again", pages: all},
		{name: "the same changes", pages: []turned{{first, changed}}, told: []string{"meetings.deleted evt2 2", "meetings.updated evt1 2"}},
	})
	d.says(t, d.stderr, `first answer after the reset remembered`)
}

// Killed between an answer and the next request: what was told stays told, and
// the token is the committed one. A token that moved without a change may be
// lost, and what it would have left out comes again.
func TestCalendarKilledBetweenTokens(t *testing.T) {
	t.Parallel()
	all, changed := calendar(t), body(read(t, "google_calendar", "incremental.json"))
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(calendarSource, a.URL)))
	var d *process
	again := func(uris ...string) {
		t.Helper()
		if d != nil {
			d.kill()
			a.gone(t)
		}
		d = start(t, binary(t), dir, "run")
		a.settled(t)
		if !slices.Contains(uris, a.last.Path) {
			t.Fatalf("after the start it asked for %s, want one of %q", a.last.Path, uris)
		}
	}
	again(all[0].uri)
	for _, page := range all {
		a.play(t, page.answer)
	}
	a.settled(t)
	again("/events?syncToken=CPDAlvWDx70CEPDAlvWDx")
	a.play(t, changed)
	a.settled(t)
	again("/events?syncToken=CPDAlvWDx70CEPDAlvWDy")
	a.play(t, body([]byte(`{"items":[],"nextSyncToken":"moved"}`)))
	a.settled(t)
	again("/events?syncToken=CPDAlvWDx70CEPDAlvWDy", "/events?syncToken=moved")
	a.play(t, changed)
	a.settled(t)
	told := map[string]bool{}
	for len(told) < 2 {
		got := hooks.next(t) // an attempt that was cut off is made again
		told[fmt.Sprintf("%s %s %d", got.Type, got.Data.Key, got.Data.Revision)] = true
	}
	if !told["meetings.updated evt1 1"] || !told["meetings.deleted evt2 1"] {
		t.Errorf("told %v", told)
	}
	if n := int(d.metric(t, "deltahook_events_total")); n != 0 {
		t.Errorf("%d events of changes that were told before", n)
	}
}

// The next request is a whole URL that the API gives, and the credentials go
// along to the configured host only.
func TestCalendarByDeltaLink(t *testing.T) {
	t.Parallel()
	d, a, hooks := paged(t, `
  meetings:
    schedule: "@every 1s"
    cursor: {name: link, value: 'body["@odata.deltaLink"]'}
    request:
      url: "{{ raw(cursor.link ?? '%s/v1.0/me/calendarView/delta?startDateTime=2026-07-01') }}"
      timeout: 60s
      auth: {bearer: graph-token-12345}
      paginate: {next: '\@odata\.nextLink'}
    response:
      items: value
      id: id
      pick: {subject: subject, start: start.dateTime}
      absent: kept
      deleted_when: item["@removed"] != nil
`)
	here := func(name string) []byte {
		return []byte(strings.ReplaceAll(string(read(t, "ms_graph", name)), "https://graph.microsoft.com", a.URL))
	}
	const all, skipped, delta = "/v1.0/me/calendarView/delta?startDateTime=2026-07-01", "/v1.0/me/calendarView/delta?$skiptoken=R0usmcCM996atia_s", "/v1.0/me/calendarView/delta?$deltatoken=R0usmcMDNGg0J1E"
	authorized := func(answer []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer graph-token-12345" {
				t.Errorf("%s was asked for without the token", r.URL.Path)
			}
			body(answer)(w, r)
		}
	}
	moved := fmt.Sprintf(`{"@odata.deltaLink":"%s/elsewhere/$deltatoken=2","value":[{"id":"AAMk1","@removed":{"reason":"deleted"}},{"id":"AAMk3","subject":"New"}]}`, a.URL)
	foreign := `{"@odata.deltaLink":"http://localhost:1/v1.0/delta","value":[]}`
	playRounds(t, d, a, hooks, []round{
		{name: "all there is", pages: []turned{{all, authorized(here("calendar_delta_next.json"))}, {skipped, authorized(here("calendar_delta_last.json"))}}},
		{name: "one gone, one new", pages: []turned{{delta, authorized([]byte(moved))}},
			told: []string{"meetings.created AAMk3 1", "meetings.deleted AAMk1 1"}},
	})
	a.settled(t)
	if a.last.Path != "/elsewhere/$deltatoken=2" {
		t.Errorf("asked for %s", a.last.Path)
	}
	a.play(t, authorized([]byte(foreign)))
	d.says(t, d.stderr, `the cursor leads to http://localhost:1`)
	if strings.Contains(d.stderr.String(), "graph-token") {
		t.Error("the log shows the token")
	}
}

// A log is read on by the link of its last page, which never ends.
func TestLogByItsNextLink(t *testing.T) {
	t.Parallel()
	d, a, hooks := paged(t, `
  logins:
    schedule: "@every 1s"
    cursor: {name: after, value: next}
    request:
      url: "{{ raw(cursor.after ?? '%s/api/v1/logs?limit=100') }}"
      timeout: 60s
      auth: {bearer: {token: okta-token-12345, prefix: SSWS}}
      paginate: {link: true}
    response: {items: "@this", id: uuid, pick: {type: eventType}, absent: kept, forget_after: 7d}
`)
	linked := func(text []byte, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`<%s/api/v1/logs?limit=100>; rel="self", <%s/api/v1/logs?after=%s>; rel="next"`, a.URL, a.URL, after))
			body(text)(w, r)
		}
	}
	page, empty := read(t, "okta", "logs_page.json"), read(t, "okta", "logs_empty.json")
	other := []byte(`[{"uuid":"b","eventType":"user.session.end"}]`)
	late := []byte(`[{"uuid":"a","eventType":"user.session.start"},{"uuid":"b","eventType":"user.session.end"}]`)
	playRounds(t, d, a, hooks, []round{
		{name: "what there is", pages: []turned{{"/api/v1/logs?limit=100", linked(page, "1")}, {"/api/v1/logs?after=1", linked(empty, "1")}}},
		{name: "nothing new", pages: []turned{{"/api/v1/logs?after=1", linked(empty, "1")}}},
		{name: "one new", pages: []turned{{"/api/v1/logs?after=1", linked(other, "2")}, {"/api/v1/logs?after=2", linked(empty, "2")}},
			told: []string{"logins.created b 1"}},
		{name: "one late, one again", pages: []turned{{"/api/v1/logs?after=2", linked(late, "3")}, {"/api/v1/logs?after=3", linked(empty, "3")}},
			told: []string{"logins.created a 1"}},
	})
}

// A time with an overlap: what is asked for lies a little before what was seen,
// and what comes twice is told once.
func TestMembersSinceAChange(t *testing.T) {
	t.Parallel()
	one, two := read(t, "mailchimp", "members_seq_1.json"), read(t, "mailchimp", "members_seq_2_unsubscribed.json")
	d, a, hooks := paged(t, `
  members:
    schedule: "@every 1s"
    cursor:
      name: since
      value: last(sort(map(items, .last_changed)))
      initial: '"2018-01-01T00:00:00+00:00"'
      overlap: 5m
    request: {url: "%s/members?since_last_changed={{ cursor.since }}", timeout: 60s}
    response: {items: members, id: id, pick: {status: status}, absent: kept}
`)
	const zero, first, second = "/members?since_last_changed=2017-12-31T23%3A55%3A00%2B00%3A00", "/members?since_last_changed=2018-03-31T23%3A55%3A00%2B00%3A00", "/members?since_last_changed=2018-04-03T12%3A17%3A07%2B00%3A00"
	told := []string{"members.updated 3b2c6602895ae53a5f677fe4835ca92f 1"}
	playRounds(t, d, a, hooks, []round{
		{name: "nobody yet", pages: []turned{{zero, body([]byte(`{"members":[]}`))}}},
		{name: "two members", pages: []turned{{zero, body(one)}}, told: []string{
			"members.created 3b2c6602895ae53a5f677fe4835ca92f 1", "members.created 852aaa9532cb36adfb5e9fef7a4206a9 1"}},
		{name: "one unsubscribes", pages: []turned{{first, body(two)}}, told: []string{strings.Replace(told[0], " 1", " 2", 1)}},
		{name: "the overlap", pages: []turned{{second, body(two)}}},
		{name: "nobody", pages: []turned{{second, body([]byte(`{"members":[]}`))}}},
		{name: "the overlap again", pages: []turned{{second, body(two)}}},
	})
}

// Old entries fall off a feed: that is no deletion, and an entry that comes
// back is new only where it differs.
func TestFeedWhoseEntriesFallOff(t *testing.T) {
	t.Parallel()
	feed := func(name string) http.HandlerFunc {
		return reply(http.StatusOK, "application/rss+xml", read(t, "feeds", name))
	}
	without := strings.Split(string(read(t, "feeds", "rss_seq_2_new_and_edited.xml")), "\n")
	without = append(without[:3], without[4:]...) // less the older entry
	d, a, hooks := paged(t, `
  status:
    schedule: "@every 1s"
    request: {url: "%s/history.rss", timeout: 60s}
    response: {items: items, id: id, pick: {title: title, summary: summary}, absent: kept, forget_after: 30d}
    changes: {confirm_deletes: 1}
`)
	const uri = "/history.rss"
	playRounds(t, d, a, hooks, []round{
		{name: "one entry", pages: []turned{{uri, feed("rss_seq_1.xml")}}},
		{name: "a new one, and the old one edited", pages: []turned{{uri, feed("rss_seq_2_new_and_edited.xml")}},
			told: []string{"status.created inc-2 1", "status.updated inc-1 1"}},
		{name: "the old one falls off", pages: []turned{{uri, reply(200, "application/rss+xml", []byte(strings.Join(without, "\n")))}}},
		{name: "no entries", pages: []turned{{uri, reply(200, "application/rss+xml", []byte(`<rss version="2.0"><channel><title>t</title></channel></rss>`))}}},
		{name: "both again", pages: []turned{{uri, feed("rss_seq_2_new_and_edited.xml")}}},
		{name: "as it was at first", pages: []turned{{uri, feed("rss_seq_1.xml")}}, told: []string{"status.updated inc-1 2"}},
	})
}

// A dry run asks for what the daemon would ask for next, be it beside the
// daemon or without one, of a watch key too; it moves nothing.
func TestPollAsksFromTheStoredCursor(t *testing.T) {
	t.Parallel()
	dry, moved := make(chan string, 100), make(chan bool, 100)
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		v := 1
		switch {
		case r.Header.Get("X-Dry") != "":
			dry <- r.URL.RequestURI()
			v = 2
		case r.URL.Query().Get("since") == "t1":
			moved <- true
		}
		fmt.Fprintf(w, `{"token":"t%d","list":[{"id":"a","v":%[1]d}]}`, v)
	})
	defer server.Close()
	hooks, dir := newReceiver(t, nil), t.TempDir()
	source := configured(hooks, fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    watch: {keys: ["k/1"]}
    cursor: {name: c, value: body.token, initial: '"t0"'}
    request: {url: "%s/{{ key }}?since={{ cursor.c }}", headers: {}}
    response: {items: list, id: id, absent: kept}
`, server.URL))
	write(t, dir, "deltahook.yaml", source)
	write(t, dir, "dry.yaml", strings.Replace(source, "headers: {}", `headers: {X-Dry: "1"}`, 1))
	d := start(t, binary(t), dir, "run")
	<-moved
	for running := true; ; running = false {
		status, stdout, stderr := deltahook(t, dir, "poll", "s", "--config", "dry.yaml")
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		if got := <-dry; got != "/k%2F1?since=t1" {
			t.Errorf("the dry run asked for %s, want it to go on from the stored cursor", got)
		}
		for _, want := range []string{"since=t1", "1 item at version 1", "a     updated  1 ", "s.updated  told"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%q is not shown:\n%s", want, stdout)
			}
		}
		if !running {
			return
		}
		d.stop(t)
	}
}
