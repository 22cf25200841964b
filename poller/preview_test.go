package poller_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// TestPreview: neither what is known to be secret is shown, nor what a telling
// name suggests is.
func TestPreview(t *testing.T) {
	for _, c := range []struct {
		name string
		q    poller.RequestSettings
		want poller.Preview
	}{
		{"URL and headers", poller.RequestSettings{
			URL:     "https://me:pass@x.example/" + hidden + "/orders?api_key=abc&page=2",
			Query:   map[string]string{"token": "abc", "q": hidden},
			Headers: map[string]string{"X-Api-Key": "abc", "X-Note": "see " + hidden, "Host": "y.example"},
		}, poller.Preview{
			Method: "GET", URL: "https://x.example/<secret>/orders?api_key=<secret>&page=2&q=<secret>&token=<secret>",
			Header: http.Header{"Authorization": {secret.Mask}, "X-Api-Key": {secret.Mask}, "X-Note": {"see " + secret.Mask}, "Host": {"y.example"}},
		}},
		{"form", poller.RequestSettings{
			URL: "https://x.example", Form: map[string]string{"password": "abc", "user": "me", "note": hidden},
		}, poller.Preview{
			Method: "POST", URL: "https://x.example", Body: "note=<secret>&password=<secret>&user=me",
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		}},
		{"JSON", poller.RequestSettings{
			URL: "https://x.example", JSON: map[string]any{"login": []any{map[string]any{"client_secret": "abc", "n": 1}}, "note": hidden},
		}, poller.Preview{
			Method: "POST", URL: "https://x.example",
			Body:   "{\n  \"login\": [\n    {\n      \"client_secret\": \"<secret>\",\n      \"n\": 1\n    }\n  ],\n  \"note\": \"<secret>\"\n}",
			Header: http.Header{"Content-Type": {"application/json"}},
		}},
		{"JSON without secrets stays as it is sent", poller.RequestSettings{
			URL: "https://x.example", JSON: map[string]any{"b": "<", "a": 1},
		}, poller.Preview{
			Method: "POST", URL: "https://x.example", Body: `{"a":1,"b":"<"}`,
			Header: http.Header{"Content-Type": {"application/json"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := source(t, client(t), c.q, poller.ResponseSettings{}).Preview(poller.Bookmarks{})
			if err != nil {
				t.Fatal(err)
			}
			c.want.Header.Set("Accept", "application/json, */*;q=0.5")
			c.want.Header.Set("User-Agent", "Deltahook/test")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
