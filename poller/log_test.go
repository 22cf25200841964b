package poller_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
)

// TestStreakIsTold once when it starts, once when it changes its class, though
// not more than once a minute, and once when it ends.
func TestStreakIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		answers := func(*http.Request) (*http.Response, error) {
			switch at := time.Since(start); {
			case at < 10*time.Second:
				return reply(200, "{}")
			case at < 20*time.Second: // two classes in turn
				return reply(500, "")
			case at < 40*time.Second:
				return reply(200, "[")
			case at < 30*time.Minute:
				return reply(204, "")
			}
			return reply(200, "{}")
		}
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "next" || a.Key == "advice" {
				return slog.Attr{}
			}
			return a
		}}))
		marks := map[string]poller.Bookmarks{"a": marked}
		run(t, poller.New(sources(t, answers, "", map[string]string{"a": "*/5 * * * * *"}), marks, &sink{}, poller.Options{Logger: logger}), time.Hour)
		want := []string{
			`level=WARN msg="poll failed" source=a err="status: 500 Internal Server Error" failures=1`,
			`level=WARN msg="poll failed" source=a err="format: status 204 No Content: an answer without a body, where JSON was expected" failures=7`,
			`level=INFO msg="poll works again" source=a failures=12 lasted=37m11s was="format: status 204 No Content: an answer without a body, where JSON was expected"`,
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
			t.Error(diff)
		}
	})
}
