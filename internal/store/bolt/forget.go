package bolt

import (
	"context"
	"errors"
	"fmt"
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
				if t.get(bucketSources, []byte(unit)) == nil {
					continue
				}
				if err := errors.Join(t.dropAll(bucketItems, itemPrefix(unit)), t.dropAll(bucketNotes, itemPrefix(unit))); err != nil {
					return err
				}
				if err := t.drop(bucketSources, []byte(unit)); err != nil {
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
