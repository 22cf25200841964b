package bolt

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/emitter"
)

// spoil flips a bit of the value of a record.
func spoil(t *testing.T, s *Store, b bucket, key []byte) {
	t.Helper()
	err := s.db.Update(func(btx *bbolt.Tx) error {
		records := btx.Bucket([]byte(b))
		value := append([]byte(nil), records.Get(key)...)
		if len(value) == 0 {
			return errors.New("there is no " + describe(b, key))
		}
		value[len(value)-1] ^= 1
		return records.Put(key, value)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// twoEach fills a store with two events of each of three sources: deliveries 1
// to 3, and 4 to 6 behind them.
func twoEach(t *testing.T) *Store {
	t.Helper()
	s := openTemp(t)
	for version := range uint64(2) {
		for _, source := range []string{"a", "b", "c"} {
			if err := s.Commit(t.Context(), benchCommit(source, version)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func numbers(t *testing.T, s *Store, n int) (due []uint64, batch emitter.Batch) {
	t.Helper()
	batch, err := s.Pending(t.Context(), "hook", time.Now(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range batch.Due {
		due = append(due, d.Number)
	}
	slices.Sort(due) // sources take turns
	return due, batch
}

func arrived(d emitter.Delivery) emitter.Outcome {
	return emitter.Outcome{Delivery: d, Verdict: emitter.Verdict{State: emitter.Delivered}}
}

// TestDamagedDelivery damages each record that a delivery needs. The endpoint's
// others are sent and settled, also together with one of the damaged delivery.
func TestDamagedDelivery(t *testing.T) {
	for b, key := range map[bucket][]byte{
		bucketDue:        dueKey("hook", "a", time.Time{}, 0, 1),
		bucketDeliveries: numberKey(1),
		bucketEvents:     []byte("a-00000000"),
		bucketBodies:     bodyKey("a-00000000", 0),
	} {
		t.Run(string(b), func(t *testing.T) {
			s := twoEach(t)
			spoil(t, s, b, key)
			due, batch := numbers(t, s, 2)
			if len(due) != 2 || due[0] != 2 || due[1] != 3 || batch.Damaged != 1 || !errors.Is(batch.Damage, ErrDamaged) {
				t.Fatalf("due %v, %d damaged, %v; want 2 and 3, and one", due, batch.Damaged, batch.Damage)
			}
			outcomes := []emitter.Outcome{arrived(emitter.Delivery{Number: 2})}
			if b == bucketDeliveries || b == bucketEvents {
				outcomes = append(outcomes, arrived(emitter.Delivery{Number: 1}))
			}
			if err := s.Settle(t.Context(), outcomes); err != nil {
				t.Fatal(err)
			}
			if due, batch = numbers(t, s, 10); len(due) != 2 || due[0] != 3 || due[1] != 5 || batch.Damaged != 1 {
				t.Errorf("then due %v, %d damaged; want 3 and 5, and one", due, batch.Damaged)
			}
		})
	}
}

// TestDamagedFollower damages what stands behind the first delivery of a lane:
// the first can be settled, and the rest of the lane waits.
func TestDamagedFollower(t *testing.T) {
	for b, key := range map[bucket][]byte{
		bucketDeliveries: numberKey(4),
		bucketLanes:      laneKey(lanePrefix("hook", "a", "a"), 4),
	} {
		t.Run(string(b), func(t *testing.T) {
			s := twoEach(t)
			spoil(t, s, b, key)
			_, batch := numbers(t, s, 1)
			if err := s.Settle(t.Context(), []emitter.Outcome{arrived(batch.Due[0])}); err != nil {
				t.Fatal(err)
			}
			due, batch := numbers(t, s, 10)
			want := 1
			if b == bucketLanes {
				want = 0 // its number is known, and the rest of it is whole
			}
			if batch.Damaged != want || len(due) != 3-want {
				t.Errorf("due %v, %d damaged, want %d", due, batch.Damaged, want)
			}
		})
	}
}

// TestDamagedByTheThousand gives up where nearly all is damaged.
func TestDamagedByTheThousand(t *testing.T) {
	s := openTemp(t)
	c := benchCommit("a", 0)
	event := c.Events[0]
	c.Events = nil
	for i := range maxDamaged + 1 {
		event.ID, event.Key = string(rune('a'+i)), string(rune('a'+i))
		c.Events = append(c.Events, event)
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(btx *bbolt.Tx) error {
		for i := range maxDamaged + 1 {
			if err := btx.Bucket([]byte(bucketDeliveries)).Delete(numberKey(uint64(i) + 1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pending(t.Context(), "hook", time.Now(), 1, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("%d damaged deliveries: %v", maxDamaged+1, err)
	}
}
