package differ

import (
	"context"
	"hash/maphash"
	"slices"
)

// locks keep what is done with one unit apart: an answer that is taken in, a
// timer that fires, a person's word about a hold. Several units may share a
// lock, so that their number costs nothing.
type locks struct {
	seed    maphash.Seed
	stripes []chan struct{} // capacity 1; full: locked
}

const lockStripes = 128

func newLocks() locks {
	l := locks{seed: maphash.MakeSeed(), stripes: make([]chan struct{}, lockStripes)}
	for i := range l.stripes {
		l.stripes[i] = make(chan struct{}, 1)
	}
	return l
}

// lock locks units, and gives what unlocks them. The error is that of ctx.
func (l *locks) lock(ctx context.Context, units ...string) (release func(), err error) {
	stripes := make([]int, len(units))
	for i, unit := range units {
		stripes[i] = int(maphash.String(l.seed, unit) % lockStripes)
	}
	slices.Sort(stripes) // in one order everywhere, so that nobody waits in a circle
	stripes = slices.Compact(stripes)
	taken := 0
	release = func() {
		for _, i := range stripes[:taken] {
			<-l.stripes[i]
		}
	}
	for _, i := range stripes {
		select {
		case l.stripes[i] <- struct{}{}:
			taken++
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	return release, nil
}

// borrow locks a unit and gives its memory, for what no answer asks for.
func (d *Differ) borrow(ctx context.Context, unit string) (mem *memory, release func(), err error) {
	if release, err = d.units.lock(ctx, unit); err != nil {
		return nil, nil, err
	}
	if mem, err = d.recall(ctx, unit); err != nil {
		release()
		return nil, nil, err
	}
	return mem, release, nil
}
