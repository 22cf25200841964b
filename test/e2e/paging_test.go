package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// turned is one page: the URI that it must be asked for by, and the answer.
type turned struct {
	uri    string
	answer http.HandlerFunc
}

// round is one poll of a paged source and what must follow from it.
type round struct {
	name   string
	pages  []turned
	failed string   // the class by which the poll fails; "": it does not
	told   []string // webhooks as line writes them, less the contents
}

// playRounds plays rounds to the one source of daemon d.
func playRounds(t *testing.T, d *process, a *api, hooks *receiver, rounds []round) {
	t.Helper()
	events := 0
	for _, r := range rounds {
		failed := 0.0
		if r.failed != "" {
			failed = d.metric(t, "deltahook_polls_total", `result="`+r.failed+`"`)
		}
		for i, p := range r.pages {
			a.settled(t)
			if a.last.Path != p.uri {
				t.Fatalf("%s: page %d was asked for by %s, want %s", r.name, i+1, a.last.Path, p.uri)
			}
			if n := int(d.metric(t, "deltahook_events_total")); n != events {
				t.Errorf("%s: %d events before page %d came, want %d", r.name, n, i+1, events)
			}
			a.play(t, p.answer)
		}
		a.settled(t)
		if r.failed != "" {
			if n := d.metric(t, "deltahook_polls_total", `result="`+r.failed+`"`); n != failed+1 {
				t.Errorf("%s: the poll did not fail by class %s", r.name, r.failed)
			}
		}
		events += len(r.told)
		if n := int(d.metric(t, "deltahook_events_total")); n != events {
			t.Errorf("%s: %d events, want %d", r.name, n, events)
		}
		var told []string
		for range r.told {
			got := hooks.next(t)
			told = append(told, fmt.Sprintf("%s %s %d", got.Type, got.Data.Key, got.Data.Revision))
		}
		slices.Sort(told)
		if diff := cmp.Diff(r.told, told); diff != "" {
			t.Fatalf("%s: told (-want +got):\n%s", r.name, diff)
		}
	}
}

// paged starts a daemon with one source, whose settings have a verb for the
// API's URL.
func paged(t *testing.T, source string) (d *process, a *api, hooks *receiver) {
	t.Helper()
	a, hooks = newAPI(t), newReceiver(t, nil)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(source, a.URL)))
	return start(t, binary(t), dir, "run"), a, hooks
}

// An empty page is not the end where a cursor says that there is more; a page
// that fails makes nothing of those before it; 410 starts over in silence.
func TestCalendarInPages(t *testing.T) {
	t.Parallel()
	one := body(read(t, "google_calendar", "full_sync_page1.json"))
	two := body(read(t, "google_calendar", "full_sync_page2_empty_items.json"))
	three := body(read(t, "google_calendar", "full_sync_page3.json"))
	gone := reply(http.StatusGone, "application/json", read(t, "google_calendar", "error_410.json"))
	d, a, hooks := paged(t, `
  meetings:
    schedule: "@every 1s"
    request:
      url: "%s/events?singleEvents=true"
      timeout: 60s
      paginate: {cursor: nextPageToken, param: pageToken}
    response: {items: items, id: id, pick: {status: status}, status: {410: reset}}
    changes: {baseline: emit, confirm_deletes: 1}
`)
	const first, second, third = "/events?singleEvents=true", "/events?singleEvents=true&pageToken=CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA", "/events?singleEvents=true&pageToken=page3"
	all := []turned{{first, one}, {second, two}, {third, three}}
	playRounds(t, d, a, hooks, []round{
		{name: "a first page alone", pages: []turned{{first, one}, {second, reply(503, "text/plain", nil)}}, failed: "status"},
		{name: "the baseline", pages: all, told: []string{"meetings.created evt1 1", "meetings.created evt2 1", "meetings.created evt3 1"}},
		{name: "the same", pages: all},
		{name: "the last page fails", pages: []turned{{first, one}, {second, two}, {third, body([]byte("{"))}}, failed: "format"},
		{name: "a page in a circle", pages: []turned{{first, one}, {second, one}}, failed: "pages"},
		{name: "the last page is empty", pages: []turned{{first, one}, {second, two}, {third, body([]byte(`{"items":[]}`))}},
			told: []string{"meetings.deleted evt2 2", "meetings.deleted evt3 2"}},
		{name: "start over", pages: []turned{{first, gone}}},
		{name: "all again", pages: all},
		{name: "one gone", pages: []turned{{first, one}, {second, body([]byte(`{"items":[{"id":"evt2","status":"confirmed"}]}`))}},
			told: []string{"meetings.deleted evt3 3"}},
	})
	d.says(t, d.stderr, `all starts over`)
	d.says(t, d.stderr, `first answer after the reset remembered`)
}

