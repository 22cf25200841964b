package mem

import (
	"context"
	"slices"
)

// Units gives the units of a source under which there is a state. See
// differ.Lister.
func (s *Store) Units(ctx context.Context, source string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	units := s.units(source)
	slices.Sort(units)
	return units, ctx.Err()
}
