package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/deltahook/deltahook/poller"
)

// forgetKey is what the keys of units that are being forgotten begin with in
// meta, before their stems.
const forgetKey = "forget/"

// Forget removes what is remembered of units. See differ.Forgetter. It works in
// small steps between which others write. The first step of a unit takes its
// state, so that whatever ends the rest, it is not there any more: what is left
// of it is shown to nobody, and removed before anything is written under its
// name again, or by the next sweep.
func (s *Store) Forget(ctx context.Context, units ...string) error {
	for len(units) > 0 {
		done, half, err := s.forgetStep(ctx, units)
		if err == nil && half != "" {
			err = s.forgetRest(ctx, half)
			done++
		}
		if err != nil {
			return fmt.Errorf("forget: %w", err)
		}
		units = units[done:]
	}
	return nil
}

// forgetStep makes one step, and says how many of the units are forgotten, and
// under which key the rest of the next one stands; "": it was not begun.
func (s *Store) forgetStep(ctx context.Context, units []string) (done int, half string, err error) {
	err = s.do(ctx, &request{
		check: func(*tx) error { return nil },
		apply: func(t *tx) error {
			done, half = 0, ""
			for n := 0; done < len(units) && n < t.step; done++ {
				stem, err := t.stem(units[done])
				if err != nil {
					return err
				}
				removed, whole, err := t.forgetUnit(stem, t.step-n)
				if err != nil {
					return err
				}
				if !whole {
					half = stem
					return nil
				}
				n += removed
			}
			return nil
		},
		size: sweepStep * 100,
	})
	return done, half, err
}

// forgetRest brings to its end what forgetStep began. It goes by the key: the
// unit's name may be another's by now. And it takes no state: what is there came
// after all was forgotten.
func (s *Store) forgetRest(ctx context.Context, stem string) error {
	for whole := false; !whole; {
		err := s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) (err error) {
				if whole = !t.forgetting(stem); !whole {
					_, whole, err = t.forgetUnit(stem, t.step)
				}
				return err
			},
			size: sweepStep * 100,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetting says whether a unit is being forgotten: it has no state, and there
// may be records of it.
func (t *tx) forgetting(stem string) bool {
	return t.get(bucketMeta, []byte(forgetKey+stem)) != nil
}

// forgetUnit removes at most so many records of a unit, and counts them. whole:
// there are no more of them.
func (t *tx) forgetUnit(stem string, most int) (n int, whole bool, err error) {
	if t.get(bucketSources, []byte(stem)) != nil {
		if err := t.drop(bucketSources, []byte(stem)); err != nil {
			return 0, false, err
		}
		n++
	} else if !t.forgetting(stem) {
		return 0, true, nil
	}
	whole = true
	for _, b := range []bucket{bucketItems, bucketNotes, bucketUpdates} {
		removed, all, err := t.dropSome(b, itemPrefix(stem), most-n)
		if err != nil {
			return 0, false, err
		}
		n, whole = n+removed, whole && all
	}
	mark := []byte(forgetKey + stem)
	if whole {
		return n, true, t.drop(bucketMeta, mark)
	}
	return n, false, t.mark(bucketMeta, mark)
}

// dropSome removes at most so many records whose keys begin with prefix. all:
// there are no more of them.
func (t *tx) dropSome(b bucket, prefix []byte, most int) (n int, all bool, err error) {
	var keys [][]byte
	c := t.cursor(b)
	k, _ := c.Seek(prefix)
	for ; k != nil && bytes.HasPrefix(k, prefix) && len(keys) < most; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	all = k == nil || !bytes.HasPrefix(k, prefix)
	for _, k := range keys {
		if err := t.drop(b, k); err != nil {
			return 0, false, err
		}
	}
	return len(keys), all, nil
}

// unforgotten says of a unit, by its key, that it is being forgotten, so that
// nothing can be written under its name yet.
type unforgotten struct{ stem string }

func (e *unforgotten) Error() string { return describeUnit(e.stem) + " is being forgotten" }

// afterForgetting does what is written under the name of a unit. Where one is
// being forgotten, that is brought to its end first.
func (s *Store) afterForgetting(ctx context.Context, write func() error) error {
	for {
		err := write()
		under, ok := errors.AsType[*unforgotten](err)
		if !ok {
			return err
		}
		if err := s.forgetRest(ctx, under.stem); err != nil {
			return err
		}
	}
}

// forgetSome removes what is remembered of some units of a source, about a
// step's records of it. done: none of them has a state any more.
func (t *tx) forgetSome(source string) (n int, done bool, err error) {
	name, err := t.name(source)
	if err != nil {
		return 0, false, err
	}
	var stems []string
	c := t.cursor(bucketSources)
	for k, _ := c.Seek([]byte(name.Stem)); k != nil && len(stems) < t.step; k, _ = c.Next() {
		if of, _ := poller.CutUnit(string(k)); of != name.Stem {
			break
		}
		stems = append(stems, string(k))
	}
	for i, stem := range stems {
		removed, _, err := t.forgetUnit(stem, t.step-n)
		if err != nil {
			return 0, false, err
		}
		if n += removed; n >= t.step {
			return n, i == len(stems)-1 && len(stems) < t.step, nil
		}
	}
	return n, len(stems) < t.step, nil
}

// forgotten goes on with units that are being forgotten, by a step.
func (t *tx) forgotten(from []byte) (n int, next []byte, err error) {
	prefix := []byte(forgetKey)
	if len(from) == 0 {
		from = prefix
	}
	k, _ := t.cursor(bucketMeta).Seek(from)
	if !bytes.HasPrefix(k, prefix) {
		return 0, nil, nil
	}
	key := bytes.Clone(k)
	n, whole, err := t.forgetUnit(string(key[len(prefix):]), t.step)
	if err == nil && whole {
		key = append(key, 0)
	}
	return n, key, err
}
