package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/web"
)

// hostile is what an API may call an item: markup, an end of an attribute, a
// turn of the writing direction, and 4 KB of it.
var hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "\u202eright to left مرحبا " + strings.Repeat("long", 1000)

var shelfTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// shelf is a web.Sources.
type shelf struct {
	sources   []web.SourceState
	items     []differ.Item
	revisions []differ.Revision
	filter    differ.ItemFilter
	asked     []string
	fail      error
}

// filled is a shelf of sources in each condition, s among them, which has a
// watch key where a keeper says so.
func filledShelf() *shelf {
	beats := make([]web.Beat, 3)
	for i := range beats {
		beats[i] = web.Beat{At: shelfTime.Add(time.Duration(i) * time.Minute), Took: float64(i+1) / 10, Failed: i == 1, Changes: i, Events: i}
	}
	return &shelf{
		sources: []web.SourceState{
			{Name: "s", State: web.SourceHeld, Schedule: "@every 1m", Host: "https://api.example", Last: shelfTime, Took: 0.12, Next: shelfTime.Add(time.Hour), Baseline: shelfTime, Items: 2, Pulse: beats,
				Holds: []differ.HeldUnit{{Source: "s", Hold: differ.Hold{State: differ.Held, Since: shelfTime, Reason: "max_deletes", Listed: 1, Known: 1234, Deleted: 1233, Events: 1233, Answers: 2, Keys: []string{hostile}}}}},
			{Name: "broken", State: web.SourceFailing, Schedule: "@hourly", Last: shelfTime, Failures: 3, FailingSince: shelfTime, Error: "status: 500 " + hostile, Advice: "look there"},
			{Name: "empty", State: web.SourceNew, Schedule: "@hourly", Next: shelfTime},
			{Name: "off", State: web.SourceDisabled, Schedule: "@hourly"},
			{Name: "well", State: web.SourceOK, Schedule: "@hourly", Waiting: "slow", Limit: "slow"},
		},
		items: []differ.Item{
			{Key: hostile, Revision: 2, Content: json.RawMessage(`{"status":"<b>DL</b>"}`), Seen: shelfTime},
			{Key: "a/b&c=d", Revision: 1, Content: json.RawMessage(`{}`), Seen: shelfTime},
		},
		revisions: []differ.Revision{
			{Revision: 4, Change: differ.Deleted, Seen: shelfTime, Old: json.RawMessage(`{"n":1}`)},
			{Revision: 3, Change: differ.Updated, Seen: shelfTime, Omitted: true},
			{Revision: 2, Change: differ.Updated, Seen: shelfTime, Old: json.RawMessage(`{"status":"<b>OD</b>","n":9007199254740993}`), New: json.RawMessage(`{"status":"<b>DL</b>","n":9007199254740992}`)},
			{Revision: 1, Change: differ.Created, Seen: shelfTime, New: json.RawMessage(`{"status":"<b>OD</b>"}`)},
		},
	}
}

func (s *shelf) Sources() []web.SourceState {
	all := make([]web.SourceState, len(s.sources))
	for i, one := range s.sources {
		one.Pulse = nil
		all[i] = one
	}
	return all
}

func (s *shelf) Source(name string) (web.SourceState, error) {
	for _, one := range s.sources {
		if one.Name == name {
			return one, nil
		}
	}
	return web.SourceState{}, fmt.Errorf("source %s: %w", name, web.ErrNotFound)
}

func (s *shelf) Poll(_ context.Context, name, watch string) error {
	s.asked = append(s.asked, "poll "+name+" "+watch)
	return s.fail
}

func (s *shelf) Items(_ context.Context, name, watch string, f differ.ItemFilter) (differ.ItemPage, error) {
	s.filter = f
	if name != "s" {
		return differ.ItemPage{}, nil
	}
	next := ""
	if f.After == "" {
		next = hostile
	}
	return differ.ItemPage{Items: s.items, Next: next}, s.fail
}

func (s *shelf) Item(_ context.Context, name, watch, key string) (differ.Item, error) {
	for _, item := range s.items {
		if item.Key == key {
			return item, nil
		}
	}
	return differ.Item{}, fmt.Errorf("item %s: %w", key, differ.ErrNoItem)
}

func (s *shelf) Revisions(_ context.Context, name, watch, key string, before uint64, n int) ([]differ.Revision, error) {
	if _, err := s.Source(name); err != nil {
		return nil, err
	}
	if key != hostile {
		return nil, nil
	}
	var some []differ.Revision
	for _, r := range s.revisions {
		if (before == 0 || r.Revision < before) && len(some) < n {
			some = append(some, r)
		}
	}
	return some, nil
}
