package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// polling is what concerns sources and their items.
func (s *Server) polling() []route {
	if s.o.Sources == nil {
		return nil
	}
	h := sources{s.o.Sources}
	return []route{
		{"GET /api/v1/sources", h.list, []string{"state", "limit", "cursor"}},
		{"GET /api/v1/sources/{name}", h.get, nil},
		{"POST /api/v1/sources/{name}/poll", h.poll, []string{"watch"}},
		{"GET /api/v1/sources/{name}/items", h.items, []string{"watch", "prefix", "q", "limit", "cursor"}},
		{"GET /api/v1/sources/{name}/items/{key}", h.item, []string{"watch"}},
		{"GET /api/v1/sources/{name}/items/{key}/revisions", h.revisions, []string{"watch", "limit", "cursor"}},
	}
}

type sources struct{ of Sources }

// SourcePage is a part of the list of sources, by name.
type SourcePage struct {
	Sources []SourceState `json:"sources"`
	Next    string        `json:"next,omitempty"` // the cursor of the next page; "": this is the last
}

func (h sources) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		failed(w, err)
		return
	}
	all, state := h.of.Sources(), Condition(q.Get("state"))
	if state != "" {
		if !slices.Contains(conditions(), state) {
			failed(w, invalid("state is %q: expected one of %v", state, conditions()))
			return
		}
		all = slices.DeleteFunc(slices.Clone(all), func(s SourceState) bool { return s.State != state })
	}
	list := listOf("sources", string(state))
	after, err := list.after(q.Get("cursor"))
	if err != nil {
		failed(w, err)
		return
	}
	page, next := paged(all, func(s SourceState) string { return s.Name }, after, limit)
	answer(w, http.StatusOK, SourcePage{page, list.cursor(next)})
}

func (h sources) get(w http.ResponseWriter, r *http.Request) {
	state, err := h.of.Source(r.PathValue("name"))
	give(w, state, err)
}

func (h sources) poll(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	done(w, h.of.Poll(r.Context(), r.PathValue("name"), q.Get("watch")))
}

// ItemPage is a part of the list of the items that are there, by their keys.
type ItemPage struct {
	Items   []Item `json:"items"`
	Next    string `json:"next,omitempty"`    // the cursor of the next page; "": this is the last
	Damaged int    `json:"damaged,omitempty"` // records that were passed over because they are damaged
}

// Item is an item as it is shown.
type Item struct {
	Key      string          `json:"key"`
	Revision uint64          `json:"revision"`
	Seen     time.Time       `json:"seen"`           // when it was seen to change last
	Gone     bool            `json:"gone,omitempty"` // it is not there any more; it has no content
	Content  json.RawMessage `json:"content,omitempty"`
}

func shownItem(i differ.Item) Item {
	return Item{Key: i.Key, Revision: i.Revision, Seen: i.Seen.UTC(), Gone: i.Content == nil, Content: i.Content}
}

func (h sources) items(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		failed(w, err)
		return
	}
	list := listOf("items", r.PathValue("name"), q.Get("watch"), q.Get("prefix"), q.Get("q"))
	after, err := list.after(q.Get("cursor"))
	if err != nil {
		failed(w, err)
		return
	}
	page, err := h.of.Items(r.Context(), r.PathValue("name"), q.Get("watch"), differ.ItemFilter{
		Prefix: q.Get("prefix"), Contains: q.Get("q"), After: after, Limit: limit,
	})
	if err != nil {
		failed(w, err)
		return
	}
	shown := ItemPage{Items: make([]Item, len(page.Items)), Next: list.cursor(page.Next), Damaged: page.Damaged}
	for i, item := range page.Items {
		shown.Items[i] = shownItem(item)
	}
	answer(w, http.StatusOK, shown)
}

func (h sources) item(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	item, err := h.of.Item(r.Context(), r.PathValue("name"), q.Get("watch"), r.PathValue("key"))
	give(w, shownItem(item), err)
}

// RevisionPage is a part of an item's changes, the last one first.
type RevisionPage struct {
	Revisions []Revision `json:"revisions"`
	Next      string     `json:"next,omitempty"` // the cursor of the next page; "": this is the last
}

