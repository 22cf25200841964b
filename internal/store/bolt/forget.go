package bolt

import (
	"context"
	"fmt"

	"github.com/deltahook/deltahook/poller"
)

// Forget removes what is remembered of units. See differ.Forgetter.
func (s *Store) Forget(ctx context.Context, units ...string) error {
	if len(units) == 0 {
		return nil
	}
	err := s.do(ctx, &request{
		check: func(*tx) error { return nil },
		apply: func(t *tx) error {
			for _, unit := range units {
				stem, err := t.stem(unit)
				if err == nil {
					_, err = t.forgetUnit(stem)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
		size: 256 * len(units),
	})
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return nil
}

// forgetUnit removes what is remembered of a unit, and counts the records.
func (t *tx) forgetUnit(stem string) (n int, err error) {
	if t.get(bucketSources, []byte(stem)) == nil {
		return 0, nil
	}
	items, err := t.dropAll(bucketItems, itemPrefix(stem))
	if err != nil {
		return 0, err
	}
	notes, err := t.dropAll(bucketNotes, itemPrefix(stem))
	if err != nil {
		return 0, err
	}
	if _, err := t.dropAll(bucketUpdates, itemPrefix(stem)); err != nil {
		return 0, err
	}
	return 1 + items + notes, t.drop(bucketSources, []byte(stem))
}

// forgetSome removes what is remembered of some units of a source, until that
// were sweepStep records. done: there are no more of them.
func (t *tx) forgetSome(source string) (n int, done bool, err error) {
	name, err := t.name(source)
	if err != nil {
		return 0, false, err
	}
	var stems []string
	c := t.cursor(bucketSources)
	for k, _ := c.Seek([]byte(name.Stem)); k != nil && len(stems) < sweepStep; k, _ = c.Next() {
		if of, _ := poller.CutUnit(string(k)); of != name.Stem {
			break
		}
		stems = append(stems, string(k))
	}
	for i, stem := range stems {
		removed, err := t.forgetUnit(stem)
		if err != nil {
			return 0, false, err
		}
		if n += removed; n >= sweepStep {
			return n, i == len(stems)-1 && len(stems) < sweepStep, nil
		}
	}
	return n, len(stems) < sweepStep, nil
}
