package emitter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// own is an event of Deltahook's own.
func own(kind, source, data string) *differ.Event {
	return &differ.Event{ID: "evt_1", Type: kind, Source: source, Time: event(differ.Created).Time, Data: json.RawMessage(data)}
}

// TestOwnEventsInWords: each has a sentence in every chat, and all that it says
// beside.
func TestOwnEventsInWords(t *testing.T) {
	for kind, c := range map[string]struct{ source, data, want string }{
		differ.TypeSourceFailing:     {"orders", `{"source":"orders","failures":3,"error":"503"}`, "orders fails: 3 polls in a row\nfailures: 3\nerror: 503\n"},
		differ.TypeSourceStale:       {"orders", `{"source":"orders","since":"2026-11-23T10:00:00Z"}`, "no poll of orders has succeeded since 2026-11-23T10:00:00Z\nsince: 2026-11-23T10:00:00Z\n"},
		differ.TypeSourceRecovered:   {"orders", `{"source":"orders","was":["source.failing"]}`, "orders answers again\nwas: [\"source.failing\"]\n"},
		differ.TypeQuiet:             {"orders", `{"source":"orders","expect_within":"6h"}`, "nothing has changed in orders for longer than 6h\nexpect_within: 6h\n"},
		differ.TypeActive:            {"orders", `{"source":"orders","expect_within":"6h"}`, "something changes in orders again\nexpect_within: 6h\n"},
		differ.TypeHeld:              {"orders", `{"source":"orders","deleted":12}`, "an answer of orders is held: nothing of it is told until it is released or discarded\ndeleted: 12\n"},
		differ.TypeFailing:           {"orders", `{"source":"orders","rule":"big","error":"no number"}`, "the rule big of orders cannot be evaluated, and tells nothing\nrule: big\nerror: no number\n"},
		differ.TypeEndpointFailing:   {"endpoints/shop", `{"endpoint":"shop","waiting":2}`, "shop fails: what is told to it waits, and is tried again\nwaiting: 2\n"},
		differ.TypeEndpointPaused:    {"endpoints/shop", `{"endpoint":"shop","cause":"gone"}`, "shop is paused: what is told to it waits\ncause: gone\n"},
		differ.TypeEndpointRecovered: {"endpoints/shop", `{"endpoint":"shop","waiting":2}`, "shop takes webhooks again\nwaiting: 2\n"},
		differ.TypeAuthExpired:       {"auth/fedex", `{"auth":"fedex","setting":"auth.fedex"}`, "access for fedex has expired: a person must allow it again\nauth: fedex\nsetting: auth.fedex\n"},
		"of another version":         {"orders", `{"source":"orders","n":1}`, "orders\nn: 1\n"},
	} {
		e := own(kind, c.source, c.data)
		for format := range chats {
			text, _ := texts(t, format, rendered(t, format, e))
			for _, markup := range []string{"\\", "*", "• "} {
				text = strings.ReplaceAll(text, markup, "")
			}
			if got := strings.TrimSuffix(text, "\n") + "\n"; got != kind+"\n"+c.want {
				t.Errorf("%s says %q, want %q", format, got, kind+"\n"+c.want)
			}
		}
	}
	if text := rendered(t, "slack", own(differ.TypeSourceFailing, "orders", `{"failures":1}`)); !strings.Contains(text, "orders fails: a poll failed") {
		t.Errorf("%s", text)
	}
	e := own(differ.TypeAuthExpired, "sources/orders/auth", `{"sources":["orders"]}`)
	if text := rendered(t, "slack", e); !strings.Contains(text, "access for orders has expired") {
		t.Errorf("%s", text)
	}
}

// TestOwnEventsAsCloudEvents: the source is that of which the event is, in both
// modes.
func TestOwnEventsAsCloudEvents(t *testing.T) {
	for source, want := range map[string]string{
		"orders": "/sources/orders", "endpoints/shop": "/endpoints/shop", "auth/fedex": "/auth/fedex", "sources/orders": "/sources/orders",
	} {
		body := rendered(t, "cloudevents", own(differ.TypeSourceFailing, source, `{"n":1}`))
		if !strings.Contains(body, `"source":"`+want+`"`) {
			t.Errorf("%s: %s", source, body)
		}
	}
}

// TestOwnEventsInJSON: a payload names what they say as data, which events of
// items don't have.
func TestOwnEventsInJSON(t *testing.T) {
	e := endpoint(t, emitter.Settings{
		URL: "https://shop.example/", Format: "custom", JSON: map[string]any{"text": "{{ type }}: {{ data.error ?? key }}", "all": "{{ data }}"},
	}, emitter.EndpointOptions{})
	for want, of := range map[string]*differ.Event{
		`{"all":{"error":"503"},"text":"source.failing: 503"}`:  own(differ.TypeSourceFailing, "orders", `{"error":"503"}`),
		`{"all":{},"text":"shipment.delivered: 2461234567~FX"}`: event(differ.Created),
	} {
		body, err := e.Render(of)
		if err != nil || string(body) != want {
			t.Errorf("got %s, %v, want %s", body, err, want)
		}
	}
}
