package bolt

import (
	"context"
	"errors"
	"testing"

	"go.etcd.io/bbolt"
)

// MakeNewer makes a file of the next schema.
func MakeNewer(t *testing.T, path string) {
	tamper(t, path, func(btx *bbolt.Tx) error {
		key := []byte(schemaKey)
		return btx.Bucket([]byte(bucketMeta)).Put(key, newRecord(1).uint(schema+1).seal(bucketMeta, key))
	})
}

// MakeBucketMissing makes a file that lacks the bucket due.
func MakeBucketMissing(t *testing.T, path string) {
	tamper(t, path, func(btx *bbolt.Tx) error { return btx.DeleteBucket([]byte(bucketDue)) })
}

// tamper changes a file, a new one where there is none, behind the store's
// back.
func tamper(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Update(change), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// ForgetBy has a transaction remove so many records of what is forgotten.
func (s *Store) ForgetBy(step int) { s.step = step }

// ForgetStep makes one step of Forget, and says how many of the units are
// forgotten then.
func (s *Store) ForgetStep(ctx context.Context, units ...string) (done int, err error) {
	done, _, err = s.forgetStep(ctx, units)
	return done, err
}
