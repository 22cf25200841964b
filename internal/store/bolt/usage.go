package bolt

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
)

// limitKey is what the keys of limits begin with in meta. They stand there,
// not in a bucket of their own, so that files of before have what is needed.
const limitKey = "limit/"

// storedUsage is a record of a limit.
type storedUsage struct {
	Day  time.Time `json:"day,omitzero"`
	Used int       `json:"used,omitempty"`
	Rest time.Time `json:"rest,omitzero"`
}

// Usage gives what is used of each limit. See poller.Ledger.
func (s *Store) Usage(ctx context.Context) (map[string]budget.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	used := map[string]budget.Usage{}
	err := s.view(func(t *tx) error {
		prefix := []byte(limitKey)
		c := t.cursor(bucketMeta)
		for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			var u storedUsage
			if err := unsealJSON(bucketMeta, k, v, &u); err != nil {
				return err
			}
			used[strings.TrimPrefix(string(k), limitKey)] = budget.Usage(u)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("usage of limits: %w", err)
	}
	return used, nil
}

// Spend stores what is used of limits. See poller.Ledger.
func (s *Store) Spend(ctx context.Context, used map[string]budget.Usage) error {
	if len(used) == 0 {
		return nil
	}
	err := s.do(ctx, &request{
		check: func(*tx) error {
			for name := range used {
				if name == "" || tooLong(name, limitKey) {
					return fmt.Errorf("limit %q has no name, or too long a one", clip(name))
				}
			}
			return nil
		},
		apply: func(t *tx) error {
			for _, name := range slices.Sorted(maps.Keys(used)) {
				key := []byte(limitKey + name)
				r, err := sealJSON(bucketMeta, key, storedUsage(used[name]))
				if err != nil {
					return err
				}
				if err := t.put(bucketMeta, key, r); err != nil {
					return err
				}
			}
			return nil
		},
		size: len(used) * 200,
	})
	if err != nil {
		return fmt.Errorf("usage of limits: %w", err)
	}
	return nil
}
