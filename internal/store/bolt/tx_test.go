package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.etcd.io/bbolt"
)

// TestTxReadsItsWrites puts, drops and reads neighbours at random in transactions
// of many steps: what is read by the cursor that all of them share is what was
// written last.
func TestTxReadsItsWrites(t *testing.T) {
	s := openTemp(t)
	s.db.NoSync = true
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	want := map[uint64]string{}
	for round := range 30 {
		err := s.db.Update(func(btx *bbolt.Tx) error {
			tx := newTx(btx)
			at := uint64(0)
			for i := range 500 {
				if at++; r.IntN(3) == 0 {
					at = r.Uint64N(2_000)
				}
				key := numberKey(at)
				got, there := string(tx.get(bucketGone, key)), want[at] != ""
				if got != want[at] {
					return fmt.Errorf("read %q at %d, want %q", got, at, want[at])
				}
				switch r.IntN(4) {
				case 0, 1: // the next one, which is read then
					next := at + r.Uint64N(2)
					want[next] = fmt.Sprintf("%d %d %0200d", round, i, next)
					if err := tx.put(bucketGone, numberKey(next), record(want[next])); err != nil {
						return err
					}
				case 2:
					found, err := tx.pull(bucketGone, key)
					if delete(want, at); err != nil || found != there {
						return fmt.Errorf("pulled at %d: %t, %w", at, found, err)
					}
				}
			}
			return nil
		})
		err = errors.Join(err, s.view(func(tx *tx) error {
			n := 0
			c := tx.cursor(bucketGone)
			for k, v := c.First(); k != nil; k, v = c.Next() {
				n++
				at := binary.BigEndian.Uint64(k)
				if string(v) != want[at] || string(tx.get(bucketGone, k)) != want[at] || string(tx.get(bucketGone, numberKey(at+1))) != want[at+1] {
					return fmt.Errorf("at %d stands %q, want %q", at, v, want[at])
				}
			}
			if n != len(want) {
				return fmt.Errorf("%d records, want %d", n, len(want))
			}
			return nil
		}))
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
	}
}