// The last id of a page asks for the one after it; what is there twice when
// rows move between pages is no answer.
func TestTrackersInPages(t *testing.T) {
	t.Parallel()
	one, two := read(t, "easypost", "trackers_page1.json"), read(t, "easypost", "trackers_page2.json")
	two = []byte(strings.Replace(string(two), `"has_more": true`, `"has_more": false`, 1))
	d, a, hooks := paged(t, `
  trackers:
    schedule: "@every 1s"
    request:
      url: "%s/v2/trackers?page_size=5"
      timeout: 60s
      paginate: {last_id: id, param: before_id, more: has_more}
    response: {items: trackers, id: id, pick: {status: status}}
`)
	const first, second = "/v2/trackers?page_size=5", "/v2/trackers?page_size=5&before_id=trk_ec400b14a2b24683bb741388dec8bc35"
	moved := strings.Replace(string(two), `"status": "pre_transit"`, `"status": "in_transit"`, 1)
	playRounds(t, d, a, hooks, []round{
		{name: "the baseline", pages: []turned{{first, body(one)}, {second, body(two)}}},
		{name: "a page twice", pages: []turned{{first, body(one)}, {second, body(one)}}, failed: "pages"},
		{name: "a row on two pages", pages: []turned{{first, body(one)}, {second, body([]byte(`{"trackers":[{"id":"trk_ec400b14a2b24683bb741388dec8bc35"}]}`))}}, failed: "items"},
		{name: "a parcel moves on the second page", pages: []turned{{first, body(one)}, {second, body([]byte(moved))}},
			told: []string{"trackers.updated trk_5d4c5abf898044e59136394fe0c1f450 1"}},
	})
}

// Recorded exchanges with their Link headers, which lead to another path.
func TestIssuesInPages(t *testing.T) {
	t.Parallel()
	d, a, hooks := paged(t, `
  issues:
    schedule: "@every 1s"
    request:
      url: "%s/repos/octokit-fixture-org/paginate-issues/issues?per_page=3"
      timeout: 60s
      headers: {Authorization: "Bearer a-token-of-github"}
      paginate: {link: true}
    response: {items: "@this", id: id, pick: {state: state}}
`)
	var pages []turned
	for n := 1; n <= 5; n++ {
		var recorded struct {
			Request string
			Headers map[string]string
			Body    json.RawMessage
		}
		if err := json.Unmarshal(read(t, "github", fmt.Sprintf("issues_page%d.json", n)), &recorded); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, turned{strings.TrimPrefix(recorded.Request, "GET "), func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer a-token-of-github" || r.Header.Get("If-None-Match") != "" {
				t.Errorf("page %d was asked for with %v", n, r.Header)
			}
			for name, value := range recorded.Headers {
				w.Header().Set(name, strings.ReplaceAll(value, "https://api.github.com", a.URL))
			}
			_, _ = w.Write(recorded.Body)
		}})
	}
	closed := slices.Clone(pages)
	closed[4].answer = body([]byte(`[{"id":1012,"state":"closed"},{"id":1013,"state":"open"}]`))
	abroad := slices.Clone(pages[:1])
	abroad[0].answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://evil.example/collect>; rel="next"`)
		_, _ = w.Write([]byte(`[{"id":1}]`))
	}
	playRounds(t, d, a, hooks, []round{
		{name: "the baseline", pages: pages},
		{name: "a link to elsewhere", pages: abroad, failed: "pages"},
		{name: "an issue is closed, one is new", pages: closed, told: []string{"issues.created 1013 1", "issues.updated 1012 1"}},
	})
}

