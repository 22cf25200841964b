package bolt

import (
	"context"
	"fmt"

	"github.com/deltahook/deltahook/poller"
)

// Units gives the units of a source under which there is a state. See
// differ.Lister. It reads their keys and nothing else.
func (s *Store) Units(ctx context.Context, source string) (units []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(t *tx) error {
		units = nil
		n, err := t.name(source)
		if err != nil {
			return err
		}
		c := t.cursor(bucketSources)
		for k, _ := c.Seek([]byte(n.Stem)); k != nil; k, _ = c.Next() {
			stem, watch := poller.CutUnit(string(k))
			if stem != n.Stem {
				break
			}
			units = append(units, poller.Unit(source, watch))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("units of source %s: %w", source, err)
	}
	return units, nil
}
