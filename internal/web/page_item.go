package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/deltahook/deltahook/differ"
)

// revisionRows is how many changes of an item stand on a page.
const revisionRows = 25

// itemPage is one item with its timeline.
type itemPage struct {
	Source, Watch, Key string
	Item               *differ.Item // nil: nothing is remembered but its changes
	Gone               bool
	Revisions          []differ.Revision
	Older              string // the address of what is before them
	Latest             string // and of the last ones; "": these are
	HasEvents          bool
}

func (p *pages) item(r *http.Request) (*view, error) {
	q := r.URL.Query()
	i := &itemPage{Source: r.PathValue("name"), Watch: q.Get("watch"), Key: q.Get("key"), HasEvents: p.Archive != nil}
	if !q.Has("key") {
		return nil, invalid("the address says of no item: expected key")
	}
	var before uint64
	if text := q.Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, invalid("before is %q: expected a revision", clipped(text, maxShown))
		}
		i.Latest = itemURL(i.Source, i.Watch, i.Key)
	}
	revisions, err := p.Sources.Revisions(r.Context(), i.Source, i.Watch, i.Key, before, revisionRows+1)
	if err != nil {
		return nil, err
	}
	item, err := p.Sources.Item(r.Context(), i.Source, i.Watch, i.Key)
	switch {
	case err == nil:
		i.Item, i.Gone = &item, item.Content == nil
	case (errors.Is(err, ErrNotFound) || errors.Is(err, differ.ErrNoItem)) && len(revisions) > 0:
		i.Gone = true
	default:
		return nil, err
	}
	if len(revisions) > revisionRows {
		revisions = revisions[:revisionRows]
		i.Older = itemURL(i.Source, i.Watch, i.Key) + "&before=" + strconv.FormatUint(revisions[revisionRows-1].Revision, 10)
	}
	i.Revisions = revisions
	gist := "no changes yet"
	if len(revisions) > 0 {
		gist = fmt.Sprintf("revision %d, %s", revisions[0].Revision, revisions[0].Change)
	}
	return &view{page: "item", Title: clipped(i.Key, maxShown), Nav: "overview", Topics: []string{"sources/" + i.Source}, Gist: gist, Data: i}, nil
}
