package poller_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
)

// conditional is a server that has two versions of one resource.
func conditional(t *testing.T, asked *[]string, header, value string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		etag, since := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
		*asked = append(*asked, strings.TrimSpace(etag+" "+since))
		w.Header().Set(header, value)
		if etag != "" || since != "" {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, `{}`)
	}).URL
}

func TestConditional(t *testing.T) {
	for header, value := range map[string]string{
		"ETag":          `W/"v1"`,
		"Last-Modified": time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat),
	} {
		t.Run(header, func(t *testing.T) {
			var asked []string
			s := source(t, client(t), poller.RequestSettings{URL: conditional(t, &asked, header, value)}, poller.ResponseSettings{})
			first, err := s.Ask(t.Context(), poller.Bookmarks{})
			if err != nil {
				t.Fatal(err)
			}
			second, err := s.Ask(t.Context(), first.Bookmarks)
			if err != nil {
				t.Fatal(err)
			}
			if !second.Unmodified || second.Pages != nil || second.Status != 304 || second.Received.IsZero() {
				t.Errorf("got %+v", second)
			}
			if diff := cmp.Diff(first.Bookmarks, second.Bookmarks); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"", value}, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFreshLastModified: what was modified in the second of the answer may be
// modified again in it, and would have the same date.
func TestFreshLastModified(t *testing.T) {
	modified := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for after, kept := range map[time.Duration]bool{0: false, time.Second: false, 2 * time.Second: true} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
			w.Header().Set("Date", modified.Add(after).Format(http.TimeFormat))
			io.WriteString(w, `{}`)
		}).URL
		s := source(t, client(t), poller.RequestSettings{URL: url}, poller.ResponseSettings{})
		answer, err := s.Ask(t.Context(), poller.Bookmarks{})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Bookmarks.LastModified; (got != "") != kept {
			t.Errorf("answered %s after it was modified: kept %q", after, got)
		}
	}
}

// TestUnconditional: validators belong to the request that they came with, and
// to how its answer is judged.
func TestUnconditional(t *testing.T) {
	var asked []string
	url := conditional(t, &asked, "ETag", `W/"v1"`)
	c := client(t)
	plain := poller.RequestSettings{URL: url}
	first, err := source(t, c, plain, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]struct {
		q    poller.RequestSettings
		resp poller.ResponseSettings
	}{
		"another URL":      {poller.RequestSettings{URL: url + "?a=1"}, poller.ResponseSettings{}},
		"another header":   {poller.RequestSettings{URL: url, Headers: map[string]string{"X-A": "1"}}, poller.ResponseSettings{}},
		"another host":     {poller.RequestSettings{URL: url, Headers: map[string]string{"Host": "b"}}, poller.ResponseSettings{}},
		"another body":     {poller.RequestSettings{URL: url, Method: "GET", Body: "1"}, poller.ResponseSettings{}},
		"another judgment": {plain, poller.ResponseSettings{OK: "true"}},
		"switched off":     {poller.RequestSettings{URL: url, Conditional: "off"}, poller.ResponseSettings{}},
		"POST":             {poller.RequestSettings{URL: url, Method: "POST"}, poller.ResponseSettings{}},
		"varies":           {poller.RequestSettings{URL: url, Headers: map[string]string{"X-A": "{{ uuid() }}"}}, poller.ResponseSettings{}},
	} {
		asked = nil
		s := source(t, c, other.q, other.resp)
		got, err := s.Ask(t.Context(), first.Bookmarks)
		if err != nil || got.Unmodified {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if diff := cmp.Diff([]string{""}, asked); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if keeps := got.Bookmarks.ETag != ""; keeps == (name == "POST" || name == "switched off") {
			t.Errorf("%s: bookmarks %+v", name, got.Bookmarks)
		}
	}
	same, err := source(t, c, plain, poller.ResponseSettings{}).Ask(t.Context(), first.Bookmarks)
	if err != nil || !same.Unmodified {
		t.Errorf("the same request, compiled again: got %+v, %v", same, err)
	}
}

func TestNewerValidators(t *testing.T) {
	n := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, n))
		if n > 1 {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, `{}`)
	})
	s := source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{})
	first, err := s.Ask(t.Context(), poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Ask(t.Context(), first.Bookmarks)
	if err != nil || second.Bookmarks.ETag != `"v2"` {
		t.Errorf("got %+v, %v", second, err)
	}
}

func TestLongValidatorIsNotKept(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"`+strings.Repeat("x", 2000)+`"`)
		io.WriteString(w, `{}`)
	})
	a, err := source(t, client(t), poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil || a.Bookmarks.ETag != "" {
		t.Errorf("got %+v, %v", a, err)
	}
}
