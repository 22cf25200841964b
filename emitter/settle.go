package emitter

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

// gather takes in what else has ended, so that it is settled together.
func (o *outlet) gather(attempts context.Context) {
	for {
		select {
		case out := <-o.finished:
			o.finish(attempts, out)
		default:
			return
		}
	}
}

// finish judges an attempt that has ended.
func (o *outlet) finish(attempts context.Context, out Outcome) {
	o.flying--
	o.look = true
	if out.Attempt.Status == 0 && attempts.Err() != nil {
		delete(o.taken, out.Delivery.Number) // cut short by the drain: nothing was learnt
		return
	}
	now := wall(time.Now())
	policy := o.endpoint.policy
	policy.Endless = o.gate.Pause != "" // a probe costs no event its last attempt
	out.Verdict = Judge(out.Attempt, policy, out.Delivery.Attempts+1, now, rand.Float64())
	out.Delivery.Body = nil // it may wait for the disk, and is not needed for that
	o.gate.pass(now, &out.Attempt, &out.Verdict, rand.Float64())
	o.meters.count(o.endpoint.name, out)
	o.reporting.note(now, out)
	o.ended = append(o.ended, out)
}

// expire ends a delivery that is too old to be sent.
func (o *outlet) expire(now time.Time, d Delivery) {
	o.taken[d.Number] = true
	why := "older than ttl (" + units.Duration(o.endpoint.ttl).String() + ") when its turn came"
	d.Body = nil
	o.ended = append(o.ended, Outcome{
		Delivery: d, Attempt: Attempt{At: wall(now), Error: ErrorExpired, Reason: why}, Verdict: Verdict{State: Expired, Reason: why},
	})
	o.meters.expired.WithLabelValues(o.endpoint.name).Inc()
	o.reporting.expired++
}

// dirty says whether the gate is to be stored.
func (o *outlet) dirty() bool { return o.unsure || o.gate.Health != o.stored }

// settle hands over what has ended, all at once, and what changed of the gate,
// unless a hand-over is under way or the last one failed a moment ago.
func (o *outlet) settle(ctx context.Context, now time.Time) {
	if o.saving || now.Before(o.writing.until) {
		return
	}
	batch, health, waiters := o.ended, o.gate.Health, o.waiters
	o.waiters = nil
	done := func(err error) error {
		for _, w := range waiters {
			w <- err
		}
		return err
	}
	save := func() error { return o.queue.SetHealth(ctx, o.endpoint.name, health) }
	switch {
	case len(batch) == 0 && !o.dirty():
		_ = done(nil)
		return
	case len(batch) > 0:
		if o.dirty() {
			batch[len(batch)-1].Health = &health
		}
		save = func() error { return o.queue.Settle(ctx, batch) }
	}
	o.saving, o.settling, o.ended = true, batch, nil
	o.stored, o.unsure = health, false
	o.helpers.Go(func() { o.settled <- done(save()) })
}

// afterSettle drops what is durable, or keeps it for the next hand-over: an
// outcome that is known is never asked of the receiver again.
func (o *outlet) afterSettle(err error) {
	o.writing.note(time.Now(), err)
	o.saving = false
	if err != nil {
		o.ended = append(o.settling, o.ended...)
		o.unsure = true
	} else {
		for _, out := range o.settling {
			delete(o.taken, out.Delivery.Number)
		}
		o.news.note(o.stored)
	}
	o.settling, o.look = nil, true
}

// hasten makes due what waits for a time, if it is to be.
func (o *outlet) hasten(ctx context.Context, now time.Time) {
	if !o.gate.Hasten || o.hastening || now.Before(o.hurrying.until) {
		return
	}
	o.hastening = true
	o.helpers.Go(func() {
		err := o.queue.Hasten(ctx, o.endpoint.name)
		o.helped <- func() {
			o.hastening, o.look = false, true
			if ctx.Err() == nil {
				o.hurrying.note(time.Now(), err)
			}
			if err == nil {
				o.gate.Hasten = false
			}
		}
	})
}
