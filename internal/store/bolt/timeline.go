package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/deltahook/deltahook/differ"
)

// maxSearched is how many bytes of items one call looks at.
const maxSearched = 8 << 20

// ListItems lists items of a unit. See differ.Archive.
func (s *Store) ListItems(ctx context.Context, unit string, f differ.ItemFilter) (page differ.ItemPage, err error) {
	if err = ctx.Err(); err == nil {
		err = s.view(func(t *tx) error {
			page = differ.ItemPage{}
			stem, err := t.stem(unit)
			if err == nil && !t.forgetting(stem) {
				t.listItems(itemPrefix(stem), &f, &page)
			}
			return err
		})
	}
	if err != nil {
		return differ.ItemPage{}, fmt.Errorf("items of source %s: %w", unit, err)
	}
	return page, nil
}

func (t *tx) listItems(unit []byte, f *differ.ItemFilter, page *differ.ItemPage) {
	prefix := append(bytes.Clone(unit), f.Prefix...)
	from := prefix
	if f.After != "" {
		if after := append(append(bytes.Clone(unit), f.After...), 0); bytes.Compare(after, from) > 0 {
			from = after
		}
	}
	c := t.cursor(bucketItems)
	last, looked, searched := "", 0, 0
	for k, v := c.Seek(from); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		key := string(k[len(unit):])
		looked, searched = looked+1, searched+len(v)
		it, err := readItem(k, v)
		takes := err == nil && !it.gone() && f.Takes(key, it.content)
		full := takes && len(page.Items) >= f.Size()
		// A page that ended at the empty key would be taken for the last.
		if last != "" && (full || looked > maxLooked || searched > maxSearched) {
			page.Next = last
			return
		}
		if last = key; takes {
			page.Items = append(page.Items, it.item(key))
		} else if err != nil {
			page.Damaged++
		}
	}
}

// Item gives one item. See differ.Archive.
func (s *Store) Item(ctx context.Context, unit, key string) (item differ.Item, err error) {
	if err = ctx.Err(); err == nil {
		err = s.view(func(t *tx) error {
			stem, err := t.stem(unit)
			if err != nil {
				return err
			}
			it, found, err := t.item(stem, key)
			if !found {
				return cmp.Or(err, differ.ErrNoItem)
			}
			item = it.item(key)
			return nil
		})
	}
	if err != nil {
		return differ.Item{}, fmt.Errorf("item %q of source %s: %w", clip(key), unit, err)
	}
	return item, nil
}

// item reads an item.
func (t *tx) item(stem, key string) (it storedItem, found bool, err error) {
	k := itemKey(stem, key)
	v := t.get(bucketItems, k)
	if v == nil || t.forgetting(stem) {
		return storedItem{}, false, nil
	}
	it, err = readItem(k, v)
	return it, err == nil, err
}

// Revisions lists the changes of an item. See differ.Archive.
func (s *Store) Revisions(ctx context.Context, unit, key string, before uint64, n int) (list []differ.Revision, err error) {
	if n <= 0 || n > differ.MaxRevisions {
		n = differ.MaxRevisions
	}
	if err = ctx.Err(); err == nil {
		err = s.view(func(t *tx) error {
			list, err = t.revisions(unit, key, before, n)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("revisions of item %q of source %s: %w", clip(key), unit, err)
	}
	return list, nil
}

// revisions reads changes of an item, the last one first.
func (t *tx) revisions(unit, key string, before uint64, n int) (list []differ.Revision, err error) {
	stem, err := t.stem(unit)
	if err != nil || !t.has(bucketRevisions) {
		return nil, err
	}
	src, _, err := t.source(stem)
	if err != nil {
		return nil, err
	}
	it, found, err := t.item(stem, key)
	if err != nil || !found {
		return nil, err
	}
	of := timeline{tx: t, prefix: timelinePrefix(stem, key), life: src.Life}
	top, then := it.revision, image{it.hash, it.content, len(it.content) > differ.MaxKept}
	if before > 0 && before <= top {
		top = before - 1
		r, found, _ := of.read(before)
		if then = r.before(); !found {
			then = image{omitted: true}
		}
	}
	// The content from a change on stands in the record of the next one.
	for revision := top; revision > 0 && len(list) < n; revision-- {
		r, found, err := of.read(revision)
		if err != nil {
			then = image{omitted: true}
			continue
		}
		if !found {
			break
		}
		list = append(list, r.shown(revision, then))
		then = r.before()
	}
	return list, nil
}

// timeline is the revisions of an item.
type timeline struct {
	*tx
	prefix []byte
	life   uint64
}

// read reads a revision of the life that the item's source has now.
func (of *timeline) read(revision uint64) (r storedRevision, found bool, err error) {
	k := revisionKey(of.prefix, revision)
	v := of.get(bucketRevisions, k)
	if v == nil {
		return storedRevision{}, false, nil
	}
	r, err = readRevision(k, v)
	return r, err == nil && r.life == of.life, err
}

// image is what an item was at some time.
type image struct {
	hash    differ.Hash // zero: it was not there
	content []byte
	omitted bool // the content is not kept
}

// before is what the item was before the change.
func (r *storedRevision) before() image {
	return image{r.was, r.old, r.omitted}
}

// shown is the change as an Archive gives it, with what the item was from then
// on.
func (r *storedRevision) shown(revision uint64, then image) differ.Revision {
	shown := differ.Revision{Revision: revision, Change: r.change.shown(), Seen: r.seen, Omitted: r.omitted}
	if len(r.old) > 0 {
		shown.Old = json.RawMessage(bytes.Clone(r.old))
	}
	switch {
	case r.change == changeDeleted:
	case then.omitted || then.hash != r.is: // it changed since, and that is no change that is told
		shown.Omitted = true
	default:
		shown.New = json.RawMessage(bytes.Clone(then.content))
	}
	return shown
}
