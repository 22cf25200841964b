package bolt

import (
	"bytes"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// upgradeKey is where it stands which records the indexes of a file that was of
// an older schema do not have yet. Without it they have all.
const upgradeKey = "upgrade"

// upgradeStep is how many records one transaction of an upgrade takes in. Those
// of events are spread over the pages of all sources, each of which is written
// anew: smaller steps write more.
const upgradeStep = 50_000

// beginUpgrade notes that no record has been taken in.
func (t *tx) beginUpgrade() error { return t.upgradeFrom(bucketEvents, nil) }

func (t *tx) upgradeFrom(b bucket, from []byte) error {
	key := []byte(upgradeKey)
	return t.put(bucketMeta, key, newRecord(len(b)+len(from)+4).text(string(b)).bytes(from).seal(bucketMeta, key))
}

// upgrade takes in what is missing, a step in a transaction.
func (s *Store) upgrade() error {
	for more := true; more; {
		err := s.guard(func() error {
			return s.db.View(func(btx *bbolt.Tx) error {
				more = btx.Bucket([]byte(bucketMeta)).Get([]byte(upgradeKey)) != nil
				return nil
			})
		})
		if err == nil && more {
			err = s.guard(func() error {
				return s.db.Update(func(btx *bbolt.Tx) error { return newTx(btx).upgrade(upgradeStep) })
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// upgrade makes a step of so many records.
func (t *tx) upgrade(step int) error {
	key := []byte(upgradeKey)
	f, err := unseal(bucketMeta, key, t.get(bucketMeta, key))
	if err != nil {
		return err
	}
	b, from := bucket(f.text()), bytes.Clone(f.bytes())
	n := 0
	var some []pair
	c := t.cursor(b)
	k, v := c.Seek(from)
	for ; k != nil && n < step; k, v = c.Next() {
		if some, err = t.entries(some, b, k, v); err != nil {
			return err
		}
		n++
	}
	// bbolt moves what stands behind a new key, until the end of the transaction.
	slices.SortFunc(some, func(a, b pair) int {
		if a.b != b.b {
			return bytes.Compare([]byte(a.b), []byte(b.b))
		}
		return bytes.Compare(a.k, b.k)
	})
	next := bytes.Clone(k)
	for _, p := range some {
		if err := t.put(p.b, p.k, record(p.v)); err != nil {
			return err
		}
	}
	switch {
	case next != nil:
		return t.upgradeFrom(b, next)
	case b == bucketEvents:
		return t.upgradeFrom(bucketDeliveries, nil)
	}
	if t.has(bucketTold) {
		if err := t.btx.DeleteBucket([]byte(bucketTold)); err != nil {
			return err
		}
	}
	return t.drop(bucketMeta, key)
}

// entries adds those that indexes have of a record. What is damaged is met where
// all is listed.
func (t *tx) entries(some []pair, b bucket, k, v []byte) ([]pair, error) {
	if b == bucketEvents {
		e, err := readEvent(k, v)
		if err != nil {
			return some, ignoreDamage(err)
		}
		key := toldKey(&e, string(k))
		return append(some, pair{bucketBySource, key, toldRecord(key, &e, e.deliveries)}), nil
	}
	d, err := readDelivery(k, v)
	number, ok := lastNumber(k)
	if err != nil || !ok {
		return some, ignoreDamage(err)
	}
	key := endpointKey(d.endpoint, number)
	some = append(some, pair{bucketByEndpoint, key, ofEndpointRecord(key, &d)})
	if d.letter() {
		key := letterKey(d.endpoint, d.settled, number)
		some = append(some, pair{bucketLetters, key, entry(bucketLetters, key)})
	}
	if d.origin == 0 {
		return some, nil
	}
	e, err := t.event(d.event)
	if err != nil {
		return some, ignoreDamage(err)
	}
	key = replayKey(&e, number)
	return append(some, pair{bucketBySource, key, toldRecord(key, &e, 1)}), nil
}

func ignoreDamage(err error) error {
	if errors.Is(err, ErrDamaged) {
		return nil
	}
	return err
}
