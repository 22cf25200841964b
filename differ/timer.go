package differ

import (
	"encoding/binary"
	"slices"
	"time"
)

// timer is where a rule with `at` stands with one item. There is one for each
// item and rule for which there is, or lately was, a time.
type timer struct {
	at    int64  // the time that the item names; this and all others in Unix milliseconds
	due   int64  // when the event is due; idle: when the timer can be forgotten
	told  *told  // nil: nothing was
	key   string // of the item
	event string // of the rule
	slot  int32  // in timers.queue; -1: it waits for nothing
	state timerState
}

type timerState byte

const (
	timerIdle  timerState = iota // there is no time any more; what was told is remembered for a while
	timerArmed                   // the event is due at due
	timerDone                    // that time has come: it was told, or is not going to be
)

// told is what a timer has told.
type told struct {
	last  int64   // when it did last
	times []int64 // the times that it told of, the last one last: at most timesKept
}

// timesKept is for how many of its former times an item is known to have been
// told of. A time that is moved to and fro more often could be told again.
const timesKept = 16

// toldLast is when it told last; 0: never.
func (t *timer) toldLast() int64 {
	if t.told == nil {
		return 0
	}
	return t.told.last
}

func (t *timer) toldOf(at int64) bool {
	return t != nil && t.told != nil && slices.Contains(t.told.times, at)
}

// tell is t after its event was made.
func (t *timer) tell(now time.Time) timer {
	next := *t
	next.state = timerDone
	next.told = &told{last: now.UnixMilli()}
	if t.told != nil {
		next.told.times = slices.Clone(t.told.times[max(0, len(t.told.times)-timesKept+1):])
	}
	next.told.times = append(next.told.times, t.at)
	return next
}

// pass is t after its time has come and nothing was told.
func (t *timer) pass() timer {
	next := *t
	next.state = timerDone
	return next
}

// note is t as it is stored: a byte for the state and varints for the rest.
func (t *timer) note() Note {
	b := append(make([]byte, 0, 24), byte(t.state))
	b = binary.AppendVarint(b, t.at)
	b = binary.AppendVarint(b, t.due)
	if t.told != nil {
		b = binary.AppendVarint(b, t.told.last)
		for _, at := range t.told.times {
			b = binary.AppendVarint(b, at)
		}
	}
	return Note{Key: t.key, Name: noteTimer + t.event, Data: b}
}

// readTimer is the reverse of note, without key and event.
func readTimer(b []byte) (t timer, ok bool) {
	if len(b) == 0 || timerState(b[0]) > timerDone {
		return timer{}, false
	}
	var numbers []int64
	for rest := b[1:]; len(rest) > 0; {
		v, n := binary.Varint(rest)
		if n <= 0 {
			return timer{}, false
		}
		numbers, rest = append(numbers, v), rest[n:]
	}
	if len(numbers) < 2 {
		return timer{}, false
	}
	t = timer{state: timerState(b[0]), at: numbers[0], due: numbers[1]}
	if len(numbers) > 2 {
		t.told = &told{last: numbers[2], times: slices.Clone(numbers[3:])}
	}
	return t, true
}

// arm is what follows for an item's timer from the time that the item names;
// was is nil where it has none yet. changed is false where all stays as it is.
func (r *rule) arm(was *timer, key string, named, now time.Time) (next timer, changed bool) {
	at := named.UnixMilli()
	due := at + r.timing.shift.Milliseconds()
	if was != nil && was.state != timerIdle && was.at == at && was.due == due {
		return *was, false
	}
	next = timer{key: key, event: r.event, at: at, due: due, state: timerArmed}
	if was != nil {
		next.told = was.told
	}
	if was.toldOf(at) || r.timing.tooLate(due, now) {
		next.state = timerDone
	}
	return next, true
}

// disarm is what is left of a timer whose item is gone, or names no time any
// more. keep is false where nothing is: there is no way back to a time that
// would be told twice, or too soon.
func (r *rule) disarm(was *timer, now time.Time) (next timer, keep bool) {
	if was.told == nil {
		return timer{}, false
	}
	next = *was
	next.state, next.due = timerIdle, was.told.last+max(r.timing.late, r.cooldown).Milliseconds()
	return next, next.due > now.UnixMilli()
}
