package recipes_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var graphUser = []string{
	"GRAPH_URL=API", "GRAPH_TOKEN_URL=API/token", "GRAPH_ID=client", "GRAPH_SECRET=hidden-secret",
	"GRAPH_REFRESH_TOKEN=hidden-refresh", "CALENDAR_TIMEZONE=Europe/Berlin",
}

// calendars are the plays of what is told by the clock; those of Google and of
// delta queries are in deltas_test.go.
var calendars = map[string]play{
	"graph-calendar": {
		env:    graphUser,
		tokens: refreshToken("/token", true),
		refuse: all(bearer, path("/v1.0/me/calendarView"), func(r *http.Request) string {
			q := r.URL.Query()
			from, err1 := time.Parse(time.RFC3339, q.Get("startDateTime"))
			to, err2 := time.Parse(time.RFC3339, q.Get("endDateTime"))
			if q.Get("$skip") == "" && (err1 != nil || err2 != nil || to.Sub(from) != 21*24*time.Hour || !strings.HasPrefix(q.Get("$select"), "subject,")) {
				return "a window of three weeks and a selection are wanted"
			}
			return ""
		}),
		further: has("$skip", ""),
		steps: []step{
			{answer: week(graphMeeting("a", "2099-07-15T10:00:00"), graphMeeting("b", "2099-07-15T12:00:00"), graphMeeting("over", "2020-07-15T12:00:00"))},
			{answer: text(http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`)},
			{
				answer: week(graphMeeting("a", "2099-07-15T11:00:00"), graphMeeting("b", "2099-07-15T12:00:00"), graphMeeting("soon", "@302@")),
				told:   []string{"meeting.moved a end:2099-07-15T10:00:00.0000000->2099-07-15T11:00:00.0000000 start:2099-07-15T10:00:00.0000000->2099-07-15T11:00:00.0000000", "meeting.soon soon"},
			},
			{answer: week(graphMeeting("a", "2099-07-15T11:00:00"))}, // over is no longer listed, which is no cancellation
			{answer: week(graphMeeting("a", "2099-07-15T11:00:00")), told: []string{"meeting.cancelled b", "meeting.cancelled soon"}},
			{ // moved before it came to that: at the new time only
				answer: week(graphMeeting("a", "@310@")),
				told:   []string{"meeting.moved a end:2099-07-15T11:00:00.0000000->soon start:2099-07-15T11:00:00.0000000->soon"},
			},
			{
				answer: week(graphMeeting("a", "@315@")),
				told:   []string{"meeting.moved a end:soon->soon start:soon->soon", "meeting.soon a"}, quiet: 8 * time.Second,
			},
			{
				answer: week(strings.Replace(graphMeeting("a", "@316@"), `"isCancelled":false`, `"isCancelled":true`, 1)),
				told:   []string{"meeting.cancelled a"},
			},
		},
	},
	"graph-auto-reply": {
		env: []string{
			"GRAPH_URL=API", "GRAPH_LOGIN_URL=API", "GRAPH_TENANT=contoso.onmicrosoft.com", "GRAPH_ID=client", "GRAPH_SECRET=hidden-secret",
			"GRAPH_USER=ann@contoso.com",
		},
		tokens: clientToken("/contoso.onmicrosoft.com/oauth2/v2.0/token", true, "scope", "https://graph.microsoft.com/.default"),
		refuse: all(bearer, func(r *http.Request) string {
			if user := strings.Split(r.URL.Path, "/")[3]; strings.HasSuffix(user, "@contoso.com") {
				return path("/v1.0/users/" + user + "/mailboxSettings/automaticRepliesSetting")(r)
			}
			return "no such user"
		}),
		steps: []step{
			{answer: recorded("ms_graph/auto_reply_seq_1_disabled.json")},
			{answer: recorded("ms_graph/auto_reply_seq_2_scheduled.json"), told: []string{"autoreply.planned ann@contoso.com status:disabled->scheduled"}},
			{answer: recorded("ms_graph/auto_reply_seq_2_scheduled.json", `"scheduled"`, `"Scheduled"`)}, // as others spell it
			{answer: recorded("ms_graph/auto_reply_seq_3_always_enabled.json"), told: []string{"autoreply.on ann@contoso.com status:scheduled->alwaysEnabled"}},
			{answer: recorded("ms_graph/auto_reply_seq_1_disabled.json"), told: []string{"autoreply.off ann@contoso.com status:alwaysEnabled->disabled"}},
			{ // begins and ends by the clock, while the next poll waits
				answer: planned(2, 4),
				told: []string{
					"autoreply.planned ann@contoso.com from:2016-03-19T02:00:00.0000000->soon status:disabled->scheduled until:2016-03-20T02:00:00.0000000->soon",
					"autoreply.begins ann@contoso.com", "autoreply.ends ann@contoso.com",
				},
			},
			{answer: planned(10, 3600), told: []string{"autoreply.planned ann@contoso.com from:soon->soon until:soon->soon"}},
			{ // called off before it came to that
				answer: recorded("ms_graph/auto_reply_seq_1_disabled.json"), quiet: 11 * time.Second,
				told: []string{"autoreply.off ann@contoso.com from:soon->2016-03-19T02:00:00.0000000 status:scheduled->disabled until:soon->2016-03-20T02:00:00.0000000"},
			},
		},
	},
}

// inTime puts the time in so many seconds, in UTC and without a zone, in the
// place of each @seconds@.
func inTime(body string) string {
	return regexp.MustCompile(`@\d+@`).ReplaceAllStringFunc(body, func(in string) string {
		seconds, err := strconv.Atoi(strings.Trim(in, "@"))
		if err != nil {
			return err.Error()
		}
		return time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format("2006-01-02T15:04:05")
	})
}

// soon is an answer with times that are counted from when it is given.
func soon(body string) answer {
	return func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			reply(http.StatusOK, "application/json", inTime(body))(w, r)
		}
	}
}

// meeting is one of Google's, which begins in so many seconds.
func meeting(id string, seconds int, response string) string {
	at := fmt.Sprintf(`{"dateTime":"@%d@Z","timeZone":"Europe/Berlin"}`, seconds)
	return fmt.Sprintf(`{"id":%q,"status":"confirmed","summary":"Call","start":%s,"end":%[2]s,"attendees":[{"email":"b@x.example","responseStatus":"declined"},{"self":true,"responseStatus":%[3]q}]}`, id, at, response)
}

// graphMeeting is one of Microsoft's.
func graphMeeting(id, start string) string {
	at := fmt.Sprintf(`{"dateTime":"%s.0000000","timeZone":"UTC"}`, start)
	return fmt.Sprintf(`{"id":%q,"subject":"Review","isAllDay":false,"isCancelled":false,"responseStatus":{"response":"accepted"},"start":%s,"end":%[2]s}`, id, at)
}

// week is a list of meetings in two pages, of which the first has the first.
func week(meetings ...string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		return pages(parameter("$skip"), map[string]answer{
			"": func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					reply(http.StatusOK, "application/json", inTime(fmt.Sprintf(`{"value":[%s],"@odata.nextLink":"http://%s%s?$skip=1"}`, meetings[0], r.Host, r.URL.Path)))(w, r)
				}
			},
			"1": soon(`{"value":[` + strings.Join(meetings[1:], ",") + `]}`),
		})(t)
	}
}

// planned are automatic replies that begin and end in so many seconds.
func planned(from, until int) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		body := string(fixture(t, "ms_graph/auto_reply_seq_2_scheduled.json"))
		body = strings.ReplaceAll(body, "2016-03-19T02:00:00", fmt.Sprintf("@%d@", from))
		return soon(strings.ReplaceAll(body, "2016-03-20T02:00:00", fmt.Sprintf("@%d@", until)))(t)
	}
}

// Whole days are told at noon of the day before, where the calendar is: not
// played, for it is rarely noon, but as `deltahook diff` has it.
func TestWholeDays(t *testing.T) {
	t.Parallel()
	for recipe, tt := range map[string]struct{ source, before, after string }{
		"google-calendar": {
			"meetings", `{"items":[]}`,
			`{"items":[{"id":"day","status":"confirmed","start":{"date":"2099-07-16"},"end":{"date":"2099-07-17"}}]}`,
		},
		"graph-calendar": {
			"calendar", `{"value":[]}`,
			`{"value":[` + strings.Replace(graphMeeting("day", "2099-07-16T00:00:00"), `"isAllDay":false`, `"isAllDay":true`, 1) + `]}`,
		},
		"graph-calendar-delta": {
			"calendar", `{"value":[]}`,
			`{"value":[` + strings.Replace(graphMeeting("day", "2099-07-16T00:00:00"), `"isAllDay":false`, `"isAllDay":true`, 1) + `]}`,
		},
	} {
		t.Run(recipe, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, body := range map[string]string{"before.json": tt.before, "after.json": tt.after} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := []string{
				"CALENDAR_TIMEZONE=Europe/Berlin", "GOOGLE_ID=a", "GOOGLE_SECRET=hidden-1", "GOOGLE_REFRESH_TOKEN=hidden-2",
				"GRAPH_ID=a", "GRAPH_SECRET=hidden-1", "GRAPH_REFRESH_TOKEN=hidden-2",
			}
			if status, _, log := deltahook(t, dir, env, "init", recipe); status != 0 {
				t.Fatal(log)
			}
			_, out, log := deltahook(t, dir, env, "diff", "before.json", "after.json", "--source", tt.source)
			if !regexp.MustCompile(`day\.soon +waits for its time, 2099-07-15T10:00:00Z`).MatchString(out) || !regexp.MustCompile(`meeting\.soon +the item names no time`).MatchString(out) {
				t.Errorf("diff said:\n%s%s", out, log)
			}
		})
	}
}
