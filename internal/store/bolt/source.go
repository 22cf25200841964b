package bolt

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// Load reads that many sources, or sources with that many items, in one
// transaction.
const (
	loadSources = 1_000
	loadItems   = 20_000
)

// Load streams states, those of all sources in the order of their keys. Each
// state is from one transaction; different states may be from different ones.
// See differ.Store.
func (s *Store) Load(ctx context.Context, sources ...string) iter.Seq2[differ.State, error] {
	if len(sources) > 0 {
		return s.loadNamed(ctx, sources)
	}
	return s.loadAll(ctx)
}

func (s *Store) loadNamed(ctx context.Context, sources []string) iter.Seq2[differ.State, error] {
	return func(yield func(differ.State, error) bool) {
		for _, name := range sources {
			var state differ.State
			var found bool
			err := ctx.Err()
			if err == nil {
				err = s.view(func(t *tx) (err error) {
					stem, err := t.stem(name)
					if err == nil {
						state, found, err = t.state(stem)
					}
					return err
				})
			}
			if err != nil {
				yield(differ.State{}, fmt.Errorf("load source %s: %w", name, err))
				return
			}
			if found && !yield(state, nil) {
				return
			}
		}
	}
}

func (s *Store) loadAll(ctx context.Context) iter.Seq2[differ.State, error] {
	return func(yield func(differ.State, error) bool) {
		for after, more := "", true; more; {
			var states []differ.State
			var last string
			err := ctx.Err()
			if err == nil {
				err = s.view(func(t *tx) (err error) {
					states, last, err = t.statesAfter(after)
					return err
				})
			}
			if err != nil {
				yield(differ.State{}, fmt.Errorf("load sources: %w", err))
				return
			}
			for _, state := range states {
				if !yield(state, nil) {
					return
				}
			}
			after, more = last, last != ""
		}
	}
}

// statesAfter reads some states of those whose keys follow after, and gives the
// key of the last; "": no more follow.
func (t *tx) statesAfter(after string) (states []differ.State, last string, err error) {
	c := t.cursor(bucketSources)
	k, _ := c.Seek([]byte(after))
	if string(k) == after {
		k, _ = c.Next()
	}
	for items := 0; k != nil; k, _ = c.Next() {
		if len(states) == loadSources || items > loadItems {
			return states, last, nil
		}
		last = string(k)
		state, _, err := t.state(last)
		if err != nil {
			return nil, "", err
		}
		states, items = append(states, state), items+len(state.Items)+len(state.Notes)
	}
	return states, "", nil
}

// state reads what stands under the key of a unit, and the marks of its items.
func (t *tx) state(stem string) (state differ.State, found bool, err error) {
	src, found, err := t.source(stem)
	if err != nil || !found {
		return differ.State{}, false, err
	}
	unit, err := t.unit(stem)
	if err != nil {
		return differ.State{}, false, err
	}
	source, watch := poller.CutUnit(unit)
	state = differ.State{
		Source: source, Watch: watch, Version: src.Version, Shape: src.Shape, Since: src.Since,
		Bookmarks: src.Bookmarks.bookmarks(), Items: map[string]differ.Mark{},
	}
	err = t.eachItem(stem, func(key string, it *storedItem) error {
		state.Items[key] = differ.Mark{Hash: it.hash, Revision: it.revision, Seen: it.seen}
		return nil
	})
	if err == nil {
		state.Notes, err = t.notes(stem)
	}
	return state, true, err
}

// eachItem reads all items of a unit.
func (t *tx) eachItem(stem string, f func(key string, it *storedItem) error) error {
	prefix := itemPrefix(stem)
	c := t.cursor(bucketItems)
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		it, err := readItem(k, v)
		if err != nil {
			return err
		}
		if err := f(string(k[len(prefix):]), &it); err != nil {
			return err
		}
	}
	return nil
}

// Items gives the content of items. See differ.Store.
func (s *Store) Items(ctx context.Context, source string, keys []string) ([]differ.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	items := make([]differ.Item, 0, len(keys))
	err := s.view(func(t *tx) error {
		stem, err := t.stem(source)
		if err != nil || t.forgetting(stem) {
			return err
		}
		for _, key := range keys {
			k := itemKey(stem, key)
			v := t.get(bucketItems, k)
			if v == nil {
				continue
			}
			it, err := readItem(k, v)
			if err != nil {
				return err
			}
			items = append(items, it.item(key))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("items of source %s: %w", source, err)
	}
	return items, nil
}

// Snapshot gives the state of one source and, from the same transaction, all
// its items that are there, in the order of their keys: what a dry run compares
// with. A source that was never committed has the state of its name alone.
func (s *Store) Snapshot(ctx context.Context, source string) (state differ.State, items []differ.Item, err error) {
	if err := ctx.Err(); err != nil {
		return differ.State{}, nil, err
	}
	err = s.view(func(t *tx) error {
		var found bool
		stem, err := t.stem(source)
		if err != nil {
			return err
		}
		if state, found, err = t.state(stem); err != nil || !found {
			state.Source, state.Watch = poller.CutUnit(source)
			return err
		}
		return t.eachItem(stem, func(key string, it *storedItem) error {
			if !it.gone() {
				items = append(items, it.item(key))
			}
			return nil
		})
	})
	if err != nil {
		return differ.State{}, nil, fmt.Errorf("snapshot of source %s: %w", source, err)
	}
	return state, items, nil
}