// Revision is one change of an item, as it is shown.
type Revision struct {
	Revision uint64          `json:"revision"`
	Change   differ.Change   `json:"change"`
	Seen     time.Time       `json:"seen"`
	New      json.RawMessage `json:"new,omitempty"`
	Old      json.RawMessage `json:"old,omitempty"`
	Diff     json.RawMessage `json:"diff,omitempty"`    // RFC 6902, from old to new, where both are there
	Omitted  bool            `json:"omitted,omitempty"` // a content is left out: it is too large, or was not kept
}

func (h sources) revisions(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		failed(w, err)
		return
	}
	if limit == 0 || limit > differ.MaxRevisions {
		limit = differ.MaxRevisions
	}
	place := listOf("revisions", r.PathValue("name"), q.Get("watch"), r.PathValue("key"))
	after, err := place.after(q.Get("cursor"))
	if err != nil {
		failed(w, err)
		return
	}
	before, _ := strconv.ParseUint(after, 10, 64) // it is a number that was given here
	list, err := h.of.Revisions(r.Context(), r.PathValue("name"), q.Get("watch"), r.PathValue("key"), before, limit)
	if err != nil {
		failed(w, err)
		return
	}
	page := RevisionPage{Revisions: make([]Revision, len(list))}
	for i, rev := range list {
		page.Revisions[i] = Revision{
			Revision: rev.Revision, Change: rev.Change, Seen: rev.Seen.UTC(), New: rev.New, Old: rev.Old, Omitted: rev.Omitted,
		}
		if rev.New != nil && rev.Old != nil {
			page.Revisions[i].Diff = differ.Diff(rev.Old, rev.New)
		}
	}
	if len(list) == limit && list[limit-1].Revision > 1 {
		page.Next = place.cursor(strconv.FormatUint(list[limit-1].Revision, 10))
	}
	answer(w, http.StatusOK, page)
}

// itemPath is the path of an item, and watchPath of a watch key. One of dots
// alone would be taken for a step up.
func itemPath(source, key string) string { return sourcePath(source) + "/items/" + segment(key) }

func watchPath(source, key string) string { return sourcePath(source) + "/watches/" + segment(key) }

func segment(key string) string {
	if key == "." || key == ".." {
		return strings.ReplaceAll(key, ".", "%2E")
	}
	return url.PathEscape(key)
}

func sourcePath(source string) string { return "/api/v1/sources/" + url.PathEscape(source) }

// withWords is a path with a query of those words, by turns with their values,
// that have one.
func withWords(path string, words ...string) string {
	q := url.Values{}
	for pair := range slices.Chunk(words, 2) {
		if pair[1] != "" {
			q.Set(pair[0], pair[1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// limitWord is a limit in a query; 0: none.
func limitWord(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Sources asks the daemon for a page of its sources, by name: those after a
// cursor, in a state ("": any), so many at most (0: 50).
func (c *Client) Sources(ctx context.Context, state Condition, cursor string, limit int) (page SourcePage, err error) {
	err = c.read(ctx, withWords("/api/v1/sources", "state", string(state), "cursor", cursor, "limit", limitWord(limit)), &page)
	return page, err
}

// Source asks the daemon for one of them, with its last polls.
func (c *Client) Source(ctx context.Context, name string) (s SourceState, err error) {
	err = c.read(ctx, sourcePath(name), &s)
	return s, err
}

// Poll has the daemon poll a source, or one of its watch keys, at once.
func (c *Client) Poll(ctx context.Context, name, watch string) error {
	return c.post(ctx, withWords(sourcePath(name)+"/poll", "watch", watch))
}

// Items asks the daemon for a page of the items of a source, or of one of its
// watch keys.
func (c *Client) Items(ctx context.Context, source, watch string, f differ.ItemFilter) (page ItemPage, err error) {
	err = c.read(ctx, withWords(sourcePath(source)+"/items", "watch", watch,
		"prefix", f.Prefix, "q", f.Contains, "cursor", f.After, "limit", limitWord(f.Limit)), &page)
	return page, err
}

// Item asks the daemon for one of them.
func (c *Client) Item(ctx context.Context, source, watch, key string) (item Item, err error) {
	err = c.read(ctx, withWords(itemPath(source, key), "watch", watch), &item)
	return item, err
}

// Revisions asks the daemon for a page of its changes, the last one first.
func (c *Client) Revisions(ctx context.Context, source, watch, key, cursor string, limit int) (page RevisionPage, err error) {
	err = c.read(ctx, withWords(itemPath(source, key)+"/revisions", "watch", watch, "cursor", cursor, "limit", limitWord(limit)), &page)
	return page, err
}
