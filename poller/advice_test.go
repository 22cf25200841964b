package poller_test

import (
	"strings"
	"testing"

	"github.com/deltahook/deltahook/poller"
)

// TestAdviceOnAStatus: of each it says what can be done, and the word once.
func TestAdviceOnAStatus(t *testing.T) {
	for text, want := range map[string]string{
		"status 401 Unauthorized":         "check the credentials",
		"status 403 Forbidden":            "check the credentials",
		"status 404 Not Found":            "check the URL; where it means that there is nothing, set response.status to {404: empty}",
		"status 410 Gone":                 "{410: empty}",
		"status 422 Unprocessable Entity": "check request",
		"status 429 Too Many Requests":    "poll less",
		"status 503 Service Unavailable":  "wait",
		"status 599":                      "wait",
		"status 302 Found":                "look at the answer",
		"status 304 Not Modified, though the request had no validators": "look at the answer",
		"page 500: status 404 Not Found":                                "{404: empty}",
		"page 2: status 404 means empty, where a page was expected":     "request.paginate",
		"something else": "look at the answer",
	} {
		f := poller.Failf(poller.ClassStatus, "%s", text)
		stored := poller.Status{Class: poller.ClassStatus, LastError: f.Error()}
		for how, got := range map[string]string{"told": f.Advice(), "stored": stored.Advice()} {
			if !strings.Contains(got, want) {
				t.Errorf("%s, %s: %q, want %q", text, how, got, want)
			}
		}
		if said := f.Error(); strings.Count(said, "status") != 1 {
			t.Errorf("%s is told as %q", text, said)
		}
	}
	if f := poller.Failf(poller.ClassStore, "status 3"); f.Error() != "store: status 3" || f.Advice() != "check the disk" {
		t.Errorf("another class: %q, %q", f.Error(), f.Advice())
	}
}
