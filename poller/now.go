package poller

import (
	"container/heap"
	"errors"
	"fmt"
	"time"
)

// breath is for how long a source whose poll failed is not polled again by
// hand.
const breath = 10 * time.Second

// Why PollNow brings no poll forward.
var (
	ErrNoSource  = errors.New("no source has this name")
	ErrDisabled  = errors.New("the source is disabled in the configuration")
	ErrNotPolled = errors.New("nothing is polled: the daemon begins or ends, or its configuration is being changed")
	ErrPolling   = errors.New("it is being polled")
	ErrDue       = errors.New("it is due already")
	ErrFailing   = errors.New("its last poll failed less than 10 s ago")
	ErrResting   = errors.New("its server asked to be left alone")
	ErrNoKeyYet  = errors.New("it has no watch key")
)

// PollNow brings forward the next poll of a source, or of one of its watch keys
// (watch "": all of them). Limits hold as ever, and what its server asked for;
// a wait after failures does not, but for a breath. Otherwise the error says why
// not, and wraps one of those above, or ErrNotWatched; of several watch keys it
// is the reason of one.
func (p *Poller) PollNow(source, watch string) error {
	m := p.roll.Load().of[source]
	switch {
	case m == nil:
		return ErrNoSource
	case m.source.disabled:
		return ErrDisabled
	case m.fan == nil && watch != "":
		return ErrNotWatched
	case m.fan == nil:
		return p.hurry(m.job)
	}
	f := m.fan
	f.mu.RLock()
	defer f.mu.RUnlock()
	switch at := f.place[watch]; {
	case watch == "" && len(f.slots) == 0:
		return ErrNoKeyYet
	case watch == "":
		return p.hurry(f.slots...)
	case at.job == nil:
		return ErrNotWatched
	default:
		return p.hurry(at.job)
	}
}

// hurry makes jobs due that wait for their time. The error is why that was
// none, of the last of them.
func (p *Poller) hurry(jobs ...*job) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, hurried := time.Now(), false
	for _, j := range jobs {
		if kept := p.keeps(j, now); kept != nil {
			err = kept
			continue
		}
		j.due, hurried = now, true
		heap.Fix(&p.queue, j.index)
	}
	if !hurried {
		return err
	}
	p.rouse(p.queue[0])
	return nil
}

// keeps is why a job keeps its time; nil: it need not. p.mu is held.
func (p *Poller) keeps(j *job, now time.Time) error {
	switch {
	case !p.running || p.ended || j.halt != nil:
		return ErrNotPolled
	case j.polling:
		return ErrPolling
	case j.index == nowhere:
		return fmt.Errorf("%w, and waits for %s", ErrDue, j.gate)
	case !j.due.After(now):
		return ErrDue
	case j.turn.rest.After(now):
		return fmt.Errorf("%w until %s", ErrResting, j.turn.rest.UTC().Format(time.RFC3339))
	case j.marks.Failures > 0:
		// A clock that was set back makes no long breath.
		if ended := time.Unix(0, j.last.at); !ended.After(now) && now.Before(ended.Add(breath)) {
			again := ended.Add(breath + time.Second - 1).UTC().Truncate(time.Second)
			return fmt.Errorf("%w; it can be asked again at %s", ErrFailing, again.Format(time.RFC3339))
		}
	}
	return nil
}

// String is what the polls in the gate's line wait for.
func (g *gate) String() string {
	switch {
	case g.limit != nil:
		return "limit " + g.limit.name
	case g.where == full:
		return fmt.Sprintf("its host, where %d polls run", g.running)
	default:
		return "other polls to end"
	}
}
