package bolt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/deltahook/deltahook/differ"
)

// Keep stores bookmarks and notes. See differ.Store.
func (s *Store) Keep(ctx context.Context, kept map[string]differ.Kept) error {
	if len(kept) == 0 {
		return nil
	}
	err := s.afterForgetting(ctx, func() error {
		k, err := s.prepareKept(kept)
		if err != nil {
			return err
		}
		return s.do(ctx, &request{check: k.check, apply: k.apply, size: k.size})
	})
	if err != nil {
		return fmt.Errorf("keep bookmarks: %w", err)
	}
	return nil
}

// preparedKept is what Keep writes.
type preparedKept struct {
	units   []string
	stems   []string // the units as keys name them
	marks   []storedBookmarks
	sources []storedSource
	notes   []preparedNote
	size    int
}

func (s *Store) prepareKept(kept map[string]differ.Kept) (*preparedKept, error) {
	k := &preparedKept{units: slices.Sorted(maps.Keys(kept)), size: 256 * len(kept)}
	if k.units[0] == "" {
		return nil, errors.New("a source has no name")
	}
	if err := s.view(func(t *tx) (err error) {
		k.stems, err = t.stems(k.units)
		return err
	}); err != nil {
		return nil, err
	}
	for i, unit := range k.units {
		notes, size, err := prepareNotes(k.stems[i], kept[unit].Notes)
		if err != nil {
			return nil, fmt.Errorf("notes of source %s: %w", unit, err)
		}
		k.marks = append(k.marks, storeBookmarks(kept[unit].Bookmarks))
		k.notes, k.size = append(k.notes, notes...), k.size+size
	}
	k.sources = make([]storedSource, len(k.units))
	return k, nil
}

// check reads before anything is written, so that a damaged record is the
// answer of this request alone.
func (k *preparedKept) check(t *tx) (err error) {
	for i, stem := range k.stems {
		if err := t.still(k.units[i], stem); err != nil {
			return err
		}
		if k.sources[i], _, err = t.source(stem); err != nil {
			return err
		}
		k.sources[i].Bookmarks = k.marks[i]
	}
	return nil
}

func (k *preparedKept) apply(t *tx) error {
	for i, stem := range k.stems {
		if err := t.putSource(stem, k.sources[i]); err != nil {
			return err
		}
	}
	return t.putNotes(k.notes)
}
