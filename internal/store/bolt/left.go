package bolt

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// leftKey is what the keys of sources that left begin with in meta.
const leftKey = "left/"

// Left notes which sources are not configured. See differ.Leaver. It reads a
// key for each source, however many watch keys and items that has.
func (s *Store) Left(ctx context.Context, configured func(source string) bool) (left []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var were []string
	err = s.view(func(t *tx) error {
		left, were = nil, t.leftBefore()
		return t.eachSource(func(source string) {
			if !configured(source) {
				left = append(left, source)
			}
		})
	})
	slices.Sort(left)
	if err == nil && !slices.Equal(left, were) {
		err = s.do(ctx, &request{
			check: func(*tx) error { return nil },
			apply: func(t *tx) error { return t.putLeft(left) },
			size:  100 * (len(left) + len(were)),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("sources that left: %w", err)
	}
	return left, nil
}

// eachSource calls do with the name of each source that has a state.
func (t *tx) eachSource(do func(source string)) error {
	c := t.cursor(bucketSources)
	for k, _ := c.First(); k != nil; {
		stem, _ := poller.CutUnit(string(k))
		source, err := t.unit(stem)
		if err != nil {
			return err
		}
		do(source)
		k, _ = c.Seek(append([]byte(stem), 1)) // behind its watch keys, which follow a zero
	}
	return nil
}

// leftBefore is the names that left, sorted.
func (t *tx) leftBefore() (names []string) {
	prefix := []byte(leftKey)
	c := t.cursor(bucketMeta)
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		names = append(names, string(k[len(prefix):]))
	}
	return names
}

// putLeft notes those that left. What is noted of one already, stays.
func (t *tx) putLeft(left []string) error {
	for _, name := range t.leftBefore() {
		if _, still := slices.BinarySearch(left, name); !still {
			if err := t.drop(bucketMeta, []byte(leftKey+name)); err != nil {
				return err
			}
		}
	}
	for _, name := range left {
		key := []byte(leftKey + name)
		if t.get(bucketMeta, key) != nil {
			continue
		}
		if err := t.put(bucketMeta, key, newRecord(8).time(t.now).seal(bucketMeta, key)); err != nil {
			return err
		}
	}
	return nil
}

func readLeft(k, v []byte) (time.Time, error) {
	f, err := unseal(bucketMeta, k, v)
	if err != nil {
		return time.Time{}, err
	}
	since := f.time()
	return since, f.end(bucketMeta, k)
}

// left forgets the sources that left before the cutoff, about a step's records
// in each. Each unit goes as a whole: one that comes back has its state or none.
// What is left of one then goes last (see forgotten).
func (w *sweeper) left(t *tx, from []byte) (n int, next []byte, err error) {
	prefix := []byte(leftKey)
	if len(from) == 0 {
		from = prefix
	}
	k, v := t.cursor(bucketMeta).Seek(from)
	if !bytes.HasPrefix(k, prefix) {
		return 0, nil, nil
	}
	key := bytes.Clone(k)
	next = append(bytes.Clone(k), 0)
	since, err := readLeft(k, v)
	if w.passes(err) {
		return 0, next, nil
	}
	if err != nil || !since.Before(w.cutoff) {
		return 0, next, err
	}
	n, done, err := t.forgetSome(strings.TrimPrefix(string(key), leftKey))
	if err != nil {
		return 0, nil, err
	}
	if !done {
		return n, key, nil
	}
	return n, next, t.drop(bucketMeta, key)
}
