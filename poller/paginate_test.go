package poller_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// list is how the answers of these tests are read.
var list = poller.ResponseSettings{Items: "items"}

// book is an API whose answers are chosen by the request's URI and body.
type book struct {
	asked []string
	*httptest.Server
}

// open starts a book. What has no answer in it is not found. In an answer and
// in the header Link, HOST is the server's own URL.
func open(t *testing.T, link map[string]string, answers map[string]string) *book {
	t.Helper()
	b := &book{}
	b.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		uri := strings.TrimSpace(r.RequestURI + " " + string(body))
		b.asked = append(b.asked, uri)
		answer, ok := answers[uri]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v"`)
		if l, ok := link[uri]; ok {
			w.Header().Set("Link", strings.ReplaceAll(l, "HOST", b.URL))
		}
		_, _ = io.WriteString(w, strings.ReplaceAll(answer, "HOST", b.URL))
	})
	return b
}

// TestPaging: each kind goes from page to page and stops where it should. The
// pages are asked for in the order in which the answers stand.
func TestPaging(t *testing.T) {
	for _, c := range []struct {
		name  string
		query string // of the first request
		json  any
		p     poller.PaginateSettings
		link  map[string]string
		pages [][2]string // URI and body, answer
	}{
		{name: "link", query: "?per=1", p: poller.PaginateSettings{Link: true},
			link:  map[string]string{"/?per=1": `<HOST/next?p=2>; rel="next", <HOST/l>; rel="last"`, "/next?p=2": `</third>; rel=next`, "/third": `<HOST/>; rel="first"`},
			pages: [][2]string{{"/?per=1", `{"items":[1]}`}, {"/next?p=2", `{"items":[2]}`}, {"/third", `{"items":[3]}`}}},
		{name: "a link that never ends", p: poller.PaginateSettings{Link: true},
			link:  map[string]string{"/": `<HOST/2>; rel="next"`, "/2": `<HOST/3>; rel="next"`},
			pages: [][2]string{{"/", `{"items":[1]}`}, {"/2", `{"items":[]}`}}},
		{name: "next, with an empty page", p: poller.PaginateSettings{Next: "links.next"},
			pages: [][2]string{{"/", `{"items":[1],"links":{"next":"HOST/a?b=c%20d"}}`}, {"/a?b=c%20d", `{"items":[],"links":{"next":"?after=3"}}`},
				{"/a?after=3", `{"items":[2],"links":{"next":null}}`}}},
		{name: "cursor, with an empty page", query: "?max=2&pageToken=x&z=%2F", p: poller.PaginateSettings{Cursor: "nextPageToken", Param: "pageToken"},
			pages: [][2]string{{"/?max=2&pageToken=x&z=%2F", `{"items":[1],"nextPageToken":"a b&c="}`},
				{"/?max=2&pageToken=a%20b%26c%3D&z=%2F", `{"items":[],"nextPageToken":"page3"}`}, {"/?max=2&pageToken=page3&z=%2F", `{"items":[2]}`}}},
		{name: "a cursor that is a list", p: poller.PaginateSettings{Cursor: "metadata.next_offset", Param: "next_offset"},
			pages: [][2]string{{"/", `{"items":[1],"metadata":{"next_offset":["1532951895000","af0ba235"]}}`},
				{"/?next_offset=1532951895000%2Caf0ba235", `{"items":[2],"metadata":{"next_offset":[]}}`}}},
		{name: "a cursor in the body", json: map[string]any{"limit": 2, "big": 12345678901234567},
			p: poller.PaginateSettings{Cursor: "paging.next.after", Param: "after", In: "json"},
			pages: [][2]string{{`/ {"big":12345678901234567,"limit":2}`, `{"items":[1],"paging":{"next":{"after":"2"}}}`},
				{`/ {"after":"2","big":12345678901234567,"limit":2}`, `{"items":[2],"paging":{"next":{"after":[3.10,"<"]}}}`},
				{`/ {"after":[3.10,"<"],"big":12345678901234567,"limit":2}`, `{"items":[3]}`}}},
		{name: "a cursor deep in the body, and more", json: map[string]any{"q": "x"},
			p: poller.PaginateSettings{Cursor: "c", Param: "variables.page.after", In: "json", More: "m"},
			pages: [][2]string{{`/ {"q":"x"}`, `{"items":[1],"c":"a","m":true}`},
				{`/ {"q":"x","variables":{"page":{"after":"a"}}}`, `{"items":[2],"c":"b","m":false}`}}},
		{name: "last id, with more", p: poller.PaginateSettings{LastID: "id", Param: "starting_after", More: "has_more"},
			pages: [][2]string{{"/", `{"items":[{"id":"a"},{"id":"b"}],"has_more":true}`}, {"/?starting_after=b", `{"items":[{"id":"c"}],"has_more":false}`}}},
		{name: "last id in the body, until an empty page", p: poller.PaginateSettings{LastID: "items.@reverse.0.n", Param: "after"},
			pages: [][2]string{{"/", `{"items":[{"id":"a","n":7}]}`}, {"/?after=7", `{"items":[]}`}}},
		{name: "page, until an empty one", query: "?q=1", p: poller.PaginateSettings{Page: "page", Size: "per_page", Limit: 2},
			pages: [][2]string{{"/?q=1&page=1&per_page=2", `{"items":[1,2]}`}, {"/?q=1&page=2&per_page=2", `{"items":[3]}`}, {"/?q=1&page=3&per_page=2", `{"items":[]}`}}},
		{name: "page, counted", p: poller.PaginateSettings{Page: "p", Start: new(0), Pages: "total_pages"},
			pages: [][2]string{{"/?p=0", `{"items":[1],"total_pages":3}`}, {"/?p=1", `{"items":[],"total_pages":"3"}`}, {"/?p=2", `{"items":[2],"total_pages":3}`}}},
		{name: "page, none at all", p: poller.PaginateSettings{Page: "p", Pages: "total_pages"},
			pages: [][2]string{{"/?p=1", `{"items":[],"total_pages":0}`}}},
		{name: "page in the body", json: map[string]any{"page": 9}, p: poller.PaginateSettings{Page: "page", In: "json", More: "more"},
			pages: [][2]string{{`/ {"page":1}`, `{"items":[1],"more":true}`}, {`/ {"page":2}`, `{"items":[1]}`}}},
		{name: "offset moves by what came", p: poller.PaginateSettings{Offset: "offset", Size: "limit", Limit: 100},
			pages: [][2]string{{"/?offset=0&limit=100", `{"items":[1,2,3]}`}, {"/?offset=3&limit=100", `{"items":[4]}`}, {"/?offset=4&limit=100", `{"items":[]}`}}},
		{name: "offset from one", p: poller.PaginateSettings{Offset: "startIndex", Start: new(1), More: "more"},
			pages: [][2]string{{"/?startIndex=1", `{"items":[1,2],"more":true}`}, {"/?startIndex=3", `{"items":[3],"more":false}`}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers, uris := map[string]string{}, []string{}
			for _, p := range c.pages {
				answers[p[0]], uris = p[1], append(uris, p[0])
			}
			b := open(t, c.link, answers)
			s := source(t, client(t), poller.RequestSettings{URL: b.URL + "/" + c.query, JSON: c.json, Paginate: c.p}, list)
			marks := poller.Bookmarks{}
			for range 2 { // the second poll is like the first: nothing of it is conditional
				b.asked = nil
				a, err := s.Ask(t.Context(), marks)
				if err != nil {
					t.Fatalf("%v, after %q", err, b.asked)
				}
				if diff := cmp.Diff(uris, b.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				var got []string
				for _, page := range a.Pages {
					got = append(got, string(page))
				}
				var want []string
				for _, p := range c.pages {
					want = append(want, strings.ReplaceAll(p[1], "HOST", b.URL))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("pages (-want +got):\n%s", diff)
				}
				if marks = a.Bookmarks; marks.ETag != "" || a.Status != 200 || a.Header["etag"] == "" {
					t.Errorf("got %+v", a)
				}
			}
		})
	}
}

// TestPagingFails: where not all pages come, none does.
func TestPagingFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		p     poller.PaginateSettings
		resp  poller.ResponseSettings
		link  map[string]string
		pages map[string]string
		class poller.Class
		want  string
		asked int
	}{
		{"a page is not there", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":"/2"}`}, poller.ClassStatus, "page 2: 404", 2},
		{"a page is no JSON", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":"/2"}`, "/2": `<html>`}, poller.ClassFormat, "page 2: an HTML page", 2},
		{"a page lacks what is required", poller.PaginateSettings{Next: "n"}, poller.ResponseSettings{Items: "items", Require: []string{"v"}}, nil,
			map[string]string{"/": `{"items":[1],"n":"/2","v":1}`, "/2": `{"items":[1]}`}, poller.ClassRequire, "page 2: v is absent", 2},
		{"a page is not ok", poller.PaginateSettings{Next: "n"}, poller.ResponseSettings{Items: "items", OK: "body.error == nil"}, nil,
			map[string]string{"/": `{"items":[1],"n":"/2"}`, "/2": `{"items":[1],"error":1}`}, poller.ClassOK, "page 2: false", 2},
		{"a page is empty by its status", poller.PaginateSettings{Next: "n"}, poller.ResponseSettings{Items: "items", Status: map[string]string{"404": "empty"}}, nil,
			map[string]string{"/": `{"items":[1],"n":"/2"}`}, poller.ClassStatus, "page 2: 404 means empty", 2},
		{"a promised page is empty by its status", poller.PaginateSettings{Link: true}, poller.ResponseSettings{Items: "items", Status: map[string]string{"404": "empty"}}, map[string]string{"/": `</2>; rel=next`},
			map[string]string{"/": `{"items":[1]}`}, poller.ClassStatus, "page 2: 404 means empty", 2},
		{"a link header that cannot be read", poller.PaginateSettings{Link: true}, list, map[string]string{"/": `</p>; rel=prev; title=a b, c, </2>; rel="next"`},
			map[string]string{"/": `{"items":[1]}`}, poller.ClassPages, "page 1: the Link header is not of the form", 1},
		{"a link header that is cut off", poller.PaginateSettings{Link: true}, list, map[string]string{"/": `</2>; rel="ne`},
			map[string]string{"/": `{"items":[1]}`}, poller.ClassPages, "page 1: a string in the Link header", 1},
		{"a link to nowhere", poller.PaginateSettings{Link: true}, list, map[string]string{"/": `<>; rel="next"`},
			map[string]string{"/": `{"items":[1]}`}, poller.ClassPages, "page 1: the link to the next page is one that was followed before", 1},
		{"a link to itself", poller.PaginateSettings{Link: true}, list, map[string]string{"/": `</>; rel=next`},
			map[string]string{"/": `{"items":[1]}`}, poller.ClassPages, "page 1: the link to the next page is one that was followed before", 1},
		{"links in a circle", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":"/2"}`, "/2": `{"items":[],"n":"/3"}`, "/3": `{"items":[],"n":"HOST/2#x"}`}, poller.ClassPages, "page 3: the link", 3},
		{"a cursor twice", poller.PaginateSettings{Cursor: "c", Param: "c"}, list, nil,
			map[string]string{"/": `{"items":[1],"c":"a"}`, "/?c=a": `{"items":[],"c":"a"}`}, poller.ClassPages, "page 2: the cursor is one that was sent before", 2},
		{"a last id twice", poller.PaginateSettings{LastID: "id", Param: "c"}, list, nil,
			map[string]string{"/": `{"items":[{"id":1}]}`, "/?c=1": `{"items":[{"id":1}]}`}, poller.ClassPages, "page 2: the cursor is one", 2},
		{"a page number without effect", poller.PaginateSettings{Page: "p"}, list, nil,
			map[string]string{"/?p=1": `{"items":[1],"took":2}`, "/?p=2": `{"items":[1],"took":3}`}, poller.ClassPages, "page 2: the same as the page before", 2},
		{"more than it may be", poller.PaginateSettings{Offset: "o", MaxPages: 3}, list, nil,
			map[string]string{"/?o=0": `{"items":[1]}`, "/?o=1": `{"items":[2]}`, "/?o=2": `{"items":[3]}`, "/?o=3": `{"items":[]}`}, poller.ClassPages, "there are more than 3", 3},
		{"more than it may be, and known before", poller.PaginateSettings{Page: "p", Pages: "n"}, list, nil,
			map[string]string{"/?p=1": `{"items":[1],"n":101}`}, poller.ClassPages, "there are 101, and paginate.max_pages allows 100", 1},
		{"no number of pages", poller.PaginateSettings{Page: "p", Pages: "n"}, list, nil,
			map[string]string{"/?p=1": `{"items":[1],"n":-1}`}, poller.ClassPages, "no number of pages is at n", 1},
		{"more, and no cursor", poller.PaginateSettings{Cursor: "c", Param: "c", More: "m"}, list, nil,
			map[string]string{"/": `{"items":[1],"m":true}`}, poller.ClassPages, "m says that there are more, and no cursor is at c", 1},
		{"more, and no item", poller.PaginateSettings{LastID: "id", Param: "c", More: "m"}, list, nil,
			map[string]string{"/": `{"items":[],"m":true}`}, poller.ClassPages, "no item to go on from", 1},
		{"more, and no item to count", poller.PaginateSettings{Offset: "o", More: "m"}, list, nil,
			map[string]string{"/?o=0": `{"items":[],"m":true}`}, poller.ClassPages, "no item to go on from", 1},
		{"neither more nor not", poller.PaginateSettings{Offset: "o", More: "m"}, list, nil,
			map[string]string{"/?o=0": `{"items":[1],"m":"yes"}`}, poller.ClassPages, "what is at m is neither true nor false", 1},
		{"a last item without id", poller.PaginateSettings{LastID: "id", Param: "c"}, list, nil,
			map[string]string{"/": `{"items":[{"id":null}]}`}, poller.ClassPages, "the last item has no id at id", 1},
		{"a cursor that is none", poller.PaginateSettings{Cursor: "c", Param: "c"}, list, nil,
			map[string]string{"/": `{"items":[1],"c":{}}`}, poller.ClassPages, "what is at c is not a cursor", 1},
		{"a URL that is none", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":3}`}, poller.ClassPages, "what is at n is not a URL", 1},
		{"a URL that cannot be followed", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":"file:///etc/passwd"}`}, poller.ClassPages, "no http or https URL", 1},
		{"a URL that is too long", poller.PaginateSettings{Next: "n"}, list, nil,
			map[string]string{"/": `{"items":[1],"n":"/` + strings.Repeat("a", 9000) + `"}`}, poller.ClassPages, "a link of 9001 bytes", 1},
		{"a cursor that is too long", poller.PaginateSettings{Cursor: "c", Param: "c"}, list, nil,
			map[string]string{"/": `{"items":[1],"c":"` + strings.Repeat("a", 9000) + `"}`}, poller.ClassPages, "a cursor of 9002 bytes", 1},
		{"no list", poller.PaginateSettings{Offset: "o"}, list, nil,
			map[string]string{"/?o=0": `{"items":{}}`}, poller.ClassItems, "no list is at items", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.link, c.pages)
			failure(t, source(t, client(t), poller.RequestSettings{URL: b.URL + "/", Paginate: c.p}, c.resp), c.class, c.want)
			if len(b.asked) != c.asked {
				t.Errorf("asked %q, want %d requests", b.asked, c.asked)
			}
		})
	}
}

// A status that means empty is what an empty page is: the end of those who end
// there.
func TestAStatusOfAPage(t *testing.T) {
	for _, c := range []struct {
		means, first string
		want         string
	}{
		{"empty", `{"items":[1]}`, "1 pages, reset false"},
		{"empty", "", "0 pages, reset false"},
		{"reset", `{"items":[1]}`, "0 pages, reset true"},
		{"reset", "", "0 pages, reset true"},
	} {
		answers := map[string]string{}
		if c.first != "" {
			answers["/?p=1"] = c.first
		}
		b := open(t, nil, answers)
		s := source(t, client(t), poller.RequestSettings{URL: b.URL + "/", Paginate: poller.PaginateSettings{Page: "p"}},
			poller.ResponseSettings{Items: "items", Status: map[string]string{"404": c.means}})
		a, err := s.Ask(t.Context(), poller.Bookmarks{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d pages, reset %v", len(a.Pages), a.Reset); got != c.want {
			t.Errorf("%s after %q: %s, want %s", c.means, c.first, got, c.want)
		}
	}
}

func TestPreviewIsOfTheFirstPage(t *testing.T) {
	s := source(t, client(t), poller.RequestSettings{URL: "https://x.example/a?b=c", Paginate: poller.PaginateSettings{Page: "page", Size: "n", Limit: 5}}, list)
	p, err := s.Preview(poller.Bookmarks{})
	if err != nil || p.URL != "https://x.example/a?b=c&page=1&n=5" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TestPagesTogetherAreBounded: a page may be as large as max_body, all of them
// ten times that.
func TestPagesTogetherAreBounded(t *testing.T) {
	asked := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		n, _ := strconv.Atoi(r.FormValue("o"))
		fmt.Fprintf(w, `{"items":[%d],"x":"%s"}`, n, strings.Repeat("x", 800))
	})
	s := source(t, client(t), poller.RequestSettings{URL: server.URL, MaxBody: 1000, Paginate: poller.PaginateSettings{Offset: "o"}}, list)
	failure(t, s, poller.ClassTooLarge, "page 13: all pages together have over 10 times request.max_body")
	if asked != 13 {
		t.Errorf("%d requests, want 13", asked)
	}
}

// TestPagesTogetherTakeAnHour: each page has the timeout for itself, and all of
// them the longest that one may have.
func TestPagesTogetherTakeAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := roundTripper(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(59 * time.Second):
				return reply(200, `{"items":[1],"next":"/`+strconv.FormatInt(time.Now().Unix(), 10)+`"}`)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		s := source(t, poller.NewClientOver(rt, poller.ClientOptions{}), poller.RequestSettings{
			URL: "http://x.example/", Timeout: units.Duration(time.Minute), Paginate: poller.PaginateSettings{Next: "next", MaxPages: 10_000},
		}, list)
		began := time.Now()
		failure(t, s, poller.ClassTimeout, "page 62: not all pages within 1h")
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it took %s", took)
		}
	})
}
