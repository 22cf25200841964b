package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// stem is what stands for a source in lanes: its name, until that was changed.
func (s *Store) stem(source string) string {
	if stem, renamed := s.stems[source]; renamed {
		return stem
	}
	return source
}

// Rename has all that is remembered of a source stand under another name. See
// differ.Renamer. The two names change their stems, so that what waits of either
// stays in its lanes.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if to == "" {
		return errors.New("rename: a source has no name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	units := s.units(from)
	switch {
	case len(units) == 0 || from == to:
		return nil
	case len(s.units(to)) > 0:
		return fmt.Errorf("rename source %s to %s: %w", from, to, differ.ErrTaken)
	}
	for _, unit := range units {
		src := s.sources[unit]
		delete(s.sources, unit)
		src.state.Source = to
		s.sources[src.state.Unit()] = src
	}
	s.stems[from], s.stems[to] = s.stem(to), s.stem(from)
	delete(s.left, from)
	delete(s.left, to)
	return nil
}

// units is the units of a source that have a state.
func (s *Store) units(source string) (units []string) {
	for unit := range s.sources {
		if of, _ := poller.CutUnit(unit); of == source {
			units = append(units, unit)
		}
	}
	return units
}

// Left notes which sources are not configured. See differ.Leaver.
func (s *Store) Left(ctx context.Context, configured func(source string) bool) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := map[string]time.Time{}
	for unit := range s.sources {
		source, _ := poller.CutUnit(unit)
		if since, before := s.left[source]; !configured(source) && before {
			left[source] = since
		} else if !configured(source) {
			left[source] = time.Now()
		}
	}
	s.left = left
	return slices.Sorted(maps.Keys(left)), nil
}
