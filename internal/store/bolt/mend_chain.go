package bolt

import (
	"bytes"
	"errors"
)

// chain has a replay be known to the first delivery that it repeats, where what
// led to it is gone. Replays come in the order of their numbers.
func (m *mender) chain(t *tx, _ bucket, k, _ []byte) error {
	number, _ := lastNumber(k)
	d, found, err := t.delivery(number)
	if err != nil || !found || d.origin == 0 {
		return err
	}
	at := d.origin
	before, found, err := t.delivery(at)
	if err == nil && !found {
		return m.standIn(t, number, &d)
	}
	for err == nil && before.after > at && before.after < number {
		next, found, err := t.delivery(before.after)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		at, before = before.after, next
	}
	if err != nil || before.after == number {
		return err
	}
	before.after = number
	return t.putDelivery(at, &before)
}

// standIn puts something in the place of a first delivery that is gone and was
// replayed.
func (m *mender) standIn(t *tx, number uint64, d *storedDelivery) error {
	first := storedDelivery{event: d.event, endpoint: d.endpoint, body: d.body, state: stateDead, settled: d.queued, after: number}
	c := t.cursor(bucketAttempts)
	for k, _ := c.Seek(numberKey(d.origin)); bytes.HasPrefix(k, numberKey(d.origin)); k, _ = c.Next() {
		first.attempts++
	}
	return t.putDelivery(d.origin, &first)
}

// checkKnown holds that a replay is found from the first delivery that it repeats.
func (t *tx) checkKnown(k []byte, number uint64, d *storedDelivery) error {
	if d.origin == 0 {
		return nil
	}
	for at := d.origin; at != 0 && at < number; {
		before, found, err := t.delivery(at)
		switch {
		case errors.Is(err, ErrDamaged):
			return nil // told of that one
		case err != nil:
			return err
		case found && before.after == number:
			return nil
		case !found || before.after <= at:
			at = 0
		default:
			at = before.after
		}
	}
	return misplaced(bucketDeliveries, k, "is a replay that its event does not know")
}
