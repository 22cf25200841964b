package poller_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/poller"
)

const query = `query($after: String) { orders(first: 2, after: $after, where: {a: {b: 1}}) { nodes { id } } }`

func TestGraphQL(t *testing.T) {
	var asked []string
	answer := ""
	server := witness(t, &asked, "api", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/graphql-response+json")
		_, _ = io.WriteString(w, answer)
	})
	c := client(t)
	q := poller.RequestSettings{URL: server.URL, GraphQL: poller.GraphQLSettings{Query: query, Variables: map[string]any{"after": nil, "n": "{{ 1 + 1 }}"}}}
	answer = `{"data":{"orders":{"nodes":[]}},"errors":[]}`
	if _, err := source(t, c, q, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{}); err != nil {
		t.Fatal(err)
	}
	if want := "api: POST / key= agent=Deltahook/test referer= match= type=application/json " +
		`{"query":"` + query + `","variables":{"after":null,"n":2}}`; asked[0] != want {
		t.Errorf("asked\n%s, want\n%s", asked[0], want)
	}
	for text, want := range map[string]string{
		`{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}`: `ok: the answer has errors: "Throttled"`,
		`{"data":{},"errors":[{"message":"half of it"},{"message":"second"}]}`:   `"half of it"`,
		`{"data":{},"errors":[{}]}`:                           "the answer has errors",
		`{"data":{},"errors":{}}`:                             "the answer has errors",
		`{"data":{},"errors":"no"}`:                           "the answer has errors",
		`{"errors":[{"message":"bad token ` + hidden + `"}]}`: `"bad token <secret>"`,
		`{"errors":[{"message":"` + strings.Repeat("x", 190) + hidden + strings.Repeat("y", 300) + `"}]}`: "x<secret>yy",
		`{"errors":[{"message":"` + strings.Repeat("ä", 500) + `"}]}`:                                     strings.Repeat("ä", 100) + "…",
		`{"errors":[{"message":"` + strings.Repeat("x", 5000) + `"}]}`:                                    "a message of 5000 bytes",
		`{"errors":[{"message":"a\nline"}]}`:                                                              `"a\nline"`,
	} {
		answer = text
		failure(t, source(t, c, q, poller.ResponseSettings{}), poller.ClassOK, want)
		// Whoever has a rule of his own decides by it.
		if _, err := source(t, c, q, poller.ResponseSettings{OK: "true"}).Ask(t.Context(), poller.Bookmarks{}); err != nil {
			t.Error(err)
		}
	}
	answer = `{"data":{},"errors":null}`
	if _, err := source(t, c, q, poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{}); err != nil {
		t.Error(err)
	}
}

func TestPagesOfGraphQL(t *testing.T) {
	first := `/ {"query":"{ a }"}`
	second := `/ {"query":"{ a }","variables":{"after":"c1"}}`
	q := poller.RequestSettings{
		GraphQL:  poller.GraphQLSettings{Query: "{ a }"},
		Paginate: poller.PaginateSettings{Cursor: "data.a.pageInfo.endCursor", Param: "variables.after", In: "json", More: "data.a.pageInfo.hasNextPage"},
	}
	resp := poller.ResponseSettings{Items: "data.a.nodes"}
	b := open(t, nil, map[string]string{
		first:  `{"data":{"a":{"nodes":[1],"pageInfo":{"hasNextPage":true,"endCursor":"c1"}}}}`,
		second: `{"data":{"a":{"nodes":[2],"pageInfo":{"hasNextPage":false,"endCursor":"c2"}}}}`,
	})
	q.URL = b.URL + "/"
	a, err := source(t, client(t), q, resp).Ask(t.Context(), poller.Bookmarks{})
	if err != nil || len(a.Pages) != 2 {
		t.Errorf("got %+v, %v, asked %q", a, err, b.asked)
	}
	b = open(t, nil, map[string]string{
		first:  `{"data":{"a":{"nodes":[1],"pageInfo":{"hasNextPage":true,"endCursor":"c1"}}}}`,
		second: `{"errors":[{"message":"Throttled"}]}`,
	})
	q.URL = b.URL + "/"
	failure(t, source(t, client(t), q, resp), poller.ClassOK, "page 2: the answer has errors")
}
