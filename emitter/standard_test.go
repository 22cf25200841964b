package emitter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

func event(change differ.Change) *differ.Event {
	e := &differ.Event{
		ID: "evt_1", Type: "shipment.delivered", Source: "shipments", Key: "2461234567~FX", Change: change, Revision: 7,
		Time: time.Date(2026, 11, 23, 11, 0, 0, 999_999, time.FixedZone("CET", 3600)),
	}
	if change != differ.Deleted {
		e.New = json.RawMessage(`{"status": "DL", "price": 1.10}`)
	}
	if change != differ.Created {
		e.Old = json.RawMessage(`{"status": "OD", "price": 9007199254740993}`)
	}
	if change == differ.Updated {
		e.Diff = json.RawMessage("[\n {\"op\": \"replace\", \"path\": \"/status\", \"value\": \"DL\"}\n]")
	}
	return e
}

func TestRenderStandard(t *testing.T) {
	const head = `{"type":"shipment.delivered","timestamp":"2026-11-23T10:00:00.000Z","data":{"source":"shipments","key":"2461234567~FX","change":`
	for change, want := range map[differ.Change]string{
		differ.Created: `"created","revision":7,"new":{"status":"DL","price":1.10},"old":null}}`,
		differ.Updated: `"updated","revision":7,"new":{"status":"DL","price":1.10},"old":{"status":"OD","price":9007199254740993},"diff":[{"op":"replace","path":"/status","value":"DL"}]}}`,
		differ.Deleted: `"deleted","revision":7,"new":null,"old":{"status":"OD","price":9007199254740993}}}`,
	} {
		got, err := emitter.RenderStandard(event(change))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(head+want, string(got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", change, diff)
		}
	}
}

func TestRenderStandardQuotesNames(t *testing.T) {
	for _, key := range []string{`a"b\c`, "a\nb\x00", "<b>&ü€😀", "\u2028", "", "a/b~c"} {
		e := event(differ.Created)
		e.Key = key
		body, err := emitter.RenderStandard(e)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Data struct{ Key string } }
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if got.Data.Key != key {
			t.Errorf("key %q reads %q", key, got.Data.Key)
		}
		if strings.Contains(string(body), `\u003c`) {
			t.Errorf("%q is escaped for HTML", key)
		}
	}
}

func TestRenderStandardCutsLargeEvents(t *testing.T) {
	const fits, half = emitter.MaxBody - 1024, emitter.MaxBody / 2
	text := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n) + `"`) }
	for name, c := range map[string]struct {
		state, old, diff json.RawMessage
		want             []string
	}{
		"fits":             {text(fits), text(1), text(1), []string{"new", "old", "diff"}},
		"only with spaces": {json.RawMessage("[" + strings.Repeat(" ", emitter.MaxBody) + "]"), text(1), text(1), []string{"new", "old", "diff"}},
		"states too large": {text(half), text(half), text(1), []string{"truncated", "diff"}},
		"diff too large":   {text(1), text(1), text(emitter.MaxBody), []string{"truncated"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(differ.Updated)
			e.New, e.Old, e.Diff = c.state, c.old, c.diff
			body, err := emitter.RenderStandard(e)
			if err != nil {
				t.Fatal(err)
			}
			if len(body) > emitter.MaxBody {
				t.Errorf("%d bytes, more than %d", len(body), emitter.MaxBody)
			}
			var got struct{ Data map[string]json.RawMessage }
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{"source": true, "key": true, "change": true, "revision": true}
			for _, name := range c.want {
				want[name] = true
			}
			have := map[string]bool{}
			for name := range got.Data {
				have[name] = true
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("members of data (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRenderStandardRefuses(t *testing.T) {
	e := event(differ.Created)
	e.New = json.RawMessage(`{"a":`)
	if _, err := emitter.RenderStandard(e); err == nil || !strings.HasPrefix(err.Error(), "render event evt_1: new: ") {
		t.Errorf("half an object: error %v", err)
	}
	e = event(differ.Created)
	e.Key = strings.Repeat("k", emitter.MaxBody)
	if _, err := emitter.RenderStandard(e); err == nil {
		t.Error("a key of 256 KiB is rendered")
	}
}
