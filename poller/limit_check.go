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
// with the arithmetic; r is at the top. A poll counts as one request, so what
// is told is the least. Disabled sources and those with faults don't count.
func CheckLimits(r fault.Report, limits map[string]LimitSettings, sources map[string]Settings) {
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		l, at := limits[name], r.At("limits", name)
		var schedules []Schedule
		for _, source := range slices.Sorted(maps.Keys(sources)) {
			s := sources[source]
			if s.Limit != name || s.Disabled {
				continue
			}
			if schedule, err := ParseSchedule(s.Schedule, s.Timezone, source, s.Jitter.Std()); err == nil {
				schedules = append(schedules, schedule)
			}
		}
		if !l.Quota.IsZero() {
			fits(at.At("quota"), demandOf(schedules, 24*time.Hour), "a day", l.Quota.In(24*time.Hour), "quota "+grouped(l.Quota.N)+"/day")
		}
		if l.Rate.IsZero() {
			continue
		}
		span, word := time.Hour, "an hour"
		if l.Rate.Per > span {
			span, word = 24*time.Hour, "a day"
		}
		allowed := l.Rate.In(span)
		fits(at.At("rate"), demandOf(schedules, span), word, allowed, fmt.Sprintf("rate %s allows %s", l.Rate, grouped(int(allowed))))
	}
}

// demand is how many sources ask how often in a span of time.
type demand struct{ sources, polls int }

// demandOf counts sources by their most polls in an hour or a day, those that
// ask most together first.
func demandOf(schedules []Schedule, span time.Duration) (all []demand) {
	count := map[int]int{}
	for _, s := range schedules {
		count[pollsIn(s, span)]++
	}
	for polls, n := range count {
		all = append(all, demand{n, polls})
	}
	slices.SortFunc(all, func(a, b demand) int {
		return cmp.Or(cmp.Compare(b.sources*b.polls, a.sources*a.polls), cmp.Compare(b.polls, a.polls))
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
		sum += d.sources * d.polls
		if i < shown {
			noun := "sources"
			if d.sources == 1 {
				noun = "source"
			}
			parts = append(parts, fmt.Sprintf("%s %s × %s", grouped(d.sources), noun, grouped(d.polls)))
		}
	}
	if float64(sum) <= allowed {
		return
	}
	if len(all) > shown {
		parts = append(parts, "others")
	}
	r.Warnf("the schedules do not fit: %s polls %s = %s, %s", strings.Join(parts, " + "), span, grouped(sum), terms)
}

// grouped is a number with commas: 13,824.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