// A log that is polled always names a next page; an empty one is the end.
func TestALogThatNeverEnds(t *testing.T) {
	t.Parallel()
	page, empty := read(t, "okta", "logs_page.json"), read(t, "okta", "logs_empty.json")
	d, a, hooks := paged(t, `
  log:
    schedule: "@every 1s"
    request: {url: "%s/api/v1/logs?since=x", timeout: 60s, paginate: {link: true}}
    response: {items: "@this", id: uuid, pick: {type: eventType}}
    changes: {baseline: emit}
`)
	linked := func(text []byte, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Link", `<`+a.URL+`/api/v1/logs?since=x>; rel="self"`)
			w.Header().Add("Link", `<`+a.URL+`/api/v1/logs?after=`+after+`>; rel="next"`)
			_, _ = w.Write(text)
		}
	}
	playRounds(t, d, a, hooks, []round{
		{name: "one page", pages: []turned{{"/api/v1/logs?since=x", linked(page, "1")}, {"/api/v1/logs?after=1", linked(empty, "2")}},
			told: []string{"log.created dc9fd3c0-598c-11ef-8478-2b7584bf8d5a 1"}},
		{name: "the same", pages: []turned{{"/api/v1/logs?since=x", linked(page, "1")}, {"/api/v1/logs?after=1", linked(empty, "2")}}},
	})
}

// 404 is the normal state of somebody who rides nowhere.
func TestA404ThatMeansNothing(t *testing.T) {
	t.Parallel()
	none := reply(http.StatusNotFound, "application/json", read(t, "uber_rides", "current_404_no_trip.json"))
	ride := body(read(t, "uber_rides", "current_processing.json"))
	d, a, hooks := paged(t, `
  ride:
    schedule: "@every 1s"
    request: {url: "%s/v1.2/requests/current", timeout: 60s}
    response: {pick: {status: status}, status: {404: empty}}
`)
	const uri = "/v1.2/requests/current"
	playRounds(t, d, a, hooks, []round{
		{name: "no ride", pages: []turned{{uri, none}}},
		{name: "a ride", pages: []turned{{uri, ride}}, told: []string{"ride.created ride 1"}},
		{name: "not there once", pages: []turned{{uri, none}}},
		{name: "there", pages: []turned{{uri, ride}}},
		{name: "an error", pages: []turned{{uri, reply(500, "text/plain", nil)}}, failed: "status"},
		{name: "not there", pages: []turned{{uri, none}}},
		{name: "gone", pages: []turned{{uri, none}}, told: []string{"ride.deleted ride 2"}},
		{name: "the next", pages: []turned{{uri, ride}}, told: []string{"ride.created ride 3"}},
	})
}

// A throttled GraphQL query has status 200 and no rule of the user's to find
// it.
func TestGraphQLInPages(t *testing.T) {
	t.Parallel()
	throttled := body(read(t, "shopify", "graphql_throttled.json"))
	d, a, hooks := paged(t, `
  orders:
    schedule: "@every 1s"
    request:
      url: "%s/graphql.json"
      timeout: 60s
      graphql:
        query: "query($n: Int, $after: String) { orders(first: $n, after: $after) { nodes { id total } pageInfo { hasNextPage endCursor } } }"
        variables: {n: 1}
      paginate: {cursor: data.orders.pageInfo.endCursor, param: variables.after, in: json, more: data.orders.pageInfo.hasNextPage}
    response: {items: data.orders.nodes, id: id}
    changes: {baseline: emit, confirm_deletes: 1}
`)
	page := func(after, id, total string, more bool) turned {
		return turned{"/graphql.json", func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Query     string
				Variables map[string]any
			}
			if err := json.Unmarshal(a.last.Body, &asked); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(asked.Query, "query($n") {
				t.Errorf("asked by %s %s: %v", r.Method, a.last.Body, err)
			}
			want := map[string]any{"n": 1.0}
			if after != "" {
				want["after"] = after
			}
			if diff := cmp.Diff(want, asked.Variables); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			fmt.Fprintf(w, `{"data":{"orders":{"nodes":[{"id":%q,"total":%q}],"pageInfo":{"hasNextPage":%v,"endCursor":"c-%s"}}}}`, id, total, more, id)
		}}
	}
	playRounds(t, d, a, hooks, []round{
		{name: "throttled at once", pages: []turned{{"/graphql.json", throttled}}, failed: "not_ok"},
		{name: "two pages", pages: []turned{page("", "a", "10.00", true), page("c-a", "b", "20.00", false)},
			told: []string{"orders.created a 1", "orders.created b 1"}},
		{name: "throttled on the second", pages: []turned{page("", "a", "11.00", true), {"/graphql.json", throttled}}, failed: "not_ok"},
		{name: "two pages again", pages: []turned{page("", "a", "11.00", true), page("c-a", "b", "20.00", false)}, told: []string{"orders.updated a 2"}},
	})
	d.says(t, d.stderr, `the answer has errors: .*Throttled`)
}
