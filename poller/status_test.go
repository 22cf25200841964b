package poller_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
)

func TestWhatAStatusMeans(t *testing.T) {
	type got struct {
		Pages  int
		Reset  bool
		Status int
		Class  poller.Class
	}
	for _, c := range []struct {
		name   string
		answer int
		body   string
		status map[string]string
		want   got
	}{
		{"404 as empty", 404, `{"errors":[1]}`, map[string]string{"404": "empty"}, got{Status: 404}},
		{"204 as empty", 204, "", map[string]string{"204": "empty"}, got{Status: 204}},
		{"200 as empty", 200, "", map[string]string{"200": "empty"}, got{Status: 200}},
		{"410 as reset", 410, "gone", map[string]string{"410": "reset"}, got{Status: 410, Reset: true}},
		{"404 as an answer", 404, `{}`, map[string]string{"404": "ok"}, got{Status: 404, Pages: 1}},
		{"206 as an answer", 206, `{}`, map[string]string{"206": "ok"}, got{Status: 206, Pages: 1}},
		{"404 as an answer that is none", 404, `<html>`, map[string]string{"404": "ok"}, got{Class: poller.ClassFormat}},
		{"204 as an answer", 204, "", map[string]string{"204": "ok"}, got{Class: poller.ClassFormat}},
		{"200 as an error", 200, `{}`, map[string]string{"200": "error"}, got{Class: poller.ClassStatus}},
		{"not mapped", 404, `{}`, map[string]string{"410": "empty"}, got{Class: poller.ClassStatus}},
		{"304 that nobody asked for", 304, "", nil, got{Class: poller.ClassStatus}},
		{"304 that nobody asked for, as empty", 304, "", map[string]string{"304": "empty"}, got{Status: 304}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("ETag", `"v"`)
				w.WriteHeader(c.answer)
				_, _ = io.WriteString(w, c.body) // 204 and 304 take none
			})
			// What is required of an answer is not required of none.
			s := source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{Status: c.status})
			if c.want.Class != "" {
				failure(t, s, c.want.Class, "")
				return
			}
			a, err := s.Ask(t.Context(), poller.Bookmarks{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got{Pages: len(a.Pages), Reset: a.Reset, Status: a.Status}); diff != "" {
				t.Error(diff)
			}
			if a.Received.IsZero() || a.Source != "parcels" || a.Header["etag"] != `"v"` {
				t.Errorf("got %+v", a)
			}
			if len(a.Pages) == 0 && a.Bookmarks != (poller.Bookmarks{}) {
				t.Errorf("an answer without a body left bookmarks: %+v", a.Bookmarks)
			}
		})
	}
}

func TestAnEmptyAnswerNeedsNoContent(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	s := source(t, client(t), poller.RequestSettings{URL: server.URL},
		poller.ResponseSettings{Status: map[string]string{"404": "empty"}, Require: []string{"a"}, OK: "status == 200"})
	if _, err := s.Ask(t.Context(), poller.Bookmarks{}); err != nil {
		t.Error(err)
	}
}

// A 304 stands for the answer before only if a status is read now as it was
// then.
func TestAnotherMeaningMakesNoConditionalRequest(t *testing.T) {
	conditional := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			conditional++
		}
		w.Header().Set("ETag", `"v"`)
		_, _ = io.WriteString(w, `{}`)
	})
	c := client(t)
	q := poller.RequestSettings{URL: server.URL}
	first, err := source(t, c, q, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[string]int{"": 1, "404": 0} {
		conditional = 0
		resp := poller.ResponseSettings{}
		if status != "" {
			resp.Status = map[string]string{status: "empty"}
		}
		if _, err := source(t, c, q, resp).Ask(t.Context(), first.Bookmarks); err != nil {
			t.Fatal(err)
		}
		if conditional != want {
			t.Errorf("status %q: %d conditional requests, want %d", status, conditional, want)
		}
	}
}
