package poller

import (
	"context"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// whence is where watch keys come from, as bits: a key may have several.
type whence uint8

const (
	fromConfig whence = 1 << iota
	fromFile
	fromItems // of another source
	fromAPI
)

// fan is the watch keys of one source, laid out in slots: each is polled by a
// job of its own, one request for its keys. Slots are numbered from 0 without
// a gap, and each has a place in the schedule's interval that its number
// decides (see shift), so that however many there are the polls are spread.
//
// A key stays in its slot, except that the last slot is given up for the holes
// that removed keys left in others once there are as many as a slot has places.
type fan struct {
	source *Source
	gate   *gate
	window time.Duration // over which the polls of one run are spread

	// mu is held to read while an answer is taken in or bookmarks are kept,
	// and locked to change who is watched: so nothing of a key is taken in
	// after it was removed, and by one job only.
	mu      sync.RWMutex
	origins map[string]whence
	retired map[string]bool // of origins, those that are polled no more
	place   map[string]seat // of the others
	born    uint64          // seat.born of the latest
	slots   []*job
	count   atomic.Int64 // len(slots), for who holds Poller.mu alone
	room    []*job       // slots with a hole, once for each
	moved   *job         // has got another number, and so another time, since leaveOut
	joined  []*job       // have got keys of a slot that was given up, since leaveOut

	// Poller.watching guards these.
	read  fileStamp       // the state of the file that was taken over; zero: none was
	dead  map[string]bool // keys that were removed and are still to be forgotten
	owing bool            // keys that items name are to be put in again: they were dead
	gone  bool            // another one has taken its place, or none

	stop context.CancelFunc // ends tend; nil: it was not begun

	news chan struct{} // capacity 1: items of another source may name other keys

	told    sync.Mutex // guards what follows
	failing map[*job]bool
	missed  int // polls that failed since one was answered
	streak  streak
	outage  outage
}

// seat is the place of a key that is polled. What was asked for before a key
// was put in is nothing of its, even where one of the same name was there.
type seat struct {
	job  *job
	born uint64 // counts the keys that were put in
}

// longestWindow is over what time the polls of one run of a cron schedule are
// spread at most.
const longestWindow = time.Hour

func newFan(s *Source) *fan {
	return &fan{
		source: s, window: window(s.schedule), origins: map[string]whence{}, retired: map[string]bool{},
		place: map[string]seat{}, failing: map[*job]bool{}, dead: map[string]bool{}, news: make(chan struct{}, 1),
	}
}

// window is the interval of "@every"; of a cron schedule the least time
// between some of its runs, or an hour where that is less.
func window(s Schedule) time.Duration {
	if every, ok := s.(everySchedule); ok {
		return every.interval
	}
	least, at := longestWindow, s.Next(time.Now())
	for range 10 {
		next := s.Next(at)
		least, at = min(least, next.Sub(at)), next
	}
	return least
}

// shift is by how much the polls of a slot are later than the schedule: the
// van der Corput sequence (1/2, 1/4, 3/4, 1/8 …) spreads any number of slots,
// and leaves those that there are where they stand when more are added.
func shift(slot int, window time.Duration) time.Duration {
	return time.Duration(float64(bits.Reverse64(uint64(slot))>>11) / (1 << 53) * float64(window))
}

// shifted is a schedule whose runs are later by a fixed time.
type shifted struct {
	Schedule
	by time.Duration
}

// Next is Schedule.Next's.
func (s shifted) Next(after time.Time) time.Time {
	return s.Schedule.Next(after.Add(-s.by)).Add(s.by)
}

// schedule is that of one slot.
func (f *fan) schedule(slot int) Schedule {
	return shifted{f.source.schedule, shift(slot, f.window)}
}

// put notes an origin of a key. It gives the job that polls the key where it
// was not watched before, and reports whether that is a new one. f.mu is
// locked.
func (f *fan) put(key string, from whence) (j *job, fresh bool) {
	known := f.origins[key] != 0
	f.origins[key] |= from
	if known {
		return nil, false
	}
	f.born++
	return f.seat(key, f.born)
}

// seat finds a key a place in a slot.
func (f *fan) seat(key string, born uint64) (j *job, fresh bool) {
	if len(f.room) > 0 {
		j = f.room[len(f.room)-1]
		f.room = f.room[:len(f.room)-1]
	} else {
		j, fresh = &job{source: f.source, fan: f, gate: f.gate, index: nowhere}, true
		j.slot.Store(int64(len(f.slots)))
		f.slots = append(f.slots, j)
		f.count.Store(int64(len(f.slots)))
		for range f.source.watch.size() - 1 {
			f.room = append(f.room, j)
		}
	}
	j.keys = append(j.keys, key)
	f.place[key] = seat{j, born}
	return j, fresh
}

// drop removes an origin of a key, and the key where that was the last one. It
// reports whether it was, and gives the job that has nothing to poll any more.
// f.mu is locked.
func (f *fan) drop(key string, from whence) (last bool, idle *job) {
	if f.origins[key]&from == 0 {
		return false, nil
	}
	if f.origins[key] &^= from; f.origins[key] != 0 {
		return false, nil
	}
	delete(f.origins, key)
	delete(f.retired, key)
	return true, f.unseat(key)
}

// unseat takes a key out of its slot, and gives the slot's job where the slot
// is given up for it, or that of the last one. f.mu is locked.
func (f *fan) unseat(key string) (idle *job) {
	j := f.place[key].job
	if j == nil {
		return nil // it is retired
	}
	delete(f.place, key)
	j.keys = slices.DeleteFunc(j.keys, func(k string) bool { return k == key })
	f.room = append(f.room, j)
	last := f.slots[len(f.slots)-1]
	switch {
	case len(j.keys) == 0: // the last slot takes its number
		last.slot.Store(j.slot.Load())
		f.slots[j.slot.Load()] = last
		if last != j {
			f.moved = last
		}
	case len(f.room) >= f.source.watch.size():
		j = last
	default:
		return nil
	}
	f.slots = f.slots[:len(f.slots)-1]
	f.count.Store(int64(len(f.slots)))
	f.room = slices.DeleteFunc(f.room, func(r *job) bool { return r == j })
	moved := j.keys
	j.keys = nil
	for _, k := range moved {
		to, _ := f.seat(k, f.place[k].born)
		f.joined = append(f.joined, to)
	}
	return j
}

// retire takes a key out of the polls and keeps it known. f.mu is locked.
func (f *fan) retire(key string) (idle *job) {
	if f.origins[key] == 0 || f.retired[key] {
		return nil
	}
	f.retired[key] = true
	return f.unseat(key)
}

// keysOf are the keys of a job's next request, and the latest that was put in
// by now.
func (f *fan) keysOf(j *job) (keys []string, born uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(j.keys), f.born
}

// holds reports whether a key is a job's, and was when born was the latest.
// f.mu is held.
func (f *fan) holds(j *job, key string, born uint64) bool {
	at := f.place[key]
	return at.job == j && at.born <= born
}
