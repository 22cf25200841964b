package recipes_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// deltas are the plays of what says only what is new, or changed, since the
// answer before.
var deltas = map[string]play{
	"google-calendar": {
		env: []string{
			"GOOGLE_URL=API", "GOOGLE_TOKEN_URL=API/token", "GOOGLE_ID=client", "GOOGLE_SECRET=hidden-secret",
			"GOOGLE_REFRESH_TOKEN=hidden-refresh", "CALENDAR_TIMEZONE=Europe/Berlin",
		},
		tokens:  refreshToken("/token", true),
		refuse:  all(bearer, path("/calendar/v3/calendars/primary/events")),
		further: has("pageToken", ""),
		steps: []step{
			{answer: calendar},
			{answer: text(http.StatusForbidden, `{"error":{"code":403,"errors":[{"reason":"rateLimitExceeded"}]}}`)},
			{
				answer: pages(parameter("syncToken"), map[string]answer{"CPDAlvWDx70CEPDAlvWDx": recorded("google_calendar/incremental.json")}),
				told: []string{
					"meeting.cancelled evt2",
					"meeting.moved evt1 end:2026-07-15T10:30:00+02:00->2026-07-15T11:30:00+02:00 " +
						"start:2026-07-15T10:00:00+02:00->2026-07-15T11:00:00+02:00 title:Standup->Standup (moved)",
				},
			},
			{answer: pages(parameter("syncToken"), map[string]answer{"CPDAlvWDx70CEPDAlvWDy": failing(http.StatusGone, "google_calendar/error_410.json")})},
			{answer: calendar}, // all over again, without events
			{
				answer: pages(parameter("syncToken"), map[string]answer{
					"CPDAlvWDx70CEPDAlvWDx": ok(`{"nextSyncToken":"z","items":[{"id":"evt3","status":"cancelled"},{"id":"evt4","status":"confirmed","summary":"New"}]}`),
				}),
				told: []string{"meeting.cancelled evt3", "meeting.added evt4"},
			},
			{ // told by the clock, while the next poll waits; not to one who has declined
				answer: only(parameter("syncToken"), "z", soon(`{"nextSyncToken":"z1","items":[`+meeting("m1", 303, "accepted")+`,`+meeting("m2", 302, "declined")+`]}`)),
				told:   []string{"meeting.added m1", "meeting.added m2", "meeting.soon m1"},
			},
			{
				answer: only(parameter("syncToken"), "z1", soon(`{"nextSyncToken":"z2","items":[`+meeting("m3", 310, "")+`,`+meeting("m4", 310, "")+`]}`)),
				told:   []string{"meeting.added m3", "meeting.added m4"},
			},
			{ // moved, and cancelled, before it came to that: at the new time only
				answer: only(parameter("syncToken"), "z2", soon(`{"nextSyncToken":"z3","items":[`+meeting("m3", 315, "")+`,{"id":"m4","status":"cancelled"}]}`)),
				told:   []string{"meeting.moved m3 end:soon->soon start:soon->soon", "meeting.cancelled m4", "meeting.soon m3"},
				quiet:  8 * time.Second,
			},
		},
	},
	"graph-calendar-delta": {
		env:     graphUser,
		tokens:  refreshToken("/token", true),
		refuse:  all(bearer, header("Prefer", "odata.maxpagesize=50"), path("/v1.0/me/calendarView/delta")),
		further: has("$skiptoken", ""),
		steps: []step{
			{answer: view("", "one", graphMeeting("AAMk2", "2099-07-15T12:00:00"))},
			{answer: text(http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`)},
			{answer: view("one", "two", `{"id":"AAMk2","@removed":{"reason":"deleted"}}`), told: []string{"meeting.cancelled AAMk2"}},
			{answer: view("two", "three", graphMeeting("AAMk3", "2099-07-15T10:00:00"))},
			{
				answer: view("three", "four", graphMeeting("AAMk3", "2099-07-15T11:00:00")),
				told:   []string{"meeting.moved AAMk3 end:2099-07-15T10:00:00.0000000->2099-07-15T11:00:00.0000000 start:2099-07-15T10:00:00.0000000->2099-07-15T11:00:00.0000000"},
			},
			{answer: text(http.StatusGone, `{"error":{"code":"syncStateNotFound"}}`)},
			{answer: view("", "five", graphMeeting("AAMk3", "2099-07-15T12:00:00"))}, // without events
			{answer: view("five", "six", `{"id":"AAMk3","@removed":{"reason":"deleted"}}`), told: []string{"meeting.cancelled AAMk3"}},
			{answer: view("six", "seven", graphMeeting("AAMk4", "@302@")), told: []string{"meeting.soon AAMk4"}},
			{answer: view("seven", "eight", graphMeeting("AAMk5", "2020-07-15T10:00:00"))},
			{answer: view("eight", "nine", `{"id":"AAMk5","@removed":{"reason":"changed"}}`)}, // it was over: no cancellation
		},
	},
	"okta-log": {
		env:     []string{"OKTA_URL=API", "OKTA_TOKEN=hidden-token"},
		refuse:  all(header("Authorization", "SSWS hidden-token"), path("/api/v1/logs")),
		further: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Query().Get("after"), "-more") },
		steps: []step{
			{answer: log("", "a", recorded("okta/logs_page.json"))},
			{answer: log("a", "a", recorded("okta/logs_empty.json"))}, // the same link for ever
			{answer: text(http.StatusTooManyRequests, `{"errorCode":"E0000047"}`)},
			{
				answer: log("a", "b", recorded("okta/logs_page.json", "dc9fd3c0-598c-11ef-8478-2b7584bf8d5a", "second", `"SUCCESS"`, `"FAILURE"`)),
				told:   []string{"login.failed second"},
			},
			{
				answer: log("b", "c", recorded("okta/logs_page.json", "dc9fd3c0-598c-11ef-8478-2b7584bf8d5a", "third", "user.session.start", "user.mfa.factor.deactivate")),
				told:   []string{"mfa.changed third"},
			},
		},
	},
	"paypal-transactions": {
		env:    []string{"PAYPAL_URL=API", "PAYPAL_ID=client", "PAYPAL_SECRET=hidden-secret"},
		tokens: clientToken("/v1/oauth2/token", false),
		refuse: all(bearer, path("/v1/reporting/transactions"), func(r *http.Request) string {
			from, err1 := time.Parse(time.RFC3339, r.URL.Query().Get("start_date"))
			to, err2 := time.Parse(time.RFC3339, r.URL.Query().Get("end_date"))
			if span := to.Sub(from); err1 != nil || err2 != nil || span <= 0 || span > 31*24*time.Hour {
				return "a window of 31 days at most is wanted"
			}
			return ""
		}),
		further: has("page", "1"),
		steps: []step{
			{answer: transactions("30d", "P", `{"transaction_info":{"transaction_id":"T2","transaction_status":"S"}}`)},
			{answer: text(http.StatusTooManyRequests, `{"name":"RATE_LIMIT_REACHED"}`)},
			{
				answer: transactions("4h", "S", `{"transaction_info":{"transaction_id":"T2","transaction_status":"S"}}`),
				told:   []string{"transaction.status T1 status:P->S"},
			},
			{answer: transactions("4h", "S", `{"transaction_info":{"transaction_id":"T3","transaction_status":"S"}}`), told: []string{"transaction.booked T3"}},
			{answer: transactions("4h", "S", `{"transaction_info":{"transaction_id":"T3","transaction_status":"S"}}`)}, // T2 is older than that: not told
		},
	},
	"spotify-recently-played": {
		env: []string{
			"SPOTIFY_URL=API", "SPOTIFY_TOKEN_URL=API/api/token", "SPOTIFY_ID=client", "SPOTIFY_SECRET=hidden-secret",
			"SPOTIFY_REFRESH_TOKEN=hidden-refresh",
		},
		tokens: refreshToken("/api/token", false),
		refuse: all(bearer, path("/v1/me/player/recently-played")),
		steps: []step{
			{answer: pages(parameter("after"), map[string]answer{"": recorded("spotify/recently_played.json")})},
			{answer: failing(http.StatusTooManyRequests, "spotify/error_429_quota.json", "Retry-After", "1")},
			{answer: pages(parameter("after"), map[string]answer{"1695397413750": ok(`{"items":[],"next":null,"cursors":null,"limit":50}`)})},
			{
				answer: pages(parameter("after"), map[string]answer{
					"1695397413750": ok(`{"items":[{"track":{"name":"Cappadocia"},"played_at":"2023-09-22T16:00:00Z"}],"cursors":{"after":"1695398400000"}}`),
				}),
				told: []string{"track.played 2023-09-22T16:00:00Z"},
			},
			{answer: pages(parameter("after"), map[string]answer{"1695398400000": ok(`{"items":[]}`)})},
		},
	},
	"uber-ride-history": {
		env:    []string{"UBER_URL=API", "UBER_TOKEN=hidden-token"},
		refuse: all(header("Authorization", "Bearer hidden-token"), path("/v1.2/history"), query("limit=50")),
		steps: []step{
			{answer: recorded("uber_rides/history_offset.json")},
			{answer: text(http.StatusInternalServerError, `{"code":"internal_server_error"}`)},
			{answer: recorded("uber_rides/history_offset.json", "fb0a7c1f-2cf7-4310-bd27-8ba7737362fe", "next"), told: []string{"trip.completed next"}},
			{answer: ok(`{"count":14,"history":[{"request_id":"last","status":"rider_canceled"}]}`), told: []string{"trip.ended last"}},
			{answer: recorded("uber_rides/history_offset.json")}, // known: not told
		},
	},
}

// calendar is a whole calendar, in three pages of which the second is empty.
var calendar = pages(func(r *http.Request) string { return r.URL.Query().Get("syncToken") + r.URL.Query().Get("pageToken") }, map[string]answer{
	"":                                recorded("google_calendar/full_sync_page1.json"),
	"CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA": recorded("google_calendar/full_sync_page2_empty_items.json"),
	"page3":                           recorded("google_calendar/full_sync_page3.json"),
})

// view is a round in two pages, of which the first is recorded. It is asked
// for by the link with the token at, or, without one, by a window; its own
// link has the token next.
func view(at, next, item string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		page := string(fixture(t, "ms_graph/calendar_delta_next.json"))
		return func(w http.ResponseWriter, r *http.Request) {
			q, base := r.URL.Query(), "http://"+r.Host
			if q.Get("$skiptoken") != "" {
				reply(http.StatusOK, "application/json", inTime(fmt.Sprintf(`{"@odata.deltaLink":%q,"value":[%s]}`, base+r.URL.Path+"?$deltatoken="+next, item)))(w, r)
				return
			}
			if q.Get("$deltatoken") != at || (at == "") != (q.Get("startDateTime") != "" && q.Get("endDateTime") != "") {
				t.Errorf("%s was asked for, want the token %q", r.URL, at)
			}
			reply(http.StatusOK, "application/json", strings.ReplaceAll(page, "https://graph.microsoft.com", base))(w, r)
		}
	}
}

// log is a page of a log and the empty one behind it. The page is asked for by
// the link with at, or, without one, since a time; the link of the empty one
// has next. Where that is at, the page is empty itself.
func log(at, next string, page answer) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		full := page(t)
		return func(w http.ResponseWriter, r *http.Request) {
			after, link, body := r.URL.Query().Get("after"), next, full
			switch {
			case strings.HasSuffix(after, "-more"):
				body = reply(http.StatusOK, "application/json", "[]")
			case after != at, at == "" && r.URL.Query().Get("since") == "":
				t.Errorf("%s was asked for, want the link with %q", r.URL, at)
			case at != next:
				link = at + "-more"
			}
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?after=%s>; rel="next"`, r.Host, r.URL.Path, link))
			body(w, r)
		}
	}
}

// transactions are two pages of one transaction each, for a request that
// begins so long ago. They are complete until an hour ago, so the next request
// begins three hours before that.
func transactions(begun, first, second string) answer {
	refreshed := time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05+0000")
	page := `{"total_items":2,"total_pages":2,"last_refreshed_datetime":"` + refreshed + `","transaction_details":[%s]}`
	ago := func(r *http.Request) string {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("start_date"))
		switch span := time.Since(from); {
		case err != nil:
			return err.Error()
		case span > 719*time.Hour && during(2):
			return begun // all of them are asked for at this hour
		case span > 719*time.Hour:
			return "30d"
		default:
			return fmt.Sprintf("%.0fh", span.Hours())
		}
	}
	return only(ago, begun, pages(parameter("page"), map[string]answer{
		"1": ok(fmt.Sprintf(page, fmt.Sprintf(`{"transaction_info":{"transaction_id":"T1","transaction_status":%q}}`, first))),
		"2": ok(fmt.Sprintf(page, second)),
	}))
}
