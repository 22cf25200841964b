package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
)

// Sequences of recorded answers that are not JSON.
func TestFormatSequences(t *testing.T) {
	t.Parallel()
	for _, play := range formatSequences {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			for i := range play.steps {
				if play.steps[i].content == "" {
					play.steps[i].content = play.content
				}
			}
			a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
			write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(play.source, a.URL)))
			playSteps(t, start(t, binary(t), dir, "run"), a, hooks, play.api, play.steps)
		})
	}
}

var formatSequences = []struct {
	name, api, content string
	source             string // with a verb for the API's URL
	steps              []step
}{
	{
		name: "a parcel in XML", api: "usps_webtools_xml", content: "text/xml",
		source: `
  parcels:
    schedule: "@every 1s"
    request: {url: "%s/ShippingAPI.dll", timeout: 60s}
    response:
      xml: {lists: [TrackResponse.TrackInfo]}
      items: TrackResponse.TrackInfo
      id: "@ID"
      item_ok: item.Error == nil
      pick: {status: StatusCategory, event: TrackSummary.EventCode, before: TrackDetail.EventCode}
`,
		steps: []step{
			{name: "seq_1_in_transit.xml"},
			{name: "seq_2_out_for_delivery.xml", told: []string{
				`parcels.updated 9102901000462189604217 1 {"before":"10","event":"EF","status":"In Transit"} -> {"before":"PC","event":"OF","status":"Out for Delivery"}`,
			}},
			{name: "response_test_error.xml", failed: "items"}, // the call failed: another root
			{name: "response_failure.xml"},                     // the item failed: what is known of it stays
			{name: "seq_2_out_for_delivery.xml"},
			{name: "seq_3_delivered.xml", told: []string{
				`parcels.updated 9102901000462189604217 2 {"before":"PC","event":"OF","status":"Out for Delivery"} -> {"before":"OF","event":"01","status":"Delivered"}`,
			}},
			{name: "seq_3_delivered.xml"},
		},
	},
	{
		name: "a parcel in attributes", api: "dhl_parcel_de_xml", content: "application/xml",
		source: `
  parcels:
    schedule: "@every 1s"
    request: {url: "%s/sendungsverfolgung", timeout: 60s}
    response:
      xml: {lists: [data.data, data.data.data.data]}
      ok: body.data["@code"] == "0"
      items: data.data
      id: "@piece-code"
      pick: {code: "@standard-event-code", delivered: "@delivery-event-flag", first: data.data.0.@standard-event-code}
    changes: {baseline: emit}
`,
		steps: []step{
			{name: "not_found.xml", failed: "not_ok"},
			{name: "delivered.xml", told: []string{`parcels.created 00340434161094015902 1 null -> {"code":"ZU","delivered":"1","first":"ES"}`}},
			{name: "not_found.xml", failed: "not_ok"},
			{name: "delivered.xml"},
		},
	},
	{
		name: "a feed", api: "feeds", content: "application/rss+xml; charset=utf-8",
		source: `
  status:
    schedule: "@every 1s"
    request: {url: "%s/history.rss", timeout: 60s}
    response: {items: items, id: id, pick: {title: title, summary: summary}}
`,
		steps: []step{
			{name: "rss_seq_1.xml"},
			{name: "rss_seq_1b_noise.xml"},
			{name: "rss_seq_2_new_and_edited.xml", content: "text/xml", told: []string{
				`status.created inc-2 1 null -> {"summary":"\u003cb\u003eInvestigating\u003c/b\u003e","title":"Slow search"}`,
				`status.updated inc-1 1 {"summary":"\u003cb\u003eInvestigating\u003c/b\u003e","title":"API errors"} -> {"summary":"\u003cb\u003eResolved\u003c/b\u003e","title":"API errors"}`,
			}},
			{name: "rss_seq_2_new_and_edited.xml"},
		},
	},
}

// Tables of which only one recording is there, and what is changed in it.
func TestFormatChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, api, fixture, content string
		source                      string
		from, to                    string
		told                        string
	}{
		{
			name: "rates in XML", api: "ecb_xml", fixture: "eurofxref_daily.xml", content: "text/xml",
			source: `
  rates:
    schedule: "@every 1s"
    request: {url: "%s/eurofxref-daily.xml", timeout: 60s}
    response:
      xml: {lists: [Envelope.Cube.Cube.Cube]}
      items: Envelope.Cube.Cube.Cube
      id: "@currency"
      pick: {rate: "@rate"}
`,
			from: "currency='USD' rate='1.1790'", to: "currency='USD' rate='1.1791'",
			told: `rates.updated USD 1 {"rate":"1.1790"} -> {"rate":"1.1791"}`,
		},
		{
			name: "prices in CSV", api: "alpha_vantage", fixture: "intraday.csv", content: "application/x-download",
			source: `
  prices:
    schedule: "@every 1s"
    request: {url: "%s/query", timeout: 60s}
    response: {format: csv, items: "@this", id: time, pick: {close: close}}
`,
			from: "time,open,high,low,close,volume\n", to: "time,open,high,low,close,volume\n2020-12-18 20:01:00,1,2,3,218.10,5\n",
			told: `prices.created 2020-12-18 20:01:00 1 null -> {"close":"218.10"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := read(t, c.api, c.fixture)
			changed := bytes.Replace(text, []byte(c.from), []byte(c.to), 1)
			if bytes.Equal(text, changed) {
				t.Fatalf("%s does not hold %q", c.fixture, c.from)
			}
			a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
			write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(c.source, a.URL)))
			start(t, binary(t), dir, "run")
			for _, body := range [][]byte{text, text[:len(text)-20], changed} { // cut in a tag, or in a row
				a.play(t, reply(http.StatusOK, c.content, body))
			}
			a.settled(t)
			if got := line(t, hooks.next(t)); got != c.told {
				t.Errorf("told %s, want %s", got, c.told)
			}
			if n := len(hooks.attempts()); n != 1 {
				t.Errorf("%d webhooks came, want 1", n)
			}
		})
	}
}
