package poller

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// next is the request of the page after the one at hand; nil: there is none.
func (w *walk) next() (*wire, error) {
	switch w.kind {
	case byLink:
		return w.nextLink()
	case byNext:
		return w.nextURL()
	case byCursor:
		return w.nextCursor()
	case byLastID:
		return w.nextLastID()
	case byPage:
		return w.nextPage()
	default:
		return w.nextOffset()
	}
}

// nextLink ends at an empty page: some APIs always name a next one, for those
// who wait for what comes.
func (w *walk) nextLink() (*wire, error) {
	link, ok, err := nextOf(w.header["link"])
	if err != nil || !ok {
		return nil, err
	}
	if n, _, err := w.list(); err != nil || n == 0 {
		return nil, err
	}
	return w.follow(link)
}

func (w *walk) nextURL() (*wire, error) {
	switch v := gjson.GetBytes(w.page, w.Next); {
	case none(v):
		return nil, nil
	case v.Type != gjson.String:
		return nil, Failf(ClassPages, "what is at %s is not a URL", w.Next)
	default:
		return w.follow(v.Str)
	}
}

// nextCursor goes on behind an empty page.
func (w *walk) nextCursor() (*wire, error) {
	more, told, err := w.more()
	if err != nil || told && !more {
		return nil, err
	}
	v := gjson.GetBytes(w.page, w.Cursor)
	switch {
	case none(v) && told:
		return nil, Failf(ClassPages, "%s says that there are more, and no cursor is at %s", w.More, w.Cursor)
	case none(v):
		return nil, nil
	case v.IsObject() || v.Type == gjson.True:
		return nil, Failf(ClassPages, "what is at %s is not a cursor", w.Cursor)
	}
	return w.goOn(v)
}

func (w *walk) nextLastID() (*wire, error) {
	more, told, err := w.more()
	if err != nil || told && !more {
		return nil, err
	}
	n, last, err := w.list()
	switch {
	case err != nil:
		return nil, err
	case n == 0 && told:
		return nil, Failf(ClassPages, "%s says that there are more, and there is no item to go on from", w.More)
	case n == 0:
		return nil, nil
	}
	id := last.Get(w.LastID)
	if !id.Exists() {
		id = gjson.GetBytes(w.page, w.LastID)
	}
	if id.Type != gjson.Number && (id.Type != gjson.String || id.Str == "") {
		return nil, Failf(ClassPages, "the last item has no id at %s", w.LastID)
	}
	return w.goOn(id)
}

// goOn is the request with a cursor or an id in it.
func (w *walk) goOn(v gjson.Result) (*wire, error) {
	if len(v.Raw) > longestLink {
		return nil, Failf(ClassPages, "a cursor of %d bytes; at most %d are sent", len(v.Raw), longestLink)
	}
	if w.again(v.Raw) {
		return nil, Failf(ClassPages, "the cursor is one that was sent before: the pages go round in circles")
	}
	return w.set(w.origin, w.Param, v)
}

func (w *walk) nextPage() (*wire, error) {
	n, _, err := w.list()
	if err != nil {
		return nil, err
	}
	more, told, err := w.more()
	if w.Pages != "" {
		told = true
		more, err = w.below()
	}
	if err != nil || told && !more || !told && n == 0 {
		return nil, err
	}
	return w.numbered(w.origin, w.start+w.pages+1)
}

// below reports whether the number of pages is not reached yet.
func (w *walk) below() (bool, error) {
	v := gjson.GetBytes(w.page, w.Pages)
	total, err := strconv.ParseUint(v.String(), 10, 32)
	switch {
	case err != nil:
		return false, Failf(ClassPages, "no number of pages is at %s", w.Pages)
	case total > uint64(w.MaxPages):
		return false, Failf(ClassPages, "there are %d, and paginate.max_pages allows %d", total, w.MaxPages)
	}
	return uint64(w.pages)+1 < total, nil
}

// nextOffset moves on by the items that came, and not by those that were asked
// for: a server may give fewer at a time, and none may be passed over.
func (w *walk) nextOffset() (*wire, error) {
	n, _, err := w.list()
	if err != nil {
		return nil, err
	}
	more, told, err := w.more()
	switch {
	case err != nil || told && !more || !told && n == 0:
		return nil, err
	case n == 0:
		return nil, Failf(ClassPages, "%s says that there are more, and there is no item to go on from", w.More)
	}
	w.items += n
	return w.numbered(w.origin, w.start+w.items)
}

// more is what the page itself says; told is false where it need not say. An
// absent value is no more, as JSON is written by many.
func (w *walk) more() (more, told bool, err error) {
	if w.More == "" {
		return false, false, nil
	}
	switch v := gjson.GetBytes(w.page, w.More); v.Type {
	case gjson.True:
		return true, true, nil
	case gjson.False, gjson.Null: // and what is absent
		return false, true, nil
	}
	return false, true, Failf(ClassPages, "what is at %s is neither true nor false", w.More)
}

// none reports whether v, a link or a cursor, says that there is no further
// page.
func none(v gjson.Result) bool {
	switch v.Type {
	case gjson.Null, gjson.False:
		return true
	case gjson.String:
		return v.Str == ""
	case gjson.Number:
		return v.Num == 0
	}
	return v.IsArray() && len(v.Array()) == 0
}
