package differ_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
)

// mute is a renderer that can make nothing for the endpoint "mute", and puts
// the whole item into the payloads of others.
type mute struct{}

func (mute) Render(e *differ.Event, endpoint string) ([]byte, error) {
	if endpoint == "mute" {
		return []byte("instead"), &differ.Undeliverable{Reason: "no words"}
	}
	return e.Item, nil
}

// What can't be made for one endpoint is committed as its dead letter, and
// others get theirs.
func TestUndeliverable(t *testing.T) {
	picked := differ.ResponseSettings{Pick: ordered.Map[string]{{Key: "v", Value: "v"}}}
	b := newBench(t, differ.Settings{}, picked)
	source, err := differ.NewSource("s", differ.Settings{}, picked, []string{"mute", "shop"})
	if err != nil {
		t.Fatal(err)
	}
	b.differ = differ.New([]*differ.Source{source}, b.store, mute{}, differ.Options{})
	if _, err := b.differ.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.take(`{"v":1,"w":1}`)
	b.take(`{"v":2,"w":3}`)
	want := []differ.Body{
		{Endpoint: "mute", Payload: []byte("instead"), Dead: "no words"},
		{Endpoint: "shop", Payload: []byte(`{"v":2,"w":3}`)},
	}
	if diff := cmp.Diff(want, b.store.commits[1].Events[0].Bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// What a payload may name has the values of its event.
func TestEventVars(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	all := func(string) bool { return true }
	for name, c := range map[string]struct {
		event          differ.Event
		new, old, item any
	}{
		"created": {differ.Event{New: json.RawMessage(`{"a":1}`), Item: json.RawMessage(`{"a":1,"b":2}`)},
			map[string]any{"a": 1}, map[string]any{}, map[string]any{"a": 1, "b": 2}},
		"deleted":       {differ.Event{Old: json.RawMessage(`{"a":1}`)}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"a": 1}},
		"between polls": {differ.Event{New: json.RawMessage(`{"a":1}`)}, map[string]any{"a": 1}, map[string]any{}, map[string]any{"a": 1}},
		"of its own":    {differ.Event{Data: json.RawMessage(`{"a":1}`)}, map[string]any{}, map[string]any{}, map[string]any{}},
	} {
		c.event.ID, c.event.Time, c.event.Revision = "evt_1", at, 7
		vars, err := c.event.Vars(all)
		if err != nil {
			t.Fatal(err)
		}
		for what, want := range map[string]any{"new": c.new, "old": c.old, "item": c.item, "id": "evt_1", "revision": 7} {
			if fmt.Sprint(vars[what]) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", name, what, vars[what], want)
			}
		}
		if now := vars["now"].(func() time.Time)(); !now.Equal(at) {
			t.Errorf("%s: now is %s", name, now)
		}
		for what := range differ.PayloadEnv() {
			if _, ok := vars[what]; !ok {
				t.Errorf("%s: %s has no value", name, what)
			}
		}
	}
}

// zoned is a renderer that reads the item's time as a payload does.
type zoned struct{}

func (z zoned) Render(e *differ.Event, _ string) ([]byte, error) {
	vars, err := e.Vars(func(name string) bool { return name == "new" })
	if err != nil {
		return nil, err
	}
	read := vars["time"].(func(any, ...any) (any, error))
	at, err := read(vars["new"].(map[string]any)["v"])
	return fmt.Append(nil, at), err
}

// time() of a payload is that of the source's rules: what says no zone is in
// the source's.
func TestTimeInPayloads(t *testing.T) {
	b := newBench(t, differ.Settings{}, differ.ResponseSettings{})
	source, err := differ.NewSource("s", differ.Settings{Timezone: "Europe/Berlin"}, differ.ResponseSettings{}, []string{"shop"})
	if err != nil {
		t.Fatal(err)
	}
	b.differ = differ.New([]*differ.Source{source}, b.store, zoned{}, differ.Options{})
	if _, err := b.differ.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.take(`{"v":1}`)
	b.take(`{"v":"2026-11-23T10:00:00"}`)
	if got, want := string(b.store.commits[1].Events[0].Bodies[0].Payload), "2026-11-23 09:00:00 +0000 UTC"; got != want {
		t.Errorf("the time is %s, want %s", got, want)
	}
	vars, err := (&differ.Event{}).Vars(func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	at, err := vars["time"].(func(any, ...any) (any, error))("2026-11-23T10:00:00")
	if got, want := fmt.Sprint(at), "2026-11-23 10:00:00 +0000 UTC"; err != nil || got != want {
		t.Errorf("without a source the time is %s, %v, want %s", got, err, want)
	}
}
