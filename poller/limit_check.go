package poller

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/fault"
)

// CheckLimits warns of limits that the schedules of their sources do not fit,
// with the arithmetic; r is at the top. A poll counts as one request, one of
// watch keys as one for each batch of those that are known, so what is told is
// the least. Disabled sources and those with faults don't count.
func CheckLimits(r fault.Report, limits map[string]LimitSettings, sources map[string]Settings) {
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		l, at := limits[name], r.At("limits", name)
		demands := demandsOf(name, sources)
		if !l.Quota.IsZero() {
			fits(at.At("quota"), demandOf(demands, 24*time.Hour), "a day", l.Quota.In(24*time.Hour), "quota "+grouped(l.Quota.N)+"/day")
		}
		if l.Rate.IsZero() {
			continue
		}
		span, word := l.span()
		allowed := l.Rate.In(span)
		fits(at.At("rate"), demandOf(demands, span), word, allowed, fmt.Sprintf("rate %s allows %s", l.Rate, grouped(int(allowed))))
	}
}

// span is over what time a rate is held against schedules.
func (s LimitSettings) span() (time.Duration, string) {
	if s.Rate.Per > time.Hour {
		return 24 * time.Hour, "a day"
	}
	return time.Hour, "an hour"
}

// demander is a source that asks on a limit.
type demander struct {
	name     string
	schedule Schedule
	watch    WatchSettings
	keys     int // of watch, that are known before it runs
}

// requests is how many requests one run of the schedule makes.
func (d demander) requests() int {
	if !d.watch.Given() {
		return 1
	}
	size := max(1, d.watch.Batch)
	return (d.keys + size - 1) / size
}

// demandsOf are the sources that ask on a limit, in the order of their names.
func demandsOf(limit string, sources map[string]Settings) (all []demander) {
	for _, source := range slices.Sorted(maps.Keys(sources)) {
		s := sources[source]
		if s.Limit != limit || s.Disabled {
			continue
		}
		if schedule, err := ParseSchedule(s.Schedule, s.Timezone, source, s.Jitter.Std()); err == nil {
			all = append(all, demander{source, schedule, s.Watch, s.Watch.Known()})
		}
	}
	return all
}

// demand is how many sources ask how often in a span of time, and with how many
// requests each time.
type demand struct {
	sources, polls, requests int
	keys, batch              int // of watch keys: how many, and in one request; 0: the sources have none
}

func (d demand) sum() int { return d.sources * d.polls * d.requests }

// String is the arithmetic.
func (d demand) String() string {
	noun := "sources"
	if d.sources == 1 {
		noun = "source"
	}
	text := fmt.Sprintf("%s %s × %s", grouped(d.sources), noun, grouped(d.polls))
	switch {
	case d.batch > 1:
		text += fmt.Sprintf(" × %s (%s watch keys, %s in a request)", grouped(d.requests), grouped(d.keys), grouped(d.batch))
	case d.batch == 1:
		text += fmt.Sprintf(" × %s watch keys", grouped(d.keys))
	}
	return text
}

// demandOf counts sources by their most polls in an hour or a day, those that
// ask most together first.
func demandOf(sources []demander, span time.Duration) (all []demand) {
	count := map[demand]int{}
	for _, s := range sources {
		d := demand{polls: pollsIn(s.schedule, span), requests: s.requests()}
		if s.watch.Given() {
			d.keys, d.batch = s.keys, max(1, s.watch.Batch)
		}
		if d.requests > 0 {
			count[d]++
		}
	}
	for d, n := range count {
		d.sources = n
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b demand) int {
		return cmp.Or(cmp.Compare(b.sum(), a.sum()), cmp.Compare(b.polls, a.polls), cmp.Compare(b.keys, a.keys))
	})
	return all
}

// pollsIn is how many polls there are at most in an hour, or in a day, in which
// the schedule comes.
func pollsIn(s Schedule, span time.Duration) int {
	switch s := s.(type) {
	case everySchedule:
		return int((span + s.interval - 1) / s.interval)
	case *cronSchedule:
		const starBit = 1 << 63 // robfig/cron's mark of *
		n := bits.OnesCount64(s.fields.Second&^starBit) * bits.OnesCount64(s.fields.Minute&^starBit)
		if span > time.Hour {
			n *= bits.OnesCount64(s.fields.Hour &^ starBit)
		}
		return n
	}
	return 0
}

// fits warns where the demand in a span is more than what is allowed in it.
func fits(r fault.Report, all []demand, span string, allowed float64, terms string) {
	const shown = 3
	sum, parts := 0, []string(nil)
	for i, d := range all {
		sum += d.sum()
		if i < shown {
			parts = append(parts, d.String())
		}
	}
	if float64(sum) <= allowed {
		return
	}
	if len(all) > shown {
		parts = append(parts, "others")
	}
	what := "polls"
	if slices.ContainsFunc(all, func(d demand) bool { return d.batch > 0 }) {
		what = "requests"
	}
	r.Warnf("the schedules do not fit: %s %s %s = %s, %s", strings.Join(parts, " + "), what, span, grouped(sum), terms)
}

// grouped is a number with commas: 13,824.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
