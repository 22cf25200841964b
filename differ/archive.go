package differ

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Archive is what is remembered of items, to look at. Every engine is one. All
// methods may be called concurrently; what they return is the caller's to keep.
type Archive interface {
	// ListItems lists the items of a unit (poller.Unit) that are there, by
	// their keys, with their contents. One call looks at a bounded number of
	// records (10,000 in bolt, and about 8 MiB): a filter that matches little
	// may give a page that is short, or empty, and a key to go on.
	ListItems(ctx context.Context, unit string, f ItemFilter) (ItemPage, error)
	// Item gives one item, also one that is gone as long as an engine knows
	// that it was. ErrNoItem: it was never there, or is forgotten.
	Item(ctx context.Context, unit, key string) (Item, error)
	// Revisions lists what is kept of an item's changes, the last one first:
	// those before a revision (0: all), n at most (0, or more than
	// MaxRevisions: so many). They follow each other without a gap, but for a
	// record that is damaged. An item that nothing is known of has none, and
	// neither has one that did not change since all items of its source were
	// remembered anew (Commit.Reset).
	Revisions(ctx context.Context, unit, key string, before uint64, n int) ([]Revision, error)
}

// ErrNoItem says that nothing is remembered of an item.
var ErrNoItem = errors.New("no such item")

// Bounds of what is kept of an item's changes.
const (
	MaxRevisions = 100      // the last ones; what is older goes with the next change
	MaxKept      = 64 << 10 // bytes of a content; a larger one is left out
)

// ItemFilter is which items are listed. The zero value is the first 50.
type ItemFilter struct {
	Prefix   string // what a key begins with; "": anything
	Contains string // what a key or a content contains, upper and lower case alike; "": anything
	After    string // only keys after it, as the page before gave it; "": from the beginning
	Limit    int    // how many at most; 0: 50; never more than 500
}

// Size is how many items a page has at most.
func (f *ItemFilter) Size() int {
	if f.Limit <= 0 {
		return 50
	}
	return min(f.Limit, 500)
}

// Takes says whether a key or a content contains what the filter wants.
func (f *ItemFilter) Takes(key string, content []byte) bool {
	if f.Contains == "" {
		return true
	}
	want := strings.ToLower(f.Contains)
	return strings.Contains(strings.ToLower(key), want) || bytes.Contains(bytes.ToLower(content), []byte(want))
}

// ItemPage is a part of a list of items.
type ItemPage struct {
	Items   []Item
	Next    string // After of the next page; "": this is the last
	Damaged int    // records that were passed over because they are damaged
}

// Revision is one change of an item, as it is shown.
type Revision struct {
	Revision uint64
	Change   Change
	Seen     time.Time       // when the change was seen
	New      json.RawMessage // the content from then on; nil: deleted, or Omitted
	Old      json.RawMessage // the content before; nil: created, or Omitted
	// A content is left out: it is larger than MaxKept, or the item became
	// another one afterwards of which nothing was told (as a hold that is
	// released silently has it), or is not kept for another reason.
	Omitted bool
}
