package poller

import (
	"context"
	"sync/atomic"
	"time"
)

// nowhere is the index of a job that is not in the queue.
const nowhere = -1

// queue is a heap (container/heap) of jobs, the one that is due first on top.
type queue []*job

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is heap.Push's.
func (q *queue) Push(v any) {
	j := v.(*job)
	j.index = len(*q)
	*q = append(*q, j)
}

// Pop is heap.Pop's.
func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	j.index = nowhere
	return j
}

// job is a source, or one slot of its watch keys, with what changes from poll
// to poll. It is in one place at a time: in the queue, in its gate's line, or
// with the worker that polls it; so no source overlaps itself. The worker alone
// changes it while it is polled: what others look at (due, marks, last) under
// Poller.mu, which it needs not for reading.
type job struct {
	source *Source
	gate   *gate
	turn   turn
	marks  Bookmarks
	due    time.Time
	streak streak
	last   ending
	index  int // in the queue; nowhere: it is not there

	retries int  // early ones since the schedule came
	reset   bool // the last answer was one that resets
	polling bool // it is with a worker, or on the way there

	halt *halt              // nil: its source is not about to go
	cut  context.CancelFunc // ends the poll that runs; nil: none does, or its answer is being taken in

	// Of a source with watch keys.
	fan  *fan         // nil: it has none
	slot atomic.Int64 // its number
	keys []string     // guarded by fan.mu
	born uint64       // see fan.keysOf, of the request under way
	soon bool         // one of them is to be polled sooner than the schedule says
	rush bool         // that is what it is in the queue for, or polled for
	over bool         // it has none any more

	// Guarded by fan.told.
	answers uint64 // of the fan, when it was polled last
	before  int    // failures of it that were before the last of these
}

// ending is when a poll ended, and how long it took. The zero value is none
// since the start.
type ending struct {
	at   int64 // in Unix nanoseconds
	took time.Duration
}

// schedule is when it is polled.
func (j *job) schedule() Schedule {
	if j.fan == nil {
		return j.source.schedule
	}
	return j.fan.schedule(int(j.slot.Load()))
}
