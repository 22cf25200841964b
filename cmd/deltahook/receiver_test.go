package main

import (
	"net/http"
	"testing"
)

// What listen says of a webhook, in each format.
func TestWebhookHead(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		body   string
		want   string
	}{
		"standard": {nil, `{"type":"parcel.moved","timestamp":"2026-11-23T10:00:00Z","data":{"source":"parcels","key":"a","change":"updated","revision":2}}`,
			"parcel.moved  parcels/a  updated, revision 2"},
		"cloudevents": {nil, `{"specversion":"1.0","type":"parcel.moved","source":"/sources/parcels","data":{"source":"parcels","key":"a","change":"created","revision":1}}`,
			"parcel.moved  parcels/a  created, revision 1"},
		"cloudevents_binary": {http.Header{"Ce-Type": {"parcel.moved"}}, `{"source":"parcels","key":"a","change":"deleted","revision":3}`,
			"parcel.moved  parcels/a  deleted, revision 3"},
		"zapier": {nil, `{"id":"evt_1","type":"parcel.moved","source":"parcels","key":"a","change":"updated","revision":2,"new":{}}`,
			"parcel.moved  parcels/a  updated, revision 2"},
		"of a source":       {nil, `{"type":"source.failing","data":{"source":"parcels","failures":3}}`, "source.failing  parcels"},
		"of an endpoint":    {nil, `{"type":"endpoint.paused","data":{"endpoint":"shop"}}`, "endpoint.paused  shop"},
		"of a credential":   {nil, `{"type":"auth.expired","data":{"auth":"fedex","sources":["parcels"]}}`, "auth.expired  fedex"},
		"teams":             {nil, `{"type":"message","attachments":[{}]}`, "a webhook"},
		"slack":             {nil, `{"text":"*parcel.moved*"}`, "a webhook"},
		"custom":            {nil, `{"type":5,"source":["x"]}`, "a webhook"},
		"a list":            {nil, `[1]`, "a webhook"},
		"nothing":           {nil, ``, "a webhook"},
		"an item of no key": {nil, `{"type":"x","data":{"source":"s","change":"due","revision":0}}`, "x  s  due, revision 0"},
	} {
		t.Run(name, func(t *testing.T) {
			header := c.header
			if header == nil {
				header = http.Header{}
			}
			hook := readWebhook(header, []byte(c.body))
			if got := hook.head(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if string(hook.Body) != c.body {
				t.Errorf("the body is %q", hook.Body)
			}
		})
	}
}
