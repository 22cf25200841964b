package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// walkStep is how many entries a step of a walk looks at in its transaction.
const walkStep = 1_000

// walk calls do for each delivery that an entry of an index names, and counts
// those of which it is true. It works in small steps between which others
// write. A delivery that is damaged is passed over. do may change the index:
// what it adds ahead is met as well.
func (s *Store) walk(ctx context.Context, index bucket, prefix []byte, do func(*tx, uint64, *storedDelivery, *storedEvent) (bool, error)) (n int, err error) {
	for from := bytes.Clone(prefix); from != nil; {
		var next []byte
		var did int
		err := s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				did, next, err = t.walk(index, prefix, from, do)
				return err
			},
			size: walkStep * 200,
		})
		if err != nil {
			return n, err
		}
		n, from = n+did, next
	}
	return n, nil
}

func (t *tx) walk(index bucket, prefix, from []byte, do func(*tx, uint64, *storedDelivery, *storedEvent) (bool, error)) (n int, next []byte, err error) {
	var numbers []uint64
	c := t.cursor(index)
	k, _ := c.Seek(from)
	for ; bytes.HasPrefix(k, prefix) && len(numbers) < walkStep; k, _ = c.Next() {
		number, _ := lastNumber(k)
		numbers = append(numbers, number)
	}
	if bytes.HasPrefix(k, prefix) {
		next = bytes.Clone(k)
	}
	for _, number := range numbers {
		d, e, err := t.waiting(number)
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		did, err := do(t, number, &d, &e)
		if err != nil {
			return 0, nil, err
		}
		if did {
			n++
		}
	}
	return n, next, nil
}

// count counts, as walk does, without writing.
func (s *Store) count(ctx context.Context, index bucket, prefix []byte, takes func(uint64, *storedDelivery, *storedEvent) bool) (n int, err error) {
	for from := bytes.Clone(prefix); from != nil; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := s.view(func(t *tx) error {
			did, next, err := t.walk(index, prefix, from, func(_ *tx, number uint64, d *storedDelivery, e *storedEvent) (bool, error) {
				return takes(number, d, e), nil
			})
			n, from = n+did, next
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// change changes the record of an endpoint.
func (s *Store) change(ctx context.Context, name string, do func(t *tx, e *storedEndpoint) error) error {
	if name == "" || tooLong(name) {
		return fmt.Errorf("endpoint %q: bad name", clip(name))
	}
	return s.do(ctx, &request{
		check: func(t *tx) error {
			_, err := t.endpoint(name)
			return err
		},
		apply: func(t *tx) error {
			e, err := t.endpoint(name)
			if err != nil {
				return err
			}
			return do(t, e)
		},
		size: 512,
	})
}
