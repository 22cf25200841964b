package bolt

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
)

// checkStep is how many records Check reads in one transaction.
const checkStep = 1_000

func (t *tx) checkRecord(b bucket, k, v []byte) (err error) {
	switch b {
	case bucketSources:
		err = unsealJSON(b, k, v, &storedSource{})
	case bucketItems:
		err = t.checkItem(k, v)
	case bucketNotes:
		err = t.checkNote(k, v)
	case bucketRevisions:
		_, err = readRevision(k, v)
	case bucketEvents:
		err = t.checkEvent(k, v)
	case bucketBySource:
		err = t.checkOfSource(k, v)
	case bucketByEndpoint:
		err = t.checkOfEndpoint(k, v)
	case bucketBodies:
		err = t.checkBody(k)
	case bucketDeliveries:
		err = t.checkDelivery(k, v)
	case bucketAttempts:
		_, err = readAttempt(k, v)
	case bucketLanes, bucketDue, bucketDead, bucketLetters:
		err = t.checkIndex(b, k)
	case bucketUpdates:
		err = t.checkUpdate(k, v)
	case bucketEndpoints:
		err = t.checkEndpoint(k, v)
	case bucketMeta:
		switch {
		case bytes.HasPrefix(k, []byte(limitKey)):
			err = unsealJSON(b, k, v, &storedUsage{})
		case bytes.HasPrefix(k, []byte(tokenKey)):
			err = unsealJSON(b, k, v, &storedToken{})
		case bytes.HasPrefix(k, []byte(nameKey)):
			err = t.checkName(k, v)
		case bytes.HasPrefix(k, []byte(leftKey)):
			_, err = readLeft(k, v)
		case bytes.HasPrefix(k, []byte(forgetKey)):
			if t.get(bucketSources, k[len(forgetKey):]) != nil {
				err = misplaced(b, k, "and its state contradict each other")
			}
		}
	case bucketGone:
	}
	return err
}

func (t *tx) checkItem(k, v []byte) error {
	if _, err := readItem(k, v); err != nil {
		return err
	}
	unit, _, ok := cutItemKey(k)
	if !ok {
		return damaged(bucketItems, k)
	}
	if !t.known(unit) {
		return misplaced(bucketItems, k, "is of a source without state")
	}
	return nil
}

// known says whether there may be records of a unit.
func (t *tx) known(stem string) bool {
	return t.get(bucketSources, []byte(stem)) != nil || t.forgetting(stem)
}

func (t *tx) checkNote(k, v []byte) error {
	unit, rest, ok := cutUnit(k)
	if !ok {
		return damaged(bucketNotes, k)
	}
	if _, err := readNote(k, v, k[:len(k)-len(rest)]); err != nil {
		return err
	}
	if !t.known(unit) {
		return misplaced(bucketNotes, k, "is of a source without state")
	}
	return nil
}

func (t *tx) checkEvent(k, v []byte) error {
	e, err := readEvent(k, v)
	if err != nil {
		return err
	}
	if key := toldKey(&e, string(k)); t.indexed() && t.get(bucketBySource, key) == nil {
		return misplaced(bucketEvents, k, "is not among those of its source")
	}
	for i := range e.bodies {
		if _, err := t.payload(string(k), i); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) checkBody(k []byte) error {
	id, _, ok := cutPart(k)
	if !ok {
		return damaged(bucketBodies, k)
	}
	_, err := t.event(id)
	return err
}

// checkDelivery holds that a delivery stands where its state says.
func (t *tx) checkDelivery(k, v []byte) error {
	d, err := readDelivery(k, v)
	if err != nil {
		return err
	}
	number, _ := lastNumber(k)
	e, err := t.event(d.event)
	if err != nil {
		return err
	}
	if _, err := t.payload(d.event, d.body); err != nil {
		return err
	}
	if err := t.checkChain(k, number, &d, &e); err != nil {
		return err
	}
	if err := t.checkKnown(k, number, &d); err != nil {
		return err
	}
	if d.place >= number {
		return misplaced(bucketDeliveries, k, "stands in the place of a later one")
	}
	lane := d.lane(&e, number)
	head, found, err := t.laneHead(lane)
	if err != nil {
		return err
	}
	waits := t.get(bucketLanes, laneKey(lane, number)) != nil
	due := t.get(bucketDue, d.dueKey(&e, number)) != nil
	dead := t.get(bucketDead, deadKey(d.settled, number)) != nil
	switch {
	case waits != (d.state == stateWaiting):
		return misplaced(bucketDeliveries, k, "and its lane contradict each other")
	case due != (waits && found && head == number):
		return misplaced(bucketDeliveries, k, "and its place in due contradict each other")
	case dead != d.letter():
		return misplaced(bucketDeliveries, k, "and the dead letters contradict each other")
	}
	return t.checkFiled(k, number, &d, &e)
}

// checkChain holds that a delivery is one of those that its event knows of, and
// that the next one is of the same event and endpoint.
func (t *tx) checkChain(k []byte, number uint64, d *storedDelivery, e *storedEvent) error {
	if origin := cmp.Or(d.origin, number); origin < e.first || origin-e.first >= uint64(e.deliveries) {
		return misplaced(bucketDeliveries, k, "is none of its event's")
	}
	if d.after == 0 {
		return nil
	}
	next, found, err := t.delivery(d.after)
	switch {
	case err != nil:
		return err
	case !found || d.after <= number || next.origin != cmp.Or(d.origin, number) || next.event != d.event || next.endpoint != d.endpoint:
		return misplaced(bucketDeliveries, k, "and its replay contradict each other")
	case d.state == stateWaiting:
		return misplaced(bucketDeliveries, k, "waits and was replayed")
	}
	return nil
}

// checkIndex holds that an index entry's delivery stands there. That it stands
// nowhere else is checkDelivery's.
func (t *tx) checkIndex(b bucket, k []byte) error {
	number, ok := lastNumber(k)
	if !ok {
		return damaged(b, k)
	}
	d, e, err := t.waiting(number)
	if err != nil {
		return err
	}
	if b == bucketDue && !bytes.Equal(k, d.dueKey(&e, number)) {
		return misplaced(b, k, "has another time or source than its delivery")
	}
	if b == bucketLetters && !bytes.Equal(k, letterKey(d.endpoint, d.settled, number)) {
		return misplaced(b, k, "has another time or endpoint than its delivery")
	}
	if dead := b == bucketDead || b == bucketLetters; dead && !d.letter() || !dead && d.state != stateWaiting {
		return misplaced(b, k, "has a delivery in another state")
	}
	return nil
}

// checkEndpoint counts what waits.
func (t *tx) checkEndpoint(k, v []byte) error {
	var e storedEndpoint
	if err := unsealJSON(bucketEndpoints, k, v, &e); err != nil {
		return err
	}
	prefix := appendPart(nil, string(k))
	waiting := 0
	c := t.cursor(bucketLanes)
	for l, _ := c.Seek(prefix); l != nil && bytes.HasPrefix(l, prefix); l, _ = c.Next() {
		waiting++
	}
	if waiting != e.Waiting {
		return misplaced(bucketEndpoints, k, fmt.Sprintf("counts %d deliveries that wait where there are %d", e.Waiting, waiting))
	}
	if e.Dead < 0 || e.Dead > math.MaxInt32 {
		return misplaced(bucketEndpoints, k, fmt.Sprintf("counts %d dead letters", e.Dead))
	}
	return nil
}
