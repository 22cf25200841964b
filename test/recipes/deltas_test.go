package recipes_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// deltas are the plays of what says only what is new, or changed, since the
// answer before.
var deltas = map[string]play{
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
