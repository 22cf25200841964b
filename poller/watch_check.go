package poller

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Known is how many keys are known before anything runs: those of the list and
// of the file, each once.
func (s WatchSettings) Known() int {
	there := make(map[string]bool, len(s.Keys))
	for _, key := range s.Keys {
		there[key] = true
	}
	if s.File != "" {
		keys, _ := readWatchFile(s.File) // what is wrong with it, compile tells
		for _, key := range keys {
			there[key] = true
		}
	}
	return min(len(there), maxWatchKeys)
}

// Comes reports whether keys come at run time as well, over the API or with
// the items of another source.
func (s WatchSettings) Comes() bool { return s.API || s.Fed }

// Room says, of a source of whose watch keys some come at run time, for how
// many its limit has room beside what the other sources of the limit ask for;
// "": it has none, or neither rate nor quota. The keys that come at run time of
// other sources of the limit are not counted.
func Room(source string, limits map[string]LimitSettings, sources map[string]Settings) string {
	s := sources[source]
	l, limited := limits[s.Limit]
	if !limited || s.Disabled || !s.Watch.Comes() || l.Quota.IsZero() && l.Rate.IsZero() {
		return ""
	}
	room, terms := math.MaxInt, ""
	fit := func(span time.Duration, allowed float64, of string) {
		left, polls := int(allowed), 0
		for _, d := range demandsOf(s.Limit, sources) {
			if d.name == source {
				polls = pollsIn(d.schedule, span)
				continue
			}
			left -= pollsIn(d.schedule, span) * d.requests()
		}
		if polls == 0 {
			return
		}
		if keys := max(0, left) / polls * max(1, s.Watch.Batch); keys < room {
			room, terms = keys, fmt.Sprintf("%s, %s polls", of, grouped(polls))
		}
	}
	if !l.Quota.IsZero() {
		fit(24*time.Hour, l.Quota.In(24*time.Hour), "quota "+grouped(l.Quota.N)+"/day")
	}
	if !l.Rate.IsZero() {
		span, word := l.span()
		fit(span, l.Rate.In(span), fmt.Sprintf("rate %s %s", l.Rate, word))
	}
	if terms == "" {
		return ""
	}
	others := ""
	for _, d := range demandsOf(s.Limit, sources) {
		if d.name != source && d.watch.Comes() {
			others = ", less what those of other sources ask for"
		}
	}
	return fmt.Sprintf("limit %s has room for %s keys (%s)%s", s.Limit, grouped(min(room, maxWatchKeys)), terms, others)
}

// Describe is how many watch keys a source has, for a person; "": none.
func (s WatchSettings) Describe() string {
	if !s.Given() {
		return ""
	}
	var parts []string
	if n := s.Known(); n > 0 || !s.Comes() {
		parts = append(parts, grouped(n))
	}
	if s.Fed {
		parts = append(parts, "those of items")
	}
	if s.API {
		parts = append(parts, "those of the API")
	}
	return strings.Join(parts, " + ")
}
