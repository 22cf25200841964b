package differ

import (
	"container/heap"

	"github.com/deltahook/deltahook/poller"
)

// agenda is tasks in the order of their times.
type agenda struct {
	heap  taskHeap
	where map[task]*appointment
}

type appointment struct {
	task task
	at   int64
	slot int
}

func newAgenda() agenda { return agenda{where: map[task]*appointment{}} }

func (t task) source() string {
	source, _ := poller.CutUnit(t.unit)
	return source
}

func (a *agenda) empty() bool     { return len(a.heap) == 0 }
func (a *agenda) first() task     { return a.heap[0].task }
func (a *agenda) at(t task) int64 { return a.where[t].at }

// put adds a task, or moves it.
func (a *agenda) put(t task, at int64) {
	if known := a.where[t]; known != nil {
		known.at = at
		heap.Fix(&a.heap, known.slot)
		return
	}
	added := &appointment{task: t, at: at}
	a.where[t] = added
	heap.Push(&a.heap, added)
}

func (a *agenda) drop(t task) {
	if known := a.where[t]; known != nil {
		heap.Remove(&a.heap, known.slot)
		delete(a.where, t)
	}
}

type taskHeap []*appointment

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push is for package heap.
func (h *taskHeap) Push(x any) {
	a := x.(*appointment)
	a.slot = len(*h)
	*h = append(*h, a)
}

// Pop is for package heap.
func (h *taskHeap) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	return a
}
