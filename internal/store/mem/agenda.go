package mem

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// agenda is deliveries in the order of their due times, and of their places or,
// of what was tried, their numbers. It is a list of sorted runs of at most two
// times runLength, so that adding and removing shift a run and not everything.
type agenda struct{ runs [][]*delivery }

const runLength = 512

// at is the delivery's place among those that were never tried.
func (d *delivery) at() uint64 { return cmp.Or(d.stands, d.Number) }

func before(a, b *delivery) int {
	if c := a.Due.Compare(b.Due); c != 0 {
		return c
	}
	if a.Due.IsZero() {
		return cmp.Compare(a.at(), b.at())
	}
	return cmp.Compare(a.Number, b.Number)
}

// run is the index of the run that d is in or belongs in.
func (a *agenda) run(d *delivery) int {
	i := sort.Search(len(a.runs), func(i int) bool { return before(a.runs[i][0], d) > 0 })
	return max(i-1, 0)
}

func (a *agenda) add(d *delivery) {
	if len(a.runs) == 0 {
		a.runs = [][]*delivery{{d}}
		return
	}
	i := a.run(d)
	at, _ := slices.BinarySearchFunc(a.runs[i], d, before)
	run := slices.Insert(a.runs[i], at, d)
	a.runs[i] = run
	if len(run) == 2*runLength {
		a.runs[i] = slices.Clone(run[:runLength])
		a.runs = slices.Insert(a.runs, i+1, slices.Clone(run[runLength:]))
	}
}

// remove says whether d was there.
func (a *agenda) remove(d *delivery) bool {
	if len(a.runs) == 0 {
		return false
	}
	i := a.run(d)
	at, there := slices.BinarySearchFunc(a.runs[i], d, before)
	if !there {
		return false
	}
	a.runs[i] = slices.Delete(a.runs[i], at, at+1)
	if len(a.runs[i]) == 0 {
		a.runs = slices.Delete(a.runs, i, i+1)
	}
	return true
}

// take gives the first that is due at now and not skipped; nil: there is none.
func (a *agenda) take(now time.Time, skip func(*delivery) bool) *delivery {
	for _, run := range a.runs {
		for _, d := range run {
			if d.Due.After(now) {
				return nil
			}
			if !skip(d) {
				return d
			}
		}
	}
	return nil
}

// after is the first due time that is later than now.
func (a *agenda) after(now time.Time) time.Time {
	late := func(d *delivery) bool { return d.Due.After(now) }
	i := sort.Search(len(a.runs), func(i int) bool { return late(a.runs[i][0]) })
	if i > 0 {
		run := a.runs[i-1]
		if at := sort.Search(len(run), func(j int) bool { return late(run[j]) }); at < len(run) {
			return run[at].Due
		}
	}
	if i < len(a.runs) {
		return a.runs[i][0].Due
	}
	return time.Time{}
}
