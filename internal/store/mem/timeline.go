package mem

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// revision is a change of an item.
type revision struct {
	change  differ.Change
	seen    time.Time
	was, is differ.Hash     // of the content before, and after
	old     json.RawMessage // nil: there was nothing, or it is not kept
}

func (s *source) keepChanges(c *differ.Commit) {
	for _, b := range c.Before {
		it := &c.Items[b.Item]
		if s.past[it.Key] == nil {
			s.past[it.Key] = map[uint64]revision{}
		}
		r := revision{change: b.Change, seen: it.Seen, was: b.Hash, is: it.Hash}
		if n := len(b.Old); n > 0 && n <= differ.MaxKept {
			r.old = bytes.Clone(b.Old)
		}
		s.past[it.Key][it.Revision] = r
		if it.Revision > differ.MaxRevisions {
			delete(s.past[it.Key], it.Revision-differ.MaxRevisions)
		}
	}
}

// ListItems lists items of a unit. See differ.Archive.
func (s *Store) ListItems(ctx context.Context, unit string, f differ.ItemFilter) (page differ.ItemPage, err error) {
	if err := ctx.Err(); err != nil {
		return differ.ItemPage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[unit]
	if src == nil {
		return differ.ItemPage{}, nil
	}
	last := ""
	for _, key := range slices.Sorted(maps.Keys(src.items)) {
		it := src.items[key]
		switch {
		case it.Hash == (differ.Hash{}) || !strings.HasPrefix(key, f.Prefix) || !f.Takes(key, it.Content):
			continue
		case f.After != "" && key <= f.After:
			continue
		case last != "" && len(page.Items) >= f.Size(): // the empty key is no place to go on
			page.Next = last
			return page, nil
		}
		last = key
		page.Items = append(page.Items, clone(it))
	}
	return page, nil
}

// Item gives one item. See differ.Archive.
func (s *Store) Item(ctx context.Context, unit, key string) (differ.Item, error) {
	if err := ctx.Err(); err != nil {
		return differ.Item{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.sources[unit]; src != nil {
		if it, there := src.items[key]; there {
			return clone(it), nil
		}
	}
	return differ.Item{}, fmt.Errorf("item %q of source %s: %w", key, unit, differ.ErrNoItem)
}

// Revisions lists the changes of an item. See differ.Archive.
func (s *Store) Revisions(ctx context.Context, unit, key string, before uint64, n int) (list []differ.Revision, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[unit]
	if src == nil {
		return nil, nil
	}
	if n <= 0 || n > differ.MaxRevisions {
		n = differ.MaxRevisions
	}
	number := src.items[key].Revision
	if before > 0 {
		number = min(number, before-1)
	}
	for ; len(list) < n; number-- {
		r, there := src.past[key][number]
		if !there {
			break
		}
		shown := differ.Revision{
			Revision: number, Change: r.change, Seen: r.seen, Old: bytes.Clone(r.old),
		}
		if r.change != differ.Deleted {
			shown.New = src.after(key, number)
		}
		shown.Omitted = shown.New == nil && r.change != differ.Deleted || shown.Old == nil && r.change != differ.Created
		list = append(list, shown)
	}
	return list, nil
}

// after is the content of an item from a revision on: what it was before the
// next one. Nil: it is not kept, or the item became another one silently.
func (s *source) after(key string, number uint64) json.RawMessage {
	hash, content := s.past[key][number+1].was, s.past[key][number+1].old
	if it := s.items[key]; number == it.Revision {
		hash, content = it.Hash, it.Content
	}
	if hash != s.past[key][number].is || len(content) > differ.MaxKept {
		return nil
	}
	return bytes.Clone(content)
}
