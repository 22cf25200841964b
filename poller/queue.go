package poller

import "time"

// queue is a heap (container/heap) of jobs, the one that is due first on top.
type queue []*job

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is heap.Push's.
func (q *queue) Push(v any) { *q = append(*q, v.(*job)) }

// Pop is heap.Pop's.
func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return j
}

// job is a source with what changes from poll to poll. It is in one place at a
// time: in the queue, in its gate's line, or with the worker that polls it; so
// it needs no lock, and no source overlaps itself.
type job struct {
	source *Source
	gate   *gate
	turn   turn
	marks  Bookmarks
	due    time.Time
	streak streak
}
