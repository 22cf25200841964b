package poller

import (
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/jsonpath"
)

// pagingKeys are the settings that only some kinds have.
var pagingKeys = []struct {
	name  string
	kinds []string
	given func(PaginateSettings) bool
}{
	{"param", []string{byCursor, byLastID}, func(s PaginateSettings) bool { return s.Param != "" }},
	{"in", []string{byCursor, byLastID, byPage, byOffset}, func(s PaginateSettings) bool { return s.In != "" }},
	{"start", []string{byPage, byOffset}, func(s PaginateSettings) bool { return s.Start != nil }},
	{"size", []string{byPage, byOffset}, func(s PaginateSettings) bool { return s.Size != "" }},
	{"limit", []string{byPage, byOffset}, func(s PaginateSettings) bool { return s.Limit != 0 }},
	{"pages", []string{byPage}, func(s PaginateSettings) bool { return s.Pages != "" }},
	{"more", []string{byCursor, byLastID, byPage, byOffset}, func(s PaginateSettings) bool { return s.More != "" }},
}

// kinds are the kinds of paging that the settings name.
func (s PaginateSettings) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name  string
		given bool
	}{
		{byLink, s.Link}, {byNext, s.Next != ""}, {byCursor, s.Cursor != ""},
		{byLastID, s.LastID != ""}, {byPage, s.Page != ""}, {byOffset, s.Offset != ""},
	} {
		if k.given {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

// compile is nil where there is one page.
func (s PaginateSettings) compile(r fault.Report, q RequestSettings) *paging {
	kinds := s.kinds()
	if len(kinds) != 1 {
		if len(kinds) > 1 {
			r.Errorf("more than one kind of paging: %s", strings.Join(kinds, ", "))
		} else if s != (PaginateSettings{}) {
			r.Errorf("no kind of paging: expected one of link, next, cursor, last_id, page and offset")
		}
		return nil
	}
	p := &paging{PaginateSettings: s, kind: kinds[0]}
	for _, k := range pagingKeys {
		if k.given(s) && !slices.Contains(k.kinds, p.kind) {
			r.At(k.name).Errorf("is of no use with %s: it goes with %s", p.kind, strings.Join(k.kinds, " or "))
		}
	}
	p.checkPaths(r)
	p.checkParams(r, q)
	if p.MaxPages == 0 {
		p.MaxPages = defaultMaxPages
	}
	if p.MaxPages < 1 || p.MaxPages > mostPages {
		r.At("max_pages").Errorf("expected a number from 1 to %d", mostPages)
	}
	switch {
	case s.Start != nil:
		p.start = *s.Start
	case p.kind == byPage:
		p.start = 1
	}
	return p
}

func (p *paging) checkPaths(r fault.Report) {
	for name, path := range map[string]string{
		"next": p.Next, "cursor": p.Cursor, "last_id": p.LastID, "pages": p.Pages, "more": p.More,
	} {
		if path == "" {
			continue
		}
		if err := jsonpath.Check(path); err != nil {
			r.At(name).Errorf("%v", err)
		}
	}
	if p.Pages != "" && p.More != "" {
		r.Errorf("both pages and more: one of them says where the end is")
	}
}

// checkParams checks the names of the parameters, and that they have a place.
func (p *paging) checkParams(r fault.Report, q RequestSettings) {
	if p.Param == "" && (p.kind == byCursor || p.kind == byLastID) {
		r.At("param").Errorf("%s needs param: the name of the parameter that takes it", p.kind)
	}
	switch {
	case p.Size == "" && p.Limit != 0:
		r.At("size").Errorf("limit needs size: the name of the parameter that takes it")
	case p.Size != "" && p.Limit == 0:
		r.At("limit").Errorf("size needs limit: the value of the parameter")
	}
	if p.Limit < 0 || p.Start != nil && *p.Start < 0 {
		r.Errorf("start and limit cannot be negative")
	}
	r.At("in").OneOf(p.In, "query", "json")
	if p.In != "json" {
		return
	}
	body := q.JSON
	switch {
	case q.GraphQL.given():
		body = map[string]any{"query": q.GraphQL.Query, "variables": q.GraphQL.Variables}
	case body == nil:
		r.At("in").Errorf("json needs a JSON body: request.json or request.graphql")
	}
	for name, path := range map[string]string{"param": p.Param, "size": p.Size, "page": p.Page, "offset": p.Offset} {
		if path == "" {
			continue
		}
		names := strings.Split(path, ".")
		if slices.Contains(names, "") {
			r.At(name).Errorf("%q is not a dotted path of names", path)
		} else if n := noMapping(body, names); n == 0 {
			r.At(name).Errorf("%q has no place in the body, which is no mapping", path)
		} else if n > 0 {
			r.At(name).Errorf("%q has no place in the body: %q is no mapping", path, strings.Join(names[:n], "."))
		}
	}
}

// noMapping is how many of the names lead to something in a body that is no
// mapping, so that the next one has no place there; -1: all have one. What is
// absent is made, and what an expression gives may be a mapping.
func noMapping(body any, names []string) int {
	for n, name := range names {
		switch at := body.(type) {
		case nil:
			return -1
		case string:
			if strings.Contains(at, "{{") {
				return -1
			}
			return n
		case map[string]any:
			if _, list := at["$each"]; list {
				return n
			}
			body = at[name]
		default:
			return n
		}
	}
	return -1
}

// checkItems checks what paging wants of the answer; r is at sources.NAME.
func (p *paging) checkItems(r fault.Report, items string) {
	switch at := r.At("response", "items"); {
	case items == "":
		at.Errorf("request.paginate needs items: the path of the list that the pages share")
	case p.counts() && !jsonpath.Plain(items):
		at.Errorf("%s paging goes by all items of a page, and %q may choose among them: "+
			"expected names joined by dots, or @this; choose items by a rule's `when`", p.kind, items)
	}
	p.items = items
}

// counts reports whether the items of a page tell where the next one is, or
// that there is none. Then they must be those that the page has, all of them.
func (p *paging) counts() bool {
	return p.endsEmpty() || p.kind == byOffset || p.kind == byLastID
}
