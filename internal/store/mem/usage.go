package mem

import (
	"context"
	"errors"
	"maps"

	"github.com/deltahook/deltahook/internal/budget"
)

// Usage gives what is used of each limit. See poller.Ledger.
func (s *Store) Usage(ctx context.Context) (map[string]budget.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.used), nil
}

// Spend stores what is used of limits. See poller.Ledger.
func (s *Store) Spend(ctx context.Context, used map[string]budget.Usage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := used[""]; there {
		return errors.New("usage of limits: a limit has no name")
	}
	maps.Copy(s.used, used)
	return nil
}
