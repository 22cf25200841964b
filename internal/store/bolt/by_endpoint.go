package bolt

import (
	"bytes"
	"encoding/binary"
	"time"
)

// file puts a new delivery among those of its endpoint, and a replay among what
// was told of its source. Neither changes as long as it is there.
func (t *tx) file(number uint64, d *storedDelivery, e *storedEvent) error {
	key := endpointKey(d.endpoint, number)
	if err := t.put(bucketByEndpoint, key, ofEndpointRecord(key, d)); err != nil || d.origin == 0 {
		return err
	}
	return t.tellAgain(number, e)
}

// unfile undoes file.
func (t *tx) unfile(number uint64, d *storedDelivery, e *storedEvent) error {
	if err := t.drop(bucketByEndpoint, endpointKey(d.endpoint, number)); err != nil || d.origin == 0 {
		return err
	}
	return t.drop(bucketBySource, replayKey(e, number))
}

func endpointKey(endpoint string, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPart(nil, endpoint), number)
}

func ofEndpointRecord(key []byte, d *storedDelivery) record {
	return newRecord(10).uint(d.origin).seal(bucketByEndpoint, key)
}

// bury puts a delivery among the dead letters.
func (t *tx) bury(number uint64, d *storedDelivery) error {
	if err := t.mark(bucketDead, deadKey(d.settled, number)); err != nil {
		return err
	}
	return t.mark(bucketLetters, letterKey(d.endpoint, d.settled, number))
}

// exhume undoes bury.
func (t *tx) exhume(number uint64, d *storedDelivery) error {
	if err := t.drop(bucketDead, deadKey(d.settled, number)); err != nil {
		return err
	}
	return t.drop(bucketLetters, letterKey(d.endpoint, d.settled, number))
}

func letterKey(endpoint string, at time.Time, number uint64) []byte {
	return append(appendPart(nil, endpoint), deadKey(at, number)...)
}

// checkOfEndpoint holds that an entry is that of its delivery.
func (t *tx) checkOfEndpoint(k, v []byte) error {
	number, ok := lastNumber(k)
	if !ok {
		return damaged(bucketByEndpoint, k)
	}
	d, _, err := t.waiting(number)
	if err != nil {
		return err
	}
	if !bytes.Equal(k, endpointKey(d.endpoint, number)) || !bytes.Equal(v, ofEndpointRecord(k, &d)) {
		return misplaced(bucketByEndpoint, k, "is not what its delivery says")
	}
	return nil
}

// checkFiled holds that a delivery is in the indexes that lists go by.
func (t *tx) checkFiled(k []byte, number uint64, d *storedDelivery, e *storedEvent) error {
	switch {
	case !t.indexed():
	case t.get(bucketByEndpoint, endpointKey(d.endpoint, number)) == nil:
		return misplaced(bucketDeliveries, k, "is not among those of its endpoint")
	case d.origin != 0 && t.get(bucketBySource, replayKey(e, number)) == nil:
		return misplaced(bucketDeliveries, k, "is not among those of its source")
	case d.letter() != (t.get(bucketLetters, letterKey(d.endpoint, d.settled, number)) != nil):
		return misplaced(bucketDeliveries, k, "and the dead letters of its endpoint contradict each other")
	}
	return nil
}
