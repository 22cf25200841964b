package poller_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// scripted serves answers one after the other, and notes what was asked.
type scripted struct {
	URL     string
	answers []func(http.ResponseWriter)
	asked   []string // URIs
	auth    []string // Authorization of each
}

func says(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

func script(t *testing.T, answers ...func(http.ResponseWriter)) *scripted {
	t.Helper()
	s := &scripted{answers: answers}
	s.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
		s.asked, s.auth = append(s.asked, r.RequestURI), append(s.auth, r.Header.Get("Authorization"))
		if len(s.answers) == 0 {
			t.Errorf("asked for %s, and there is no answer left", r.RequestURI)
			return
		}
		answer := s.answers[0]
		s.answers = s.answers[1:]
		answer(w)
	}).URL
	return s
}

func cursored(t *testing.T, q poller.RequestSettings, c poller.CursorSettings, resp poller.ResponseSettings) *poller.Source {
	t.Helper()
	s, err := poller.NewSource("parcels", poller.Settings{Schedule: "@every 30s", Cursor: c, Request: q}, resp, client(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// follow asks once for each answer of the script, as a poller does, and gives
// the cursors.
func follow(t *testing.T, s *poller.Source, n int) (cursors []string) {
	t.Helper()
	marks := poller.Bookmarks{}
	for range n {
		a, err := s.Ask(t.Context(), marks)
		if err != nil {
			t.Fatal(err)
		}
		marks = a.Bookmarks
		cursors = append(cursors, marks.Cursor)
	}
	return cursors
}

func equals(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestCursorMovesWithTheAnswers(t *testing.T) {
	api := script(t,
		says(`{"items":[{"at":"2026-11-23T10:00:00Z"},{"at":"2026-11-23T09:00:00Z"}]}`),
		says(`{"items":[]}`), // null keeps what was
		says(`{"items":[{"at":"2026-11-23T10:07:30.250Z"}]}`),
		says(`{"items":[]}`),
	)
	s := cursored(t, poller.RequestSettings{URL: api.URL + "/?since={{ cursor.since }}"}, poller.CursorSettings{
		Name: "since", Value: "last(sort(map(items, .at)))", Initial: `"2026-11-01T00:00:00+01:00"`,
		Overlap: units.Duration(5 * time.Minute),
	}, poller.ResponseSettings{Items: "items"})
	equals(t, "cursors", follow(t, s, 4), []string{
		`{"since":"2026-11-23T10:00:00Z"}`, `{"since":"2026-11-23T10:00:00Z"}`,
		`{"since":"2026-11-23T10:07:30.250Z"}`, `{"since":"2026-11-23T10:07:30.250Z"}`,
	})
	equals(t, "asked", api.asked, []string{
		"/?since=2026-10-31T23%3A55%3A00%2B01%3A00", "/?since=2026-11-23T09%3A55%3A00Z",
		"/?since=2026-11-23T09%3A55%3A00Z", "/?since=2026-11-23T10%3A02%3A30.250Z",
	})
}

// The initial cursor is made once: a window that moved along with the polls
// would pass over what came between them.
func TestInitialCursorIsMadeOnce(t *testing.T) {
	api := script(t, says(`{}`), says(`{}`))
	s := cursored(t, poller.RequestSettings{URL: api.URL + "/{{ cursor.n }}"},
		poller.CursorSettings{Name: "n", Value: "nil", Initial: "uuid()"}, poller.ResponseSettings{})
	follow(t, s, 2)
	if api.asked[0] != api.asked[1] {
		t.Errorf("asked for %s, then for %s", api.asked[0], api.asked[1])
	}
}

func TestCursorInEveryPartOfARequest(t *testing.T) {
	var got string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.RequestURI + " " + r.Header.Get("X-Since") + " " + string(body)
		_, _ = io.WriteString(w, `{"next":9007199254740993}`)
	})
	c := poller.CursorSettings{Name: "c", Value: "body.next", Initial: "0"}
	for _, test := range []struct {
		q    poller.RequestSettings
		want string
	}{
		{poller.RequestSettings{Query: map[string]string{"s": "{{ cursor.c }}"}}, "/?s=9007199254740993  "},
		{poller.RequestSettings{Headers: map[string]string{"X-Since": "{{ cursor.c }}"}}, "/ 9007199254740993 "},
		{poller.RequestSettings{JSON: map[string]any{"s": "{{ cursor.c }}"}}, `/  {"s":9007199254740993}`},
		{poller.RequestSettings{Form: map[string]string{"s": "{{ cursor.c }}"}}, "/  s=9007199254740993"},
		{poller.RequestSettings{Body: "{{ cursor.c }}"}, "/  9007199254740993"},
		{poller.RequestSettings{GraphQL: poller.GraphQLSettings{Query: "q", Variables: map[string]any{"s": "{{ cursor.c }}"}}},
			`/  {"query":"q","variables":{"s":9007199254740993}}`},
	} {
		test.q.URL = server.URL
		follow(t, cursored(t, test.q, c, poller.ResponseSettings{}), 2)
		equals(t, "second request", strings.TrimSpace(got), strings.TrimSpace(test.want))
	}
}

func TestCursorAndStatuses(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	tagged := func(w http.ResponseWriter) {
		w.Header().Set("ETag", `"v"`)
		says(`{"token":"b"}`)(w)
	}
	api := script(t, says(`{"token":"a"}`), tagged, says(`{"token":"b"}`), status(404), status(410), says(`{"token":"c"}`))
	s := cursored(t, poller.RequestSettings{URL: api.URL + "/{{ cursor.t }}"}, poller.CursorSettings{Name: "t", Value: "body.token"},
		poller.ResponseSettings{Status: map[string]string{"404": "empty", "410": "reset"}})
	equals(t, "cursors", follow(t, s, 6), []string{`{"t":"a"}`, `{"t":"b"}`, `{"t":"b"}`, `{"t":"b"}`, "", `{"t":"c"}`})
	equals(t, "asked", api.asked, []string{"/", "/a", "/b", "/b", "/b", "/"})
}

func TestUnmodifiedKeepsTheCursor(t *testing.T) {
	tagged := func(w http.ResponseWriter) {
		w.Header().Set("ETag", `"v"`)
		says(`{"token":"a"}`)(w)
	}
	api := script(t, tagged, tagged, func(w http.ResponseWriter) { w.WriteHeader(304) })
	s := cursored(t, poller.RequestSettings{URL: api.URL + "/{{ cursor.t }}"}, poller.CursorSettings{Name: "t", Value: "body.token"}, poller.ResponseSettings{})
	equals(t, "cursors", follow(t, s, 3), []string{`{"t":"a"}`, `{"t":"a"}`, `{"t":"a"}`})
}

// A cursor of all pages: items of each, body and headers of the last.
func TestCursorOfPages(t *testing.T) {
	api := script(t,
		says(`{"items":[{"n":1}],"next":"two"}`), says(`{"items":[],"next":"three"}`), says(`{"items":[{"n":3}],"sync":"s1"}`),
		says(`{"items":[],"sync":"s2"}`),
	)
	q := poller.RequestSettings{
		URL:      api.URL + "/e?{{ raw(cursor.sync == nil ? 'all=1' : 'sync=') }}{{ cursor.sync?.token }}",
		Paginate: poller.PaginateSettings{Cursor: "next", Param: "page"},
	}
	s := cursored(t, q, poller.CursorSettings{Name: "sync", Value: `{"token": body.sync, "items": map(items, .n)}`}, poller.ResponseSettings{Items: "items"})
	equals(t, "cursors", follow(t, s, 2), []string{`{"sync":{"items":[1,3],"token":"s1"}}`, `{"sync":{"items":[],"token":"s2"}}`})
	equals(t, "asked", api.asked, []string{"/e?all=1", "/e?all=1&page=two", "/e?all=1&page=three", "/e?sync=s1"})
}

// A log is read on from where the last page said.
func TestCursorOfALink(t *testing.T) {
	linked := func(body, link string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Link", "</logs?after=self>; rel=self, <"+link+">; rel=next")
			says(body)(w)
		}
	}
	api := script(t, linked(`[{"id":1}]`, "/logs?after=1"), linked(`[]`, "/logs?after=1"), linked(`[{"id":2}]`, "/logs?after=2"), linked(`[]`, "/logs?after=2"))
	q := poller.RequestSettings{URL: "{{ raw(cursor.link ?? '" + api.URL + "/logs') }}", Paginate: poller.PaginateSettings{Link: true}}
	s := cursored(t, q, poller.CursorSettings{Name: "link", Value: "next"}, poller.ResponseSettings{Items: "@this"})
	equals(t, "cursors", follow(t, s, 2), []string{`{"link":"` + api.URL + `/logs?after=1"}`, `{"link":"` + api.URL + `/logs?after=2"}`})
	equals(t, "asked", api.asked, []string{"/logs", "/logs?after=1", "/logs?after=1", "/logs?after=2"})
}

// A cursor that is a whole URL may not lead the credentials elsewhere.
func TestCursorStaysAtHome(t *testing.T) {
	home, other := script(t), script(t)
	token := &credential.Settings{Bearer: &credential.BearerSettings{Token: secret.New(hidden)}}
	for _, c := range []struct {
		name string
		q    poller.RequestSettings
		link string
		want string // of the error; "": it is followed
	}{
		{"home", poller.RequestSettings{Auth: credential.Ref{Own: token}}, home.URL + "/delta?$token=1", ""},
		{"credentials to another host", poller.RequestSettings{Auth: credential.Ref{Own: token}}, other.URL + "/delta", "not sent to another host"},
		{"a header to another host", poller.RequestSettings{Headers: map[string]string{"Authorization": "x"}}, other.URL + "/delta", "not sent to another host"},
		{"nothing to another host", poller.RequestSettings{}, other.URL + "/delta", ""},
		{"no URL", poller.RequestSettings{}, "delta", "the scheme"},
		{"another scheme", poller.RequestSettings{}, "file:///etc/passwd", "the scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			home.answers, other.answers = []func(http.ResponseWriter){says(`{}`)}, []func(http.ResponseWriter){says(`{}`)}
			home.auth, other.auth = nil, nil
			c.q.URL = "{{ raw(cursor.link ?? '" + home.URL + "/all') }}"
			s := cursored(t, c.q, poller.CursorSettings{Name: "link", Value: "nil"}, poller.ResponseSettings{})
			stored, err := json.Marshal(map[string]string{"link": c.link})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Ask(t.Context(), poller.Bookmarks{Cursor: string(stored)})
			f, _ := errors.AsType[*poller.Failure](err)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("failed: %v", err)
			case c.want != "" && (f == nil || f.Class != poller.ClassRequest || !strings.Contains(f.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
			if c.want != "" && len(other.auth)+len(home.auth) > 0 {
				t.Error("a request was made")
			}
			for _, sent := range other.auth {
				if sent != "" {
					t.Errorf("the other host got %q", sent)
				}
			}
		})
	}
}

func TestCursorThatIsNone(t *testing.T) {
	for _, c := range []struct {
		cursor poller.CursorSettings
		body   string
		want   string
	}{
		{poller.CursorSettings{Value: "last(sort(map(items, .at)))"}, `{"items":[{"at":1},{"at":"x"}]}`, "cursor.value"},
		{poller.CursorSettings{Value: "body.t"}, `{"items":[],"t":"` + strings.Repeat("x", 9000) + `"}`, "at most 8192"},
		{poller.CursorSettings{Value: "body.t", Overlap: units.Duration(time.Minute)}, `{"items":[],"t":"` + hidden + `"}`, "gave no time"},
	} {
		api := script(t, says(c.body))
		c.cursor.Name = "c"
		s := cursored(t, poller.RequestSettings{URL: api.URL + "/{{ cursor.c }}"}, c.cursor, poller.ResponseSettings{Items: "items"})
		failure(t, s, poller.ClassCursor, c.want)
	}
}

// A cursor that was stored under another name is another one.
func TestCursorUnderAnotherName(t *testing.T) {
	api := script(t, says(`{}`))
	s := cursored(t, poller.RequestSettings{URL: api.URL + "/{{ cursor.b }}"}, poller.CursorSettings{Name: "b", Value: "nil", Initial: "7"}, poller.ResponseSettings{})
	a, err := s.Ask(t.Context(), poller.Bookmarks{Cursor: `{"a":"x"}`})
	if err != nil {
		t.Fatal(err)
	}
	equals(t, "asked", api.asked, []string{"/7"})
	equals(t, "cursor", a.Bookmarks.Cursor, `{"b":7}`)
}

func TestEarlier(t *testing.T) {
	for _, c := range []struct {
		value string
		by    time.Duration
		want  string // "": no time
	}{
		{`"2026-11-23T10:00:00Z"`, 5 * time.Minute, `"2026-11-23T09:55:00Z"`},
		{`"2026-11-23T10:00:00.500z"`, 5 * time.Minute, `"2026-11-23T09:55:00.500z"`},
		{`"2026-11-01T00:00:00+05:30"`, time.Second, `"2026-10-31T23:59:59+05:30"`},
		{`"2018-04-01T00:00:00+00:00"`, time.Hour, `"2018-03-31T23:00:00+00:00"`},
		{`"2026-11-23T10:00:00-00:00"`, time.Minute, `"2026-11-23T09:59:00-00:00"`},
		{`1763892000`, 5 * time.Minute, `1763891700`},
		{`1763892000`, 1500 * time.Millisecond, `1763891998`},
		{`1763892000123`, 1500 * time.Millisecond, `1763891998623`},
		{`"1763892000.123456"`, time.Minute, `"1763891940.123456"`},
		{`1763892000.5`, time.Minute, `1763891940.5`},
		{`30`, time.Minute, `0`},
		{`"2026-11-23"`, time.Minute, ""},
		{`"2026-13-23T10:00:00Z"`, time.Minute, ""},
		{`"yesterday"`, time.Minute, ""},
		{`"0000-01-01T00:00:00Z"`, time.Hour, ""},
		{`1e9`, time.Minute, ""},
		{`-5`, time.Minute, ""},
		{`123456789012345`, time.Minute, ""},
		{`true`, time.Minute, ""},
		{`[1]`, time.Minute, ""},
	} {
		got, ok := poller.Earlier(c.value, c.by)
		if ok != (c.want != "") || got != c.want {
			t.Errorf("%s less %s is %s, %v, want %s", c.value, c.by, got, ok, c.want)
		}
	}
}

// What is earlier keeps its form: it is JSON, and can be made earlier again.
func FuzzEarlier(f *testing.F) {
	for _, v := range []string{`"2026-11-23T10:00:00.5+05:30"`, `"1763892000.1"`, `1763892000123`, `0`, `"0001-01-01T00:00:00Z"`, `""`, `{}`} {
		f.Add(v, int64(5*time.Minute))
	}
	f.Fuzz(func(t *testing.T, value string, by int64) {
		if by <= 0 || by > int64(time.Hour*24*365) {
			return
		}
		got, ok := poller.Earlier(value, time.Duration(by))
		if !ok {
			return
		}
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s becomes %s, which is not JSON", value, got)
		}
		if (got[0] == '"') != (strings.TrimSpace(value)[0] == '"') {
			t.Fatalf("%s becomes %s", value, got)
		}
	})
}

func TestCursorOfAWatchKey(t *testing.T) {
	api := script(t, says(`{"c":"x"}`), says(`{"c":"y"}`))
	s, err := poller.NewSource("parcels", poller.Settings{
		Schedule: "@every 30s", Watch: poller.WatchSettings{Keys: []string{"a"}},
		Cursor:  poller.CursorSettings{Name: "c", Value: "body.c"},
		Request: poller.RequestSettings{URL: api.URL + "/{{ key }}?c={{ cursor.c }}"},
	}, poller.ResponseSettings{}, client(t))
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.AskFor(t.Context(), poller.Bookmarks{}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AskFor(t.Context(), first.Bookmarks, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	equals(t, "asked", api.asked, []string{"/a?c=", "/a?c=x"})
}

// An answer whose cursor could not be asked with costs a failed poll: were it
// taken in, no poll after it could be made.
func TestCursorThatCannotBeSent(t *testing.T) {
	for _, c := range []struct {
		name, value string
		q           poller.RequestSettings
		want        string
	}{
		{"no URL", `"\u0000"`, poller.RequestSettings{URL: "{{ raw(cursor.c ?? 'API/') }}"}, "not a URL"},
		{"another host", `"http://127.0.0.9:1/"`, poller.RequestSettings{URL: "{{ raw(cursor.c ?? 'API/') }}", Headers: map[string]string{"X": "y"}}, "leads to http://127.0.0.9:1"},
		{"a line break", `"a\nb"`, poller.RequestSettings{URL: "API/", Headers: map[string]string{"X-Since": "{{ cursor.c }}"}}, "control character"},
		{"another type", `{"a":1}`, poller.RequestSettings{URL: "API/{{ 1 + (cursor.c ?? 0) }}"}, "invalid operation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := script(t, says(`{"c":`+c.value+`}`), says(`{"c":`+c.value+`}`))
			c.q.URL = strings.Replace(c.q.URL, "API", api.URL, 1)
			s := cursored(t, c.q, poller.CursorSettings{Name: "c", Value: "body.c"}, poller.ResponseSettings{})
			failure(t, s, poller.ClassCursor, c.want)
			failure(t, s, poller.ClassCursor, "the next request")
		})
	}
}
