package emitter

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/deltahook/deltahook/internal/units"
)

// gather takes in what else has ended, so that it is settled together.
func (o *outlet) gather(attempts context.Context) {
	for {
		select {
		case tried := <-o.finished:
			o.finish(attempts, tried)
		default:
			return
		}
	}
}

// finish judges an attempt that has ended.
func (o *outlet) finish(attempts context.Context, tried landed) {
	out := tried.Outcome
	o.flying--
	if tried.last {
		o.workers--
	}
	o.look = true
	if out.Attempt.Status == 0 && attempts.Err() != nil {
		delete(o.taken, out.Delivery.Number) // cut short by the drain: nothing was learnt
		return
	}
	now := wall(time.Now())
	policy := o.endpoint.policy
	policy.Endless = o.gate.Pause != "" // a probe costs no event its last attempt
	out.Verdict = Judge(out.Attempt, policy, out.Delivery.Attempts+1, now, rand.Float64())
	if out.Verdict.State != Delivered {
		out.Attempt.Reason = out.Verdict.Reason // also why it is the last
	}
	out.Delivery.Body = nil // it may wait for the disk, and is not needed for that
	o.gate.pass(now, &out.Attempt, &out.Verdict, rand.Float64())
	o.meters.count(o.endpoint.name, out)
	o.endpoint.traced(&out)
	o.reporting.note(now, out)
	o.end(out)
}

// end has an outcome settled.
func (o *outlet) end(out Outcome) {
	if len(o.ended) == 0 && o.more {
		o.patience = time.After(settleWait)
	}
	o.ended = append(o.ended, out)
}

// gathers says whether what has ended waits for more that is to be settled
// with it. Where nothing more is known to wait, or to be in flight, or the
// endpoint fares otherwise than is stored, it doesn't.
func (o *outlet) gathers() bool {
	return o.patience != nil && o.more && o.flying > 0 && len(o.ended) < settleTogether*o.endpoint.concurrency &&
		len(o.waiters) == 0 && !o.dirty()
}

// expire ends a delivery that is too old to be sent.
func (o *outlet) expire(now time.Time, d Delivery) {
	o.taken[d.Number] = true
	drop := o.outdated(now)
	end, why := drop.End(wall(now))
	d.Body = nil
	o.end(Outcome{Delivery: d, Attempt: why, Verdict: Verdict{State: end, Reason: why.Reason}})
	o.countExpired(1)
}

// expireAll ends all that is too old to be sent, beside o's goroutine, and has
// nothing sent meanwhile. To find the oldest one by one would take long where
// many wait.
func (o *outlet) expireAll(ctx context.Context, now time.Time) {
	drop, taken := o.outdated(now), maps.Clone(o.taken)
	drop.Skip = func(number uint64) bool { return taken[number] }
	o.dropping = true
	o.helpers.Go(func() {
		n, err := o.queue.Drop(ctx, o.endpoint.name, drop)
		o.helped <- func() {
			o.dropping, o.look = false, true
			o.countExpired(n)
			if err == nil && n == 0 {
				err = errStays
			}
			if ctx.Err() == nil {
				o.aging.note(time.Now(), err)
			}
		}
	})
}

// errStays says that a queue gives what it does not drop.
var errStays = errors.New("the oldest delivery stays")

// outdated is what is too old to be sent at now.
func (o *outlet) outdated(now time.Time) Drop {
	ttl := o.endpoint.ttl
	return Drop{
		Before: now.Add(-ttl), Expired: true,
		Reason: "older than ttl (" + units.Duration(ttl).String() + ") when its turn came",
	}
}

func (o *outlet) countExpired(n int) {
	o.meters.expired.WithLabelValues(o.endpoint.name).Add(float64(n))
	o.reporting.expired += n
}

// dirty says whether the gate is to be stored.
func (o *outlet) dirty() bool { return o.unsure || o.gate.Health != o.stored }

// settle hands over what has ended, all at once, and what changed of the gate,
// unless a hand-over is under way, the last one failed a moment ago, or more is
// to be handed over with it.
func (o *outlet) settle(ctx context.Context, now time.Time) {
	if o.saving || now.Before(o.writing.until) || o.gathers() {
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
	o.saving, o.settling, o.ended, o.spare = true, batch, o.spare[:0], nil
	o.patience = nil
	o.stored, o.unsure = health, false
	o.helpers.Go(func() { o.settled <- done(save()) })
}

// afterSettle drops what is durable, or keeps it for the next hand-over: an
// outcome that is known is never asked of the receiver again.
func (o *outlet) afterSettle(err error) {
	o.writing.note(time.Now(), err)
	o.saving = false
	if err != nil {
		o.recall()
		o.ended = append(o.settling, o.ended...)
		o.unsure = true
	} else {
		for i := range o.settling {
			delete(o.taken, o.settling[i].Delivery.Number)
		}
		clear(o.settling)
		o.spare = o.settling
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
