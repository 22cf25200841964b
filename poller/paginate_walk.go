package poller

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// walk is one poll that goes from page to page.
type walk struct {
	*paging
	source *Source
	origin *wire // request of the first page
	at     *wire // what the last page is the answer to
	page   []byte
	header map[string]string
	pages  int                        // so far
	items  int                        // so far, of offset
	listed string                     // the last page's items, where the kind counts them
	seen   map[[sha256.Size]byte]bool // links and cursors
}

// askPages asks for all pages and gives one answer, or none: where a page
// fails, the poll failed.
func (s *Source) askPages(ctx context.Context, first *wire) (*Answer, tail, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestPages.Std(), fmt.Errorf("not all pages within %s", longestPages))
	defer cancel()
	w := &walk{paging: s.paging, source: s, origin: first, seen: map[[sha256.Size]byte]bool{}}
	w.again(first.url.String())
	var whole *Answer
	left := room(s.maxBody)
	for next := first; next != nil; {
		page, at, err := s.fetch(ctx, next, validators{}, min(s.maxBody, left))
		switch {
		case err != nil:
			return nil, tail{}, w.failed(err, left < s.maxBody)
		case page.Reset || len(page.Pages) == 0 && whole == nil:
			return page, w.tail(), nil
		case len(page.Pages) == 0 && (w.kind == byLink || !w.endsEmpty()): // it was promised
			return nil, tail{}, w.failed(Failf(ClassStatus, "status %d means empty, where a page was expected", page.Status), false)
		case len(page.Pages) == 0:
			return whole, w.tail(), nil
		}
		if whole == nil {
			whole = page
		} else {
			whole.Pages = append(whole.Pages, page.Pages[0])
			whole.Received = page.Received
		}
		left -= int64(len(page.Pages[0]))
		if next, err = w.turn(page, at); err != nil {
			return nil, tail{}, w.failed(err, false)
		}
	}
	return whole, w.tail(), nil
}

// tail is the end of the pages so far.
func (w *walk) tail() tail { return tail{page: w.page, header: w.header, at: w.at} }

// turn takes in a page and gives the request of the next one; nil: it was the
// last.
func (w *walk) turn(page *Answer, at *wire) (*wire, error) {
	before := w.listed
	w.at, w.page, w.header = at, page.Pages[0], page.Header
	next, err := w.next()
	if err != nil || next == nil {
		return nil, err
	}
	if (w.kind == byPage || w.kind == byOffset) && before == w.listed && before != "" {
		return nil, Failf(ClassPages, "the same as the page before: the parameter does not choose what comes")
	}
	if w.pages++; w.pages == w.MaxPages {
		return nil, Failf(ClassPages, "there are more than %d, which is what paginate.max_pages allows", w.MaxPages)
	}
	return next, nil
}

// failed is err as the failure of the page that was asked for last.
func (w *walk) failed(err error, crowded bool) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		return err
	}
	if f.Class == ClassTooLarge && crowded {
		f = Failf(ClassTooLarge, "all pages together have over %d times request.max_body, or over %d bytes", pagesFactor, largestPages)
	}
	return f.OnPage(w.pages + 1)
}

// again notes a link or a cursor and reports whether it was there before.
func (w *walk) again(text string) bool {
	sum := sha256.Sum256([]byte(text))
	before := w.seen[sum]
	w.seen[sum] = true
	return before
}

// list is the page's items: how many, and the last of them.
func (w *walk) list() (n int, last gjson.Result, err error) {
	list := gjson.GetBytes(w.page, w.paging.items)
	if !list.IsArray() {
		return 0, last, Failf(ClassItems, "no list is at %s", w.paging.items)
	}
	list.ForEach(func(_, item gjson.Result) bool {
		n, last = n+1, item
		return true
	})
	if w.listed = ""; n > 0 {
		w.listed = list.Raw
	}
	return n, last, nil
}
