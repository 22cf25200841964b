// Package cloudevents_test holds what endpoints of the formats cloudevents and
// cloudevents_binary are sent to the official Go SDK.
package cloudevents_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
)

// sent is what the SDK reads of an event that is sent in a format, and how it
// was encoded.
func sent(t *testing.T, format string, e *differ.Event) (got *event.Event, encoding binding.Encoding) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := cehttp.NewMessageFromHttpRequest(r)
		encoding = m.ReadEncoding()
		var err error
		if got, err = binding.ToEvent(r.Context(), m); err != nil {
			t.Errorf("the SDK does not read it: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	loopback := egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	endpoint, err := emitter.NewEndpoint("hook", emitter.Settings{URL: server.URL, Format: format}, emitter.EndpointOptions{Egress: loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	body, err := endpoint.Render(e)
	if err != nil {
		t.Fatal(err)
	}
	a := endpoint.Send(t.Context(), emitter.Delivery{
		Event: e.ID, Type: e.Type, Source: e.Source, Key: e.Key, Revision: e.Revision, Time: e.Time, Body: body,
	})
	if a.Status != http.StatusOK || got == nil {
		t.Fatalf("%s: not taken: %+v", format, a)
	}
	return got, encoding
}

func TestOfficialSDK(t *testing.T) {
	seen := time.Date(2026, 11, 23, 10, 0, 0, 5e6, time.UTC)
	for format, want := range map[string]binding.Encoding{"cloudevents": binding.EncodingStructured, "cloudevents_binary": binding.EncodingBinary} {
		for _, key := range []string{"2461234567~FX", "Köln / \"1\" 100% 😀", "", " a\tb "} {
			got, encoding := sent(t, format, &differ.Event{
				ID: "evt_019ab", Type: "shipment.delivered", Source: "ship.ments_1-2", Key: key, Change: differ.Created, Revision: 7, Time: seen,
				New: json.RawMessage(`{"n":9007199254740993,"price":1.10}`),
			})
			if encoding != want {
				t.Errorf("%s: encoded as %s", format, encoding)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("%s: not valid: %v", format, err)
			}
			subject := key
			if key == " a\tb " {
				subject = " a\ufffdb " // an attribute has no control characters; data.key has
			}
			read := got.Subject()
			if encoding == binding.EncodingBinary {
				// The SDK (v2.16) leaves out what section 3.1.3.2 of the
				// binding tells a receiver to do with a header.
				var err error
				if read, err = url.PathUnescape(read); err != nil {
					t.Error(err)
				}
			}
			if got.ID() != "evt_019ab" || got.Type() != "shipment.delivered" || got.Source() != "/sources/ship.ments_1-2" ||
				got.SpecVersion() != "1.0" || !got.Time().Equal(seen) || read != subject || got.DataContentType() != "application/json" ||
				len(got.Extensions()) != 0 {
				t.Errorf("%s: the SDK reads\n%s", format, got)
			}
			quoted, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			data := `{"source":"ship.ments_1-2","key":` + string(quoted) + `,"change":"created","revision":7,"new":{"n":9007199254740993,"price":1.10},"old":null}`
			if string(got.Data()) != data {
				t.Errorf("%s: data is %s, want %s", format, got.Data(), data)
			}
		}
	}
}

// An event of Deltahook's own is one as any other.
func TestOwnEvent(t *testing.T) {
	for _, format := range []string{"cloudevents", "cloudevents_binary"} {
		got, _ := sent(t, format, &differ.Event{
			ID: "evt_2", Type: "source.quiet", Source: "s", Time: time.Now(), Data: json.RawMessage(`{"source":"s"}`),
		})
		if err := got.Validate(); err != nil || got.Subject() != "" || string(got.Data()) != `{"source":"s"}` {
			t.Errorf("%s: %v\n%s", format, err, got)
		}
	}
}
