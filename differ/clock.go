package differ

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Bounds of the clock.
const (
	looksAtOnce  = 32              // units looked at together, so that they share the store's next write
	longestSleep = time.Minute     // the clock on the wall may be set at any time
	firstAgain   = time.Second     // after a failure of the store, doubled each time
	longestAgain = 1 * time.Minute // up to this
	failureEvery = time.Minute     // such a failure is logged at most so often
)

// task is something that is looked at when its time has come: the timers of a
// unit, how long a source has been quiet, or what is to be told of a subject.
type task struct {
	unit  string
	quiet bool
}

// clock says when the next thing must be looked at. What it holds follows from
// the memories, so nothing of it is stored.
type clock struct {
	born time.Time
	wake chan struct{} // the first task is another; holds one
	beat chan struct{} // taken by keepTime, once each time round

	mu     sync.Mutex
	due    agenda         // by the clock on the wall, in Unix milliseconds
	again  agenda         // what failed, by milliseconds since born
	failed map[task]int   // how often in a row
	logged time.Time      // when such a failure was, last
	late   map[string]int // by source: times that came too late to be told, not logged yet
}

func newClock() *clock {
	return &clock{
		born: time.Now(), wake: make(chan struct{}, 1), beat: make(chan struct{}), due: newAgenda(), again: newAgenda(),
		failed: map[task]int{}, late: map[string]int{},
	}
}

// set has a task looked at when that time has come, in place of the one that
// was set before; ok false: never. One that fails is looked at when its wait is
// over, whatever its time.
func (c *clock) set(t task, at int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		c.due.drop(t)
		c.again.drop(t)
		delete(c.failed, t)
		return
	}
	if c.failed[t] > 0 {
		return
	}
	if c.due.put(t, at); c.due.first() == t {
		c.rouse()
	}
}

// rouse has the clock looked at.
func (c *clock) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next takes the first task that is due at now off the list, or says how long
// to wait for one at most. For ever is 0.
func (c *clock) next(now time.Time) (t task, ok bool, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 2 {
		if !c.due.empty() {
			if t := c.due.first(); c.due.at(t) <= now.UnixMilli() {
				c.due.drop(t)
				return t, true, 0
			}
		}
		if c.again.empty() || c.again.at(c.again.first()) > time.Since(c.born).Milliseconds() {
			break
		}
		t := c.again.first()
		c.again.drop(t)
		c.due.put(t, 0)
	}
	if !c.due.empty() {
		ahead := c.due.at(c.due.first()) - now.UnixMilli()
		wait = time.Duration(min(ahead, longestSleep.Milliseconds())) * time.Millisecond
	}
	if !c.again.empty() {
		since := time.Duration(c.again.at(c.again.first()))*time.Millisecond - time.Since(c.born)
		if since = max(since, time.Millisecond); wait == 0 || since < wait {
			wait = since
		}
	}
	return task{}, false, wait
}

// fails has a task looked at again after a while. tell is true where it should
// be logged.
func (c *clock) fails(t task) (tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := min(firstAgain<<min(c.failed[t], 16), longestAgain)
	c.failed[t]++
	c.due.drop(t)
	c.again.put(t, (time.Since(c.born) + wait).Milliseconds())
	c.rouse()
	if now := time.Now(); c.failed[t] == 1 && (c.logged.IsZero() || now.Sub(c.logged) >= failureEvery) {
		c.logged, tell = now, true
	}
	return tell
}

// works notes that looking at a task did not fail: it may be set again.
func (c *clock) works(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failed, t)
}

// missed counts times of a source that came too late to be told.
func (c *clock) missed(source string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late[source] += n
}

// lateOnes gives what was missed since it was asked last.
func (c *clock) lateOnes() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.late) == 0 {
		return nil
	}
	late := c.late
	c.late = map[string]int{}
	return late
}

// Beat waits until the clock, which looks at what is due at a time, has gone
// round, and gives nil then. An error is ctx's: the clock stands still, or Run
// does not go on.
func (d *Differ) Beat(ctx context.Context) error {
	select {
	case d.clock.beat <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepTime looks at what is due until ctx is done.
func (d *Differ) keepTime(ctx context.Context) {
	slots := semaphore.NewWeighted(looksAtOnce)
	var looks sync.WaitGroup
	defer looks.Wait()
	timer := time.NewTimer(longestSleep)
	defer timer.Stop()
	for ctx.Err() == nil {
		t, ok, wait := d.clock.next(d.now())
		if ok {
			if slots.Acquire(ctx, 1) != nil {
				return
			}
			looks.Go(func() {
				d.look(ctx, t)
				slots.Release(1)
				d.clock.rouse()
			})
			continue
		}
		if slots.TryAcquire(looksAtOnce) { // all that was due has been looked at
			slots.Release(looksAtOnce)
			d.logLate()
		}
		var tick <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			tick = timer.C
		}
		select {
		case <-ctx.Done():
		case <-d.clock.wake:
		case <-d.clock.beat:
		case <-tick:
		}
	}
}

// logLate says which times came too late, once for all that came together.
func (d *Differ) logLate() {
	for source, n := range d.clock.lateOnes() {
		d.log.Warn("times came too late to be told: nothing was running then, or the store could not be written",
			"source", source, "events", n)
	}
}

// look does what a task is due for.
func (d *Differ) look(ctx context.Context, t task) {
	leave, err := d.enter(ctx)
	if err != nil {
		return // it ends, and what is due is due at the next start
	}
	defer leave()
	if !d.concerns(t) { // what it is of went meanwhile
		d.clock.works(t)
		return
	}
	look := d.lookAtTimers
	switch {
	case t.quiet:
		look = d.lookAtQuiet
	case isSubject(t.unit):
		look = d.lookAtAlerts
	}
	err = look(ctx, t.unit)
	if err != nil && d.clock.fails(t) && ctx.Err() == nil {
		d.log.Warn("what is due at a time cannot be stored; trying again", "source", t.source(), "err", err)
	}
}

// concerns reports whether what a task is of is still configured.
func (d *Differ) concerns(t task) bool {
	source := sourceOf(t.unit)
	switch {
	case source != "":
		return d.sources[source] != nil
	case isSubject(t.unit):
		return true
	case t.quiet:
		return d.quiets[t.unit] != nil
	}
	return d.sources[t.source()] != nil
}
