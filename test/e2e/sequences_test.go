package e2e

import (
	"fmt"
	"testing"
)

// Sequences of recorded answers of real APIs, each with the settings that a
// user would write for it, and the webhooks that must follow.
func TestSequences(t *testing.T) {
	t.Parallel()
	for _, play := range sequences {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
			write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(play.source, a.URL)))
			playSteps(t, start(t, binary(t), dir, "run"), a, hooks, play.api, play.steps)
		})
	}
}

var sequences = []struct {
	name, api string
	source    string // with a verb for the API's URL
	steps     []step
}{
	{
		name: "weather crosses a threshold", api: "open_meteo",
		source: `
  weather:
    schedule: "@every 1s"
    request: {url: "%s/v1/forecast?latitude=52.52&longitude=13.42", timeout: 60s}
    response:
      ok: '!(body.error ?? false)'
      require: [current]
      pick: {temperature: current.temperature_2m}
    events:
      weather.hot: {on: [updated], when: new.temperature >= 30 && old.temperature < 30}
`,
		steps: []step{
			{name: "seq_1.json"},
			{name: "seq_1b_noise.json"},
			{name: "seq_2_threshold.json", told: []string{`weather.hot weather 1 {"temperature":29.4} -> {"temperature":30.2}`}},
			{name: "error_limit.json", failed: "require"},
			{name: "error_limit.json", status: 429, failed: "status"},
			{name: "seq_2_threshold.json"},
			{name: "seq_1.json"}, // a change, which no rule tells
			{name: "seq_2_threshold.json", told: []string{`weather.hot weather 3 {"temperature":29.4} -> {"temperature":30.2}`}},
		},
	},
	{
		name: "a quote falls", api: "alpha_vantage",
		source: `
  quote:
    schedule: "@every 1s"
    request: {url: "%s/query?function=GLOBAL_QUOTE&symbol=MSFT", timeout: 60s}
    response:
      require: [Global Quote]
      pick: {price: 'Global Quote.05\. price', percent: 'Global Quote.10\. change percent'}
    events:
      quote.fell: {on: [updated], when: 'float(new.price) < float(old.price) * 0.96'}
`,
		steps: []step{
			{name: "global_quote.json"},
			{name: "limit_200_information.json", failed: "require"},
			{name: "limit_200_note.json", failed: "require"},
			{
				name: "global_quote_drop_5pct.json",
				told: []string{`quote.fell quote 1 {"percent":"-0.5852%","price":"112.1300"} -> {"percent":"-5.3906%","price":"106.7100"}`},
			},
			{name: "limit_200_note.json", failed: "require"},
			{name: "global_quote_drop_5pct.json"},
		},
	},
	{
		name: "a quote falls by four per cent in a day, once", api: "alpha_vantage",
		source: `
  quote:
    schedule: "@every 1s"
    request: {url: "%s/query?function=GLOBAL_QUOTE&symbol=MSFT", timeout: 60s}
    response:
      require: [Global Quote]
      pick: {price: 'Global Quote.05\. price', percent: 'Global Quote.10\. change percent'}
      numbers: {price: {}, percent: {}}
    changes: {history: {price: 24h}}
    events:
      quote.low: {when: 'pct(window("price", "24h").max, new.price) <= -4', trigger: enter}
`,
		steps: []step{
			{name: "global_quote.json"},
			{name: "global_quote_drop_5pct.json", told: []string{`quote.low quote 1 {"percent":-0.5852,"price":112.13} -> {"percent":-5.3906,"price":106.71}`}},
			{name: "limit_200_note.json", failed: "require"},
			{name: "global_quote_drop_5pct.json"},
			{name: "global_quote.json"},
			{name: "global_quote_drop_5pct.json", told: []string{`quote.low quote 3 {"percent":-0.5852,"price":112.13} -> {"percent":-5.3906,"price":106.71}`}},
		},
	},
	{
		name: "a parcel is delivered once", api: "fedex_track",
		source: `
  shipments:
    schedule: "@every 1s"
    request: {url: "%s/track/v1/trackingnumbers", timeout: 60s, json: {}}
    response:
      items: output.completeTrackResults.#.trackResults|@flatten
      id: trackingNumberInfo.trackingNumberUniqueId
      pick: {status: latestStatusDetail.code}
    events:
      shipment.delivered: {when: new.status == "DL", trigger: enter}
`,
		steps: []step{
			{name: "seq_2_in_transit.json"},
			{name: "seq_2b_in_transit_unchanged.json"},
			{name: "seq_3_out_for_delivery.json"},
			{name: "seq_4_delivered.json", told: []string{`shipment.delivered 12028~123456789012~FDEG 2 {"status":"OD"} -> {"status":"DL"}`}},
			{name: "error_503.json", status: 503, failed: "status"},
			{name: "seq_4_delivered.json"},
		},
	},
	{
		name: "a throttled GraphQL answer", api: "shopify",
		source: `
  orders:
    schedule: "@every 1s"
    request: {url: "%s/admin/api/graphql.json", timeout: 60s, json: {query: "{ orders { id } }"}}
    response: {items: orders, id: id, ok: body.errors == nil, pick: {total: total_price}}
    changes: {baseline: emit, confirm_deletes: 1}
`,
		steps: []step{
			{name: "graphql_throttled.json", failed: "not_ok"},
			{name: "orders.json", told: []string{`orders.created 123456 1 null -> {"total":"10.00"}`}},
			{name: "graphql_throttled.json", failed: "not_ok"},
			{name: "orders.json"},
		},
	},
	{
		name: "incidents appear and vanish", api: "statuspage",
		source: `
  incidents:
    schedule: "@every 1s"
    request: {url: "%s/api/v2/summary.json", timeout: 60s}
    response: {items: incidents, id: id, pick: {name: name, status: status}}
    changes: {confirm_deletes: 2}
    events:
      incident.opened: {on: [created]}
      incident.moved: {on: [updated], when: changed("status")}
      incident.resolved: {on: [deleted]}
`,
		steps: []step{
			{name: "seq_1_ok.json"},
			{name: "seq_2_incident.json", told: []string{`incident.opened inc000000001 1 null -> {"name":"API errors","status":"investigating"}`}},
			{name: "seq_4_resolved_incident_vanishes.json"}, // once is not yet gone
			{
				name: "seq_3_incident_update.json",
				told: []string{`incident.moved inc000000001 2 {"name":"API errors","status":"investigating"} -> {"name":"API errors","status":"identified"}`},
			},
			{name: "seq_4_resolved_incident_vanishes.json"},
			{
				name: "seq_4_resolved_incident_vanishes.json",
				told: []string{`incident.resolved inc000000001 3 {"name":"API errors","status":"identified"} -> null`},
			},
			{name: "seq_4_resolved_incident_vanishes.json"},
		},
	},
	{
		name: "components change", api: "statuspage",
		source: `
  components:
    schedule: "@every 1s"
    request: {url: "%s/api/v2/summary.json", timeout: 60s}
    response: {items: components, id: id, pick: {status: status}}
`,
		steps: []step{
			{name: "seq_1_ok.json"},
			{name: "seq_2_incident.json", told: []string{`components.updated c1 1 {"status":"operational"} -> {"status":"partial_outage"}`}},
			{name: "seq_3_incident_update.json"},
			{name: "seq_4_resolved_incident_vanishes.json", told: []string{`components.updated c1 2 {"status":"partial_outage"} -> {"status":"operational"}`}},
		},
	},
	{
		name: "a courier in seven states", api: "uber_direct",
		source: `
  delivery:
    schedule: "@every 1s"
    request: {url: "%s/v1/customers/c/deliveries/del_v5Fa7dJfRz-oInZLWGCvlQ", timeout: 60s}
    response:
      pick: {status: status, imminent: courier_imminent}
`,
		steps: []step{
			{name: "seq_1_pending.json"},
			{name: "seq_2_pickup.json", told: []string{courier(1, "pending", false, "pickup", false)}},
			{name: "seq_3_pickup_imminent.json", told: []string{courier(2, "pickup", false, "pickup", true)}},
			{name: "seq_4_pickup_complete.json", told: []string{courier(3, "pickup", true, "pickup_complete", false)}},
			{name: "seq_5_dropoff.json", told: []string{courier(4, "pickup_complete", false, "dropoff", false)}},
			{name: "seq_6_dropoff_imminent.json", told: []string{courier(5, "dropoff", false, "dropoff", true)}},
			{name: "seq_7_delivered.json", told: []string{courier(6, "dropoff", true, "delivered", false)}},
			{name: "seq_7_delivered.json"},
		},
	},
	{
		name: "a release is published", api: "github",
		source: `
  releases:
    schedule: "@every 1s"
    request: {url: "%s/repos/octocat/Hello-World/releases", timeout: 60s}
    response: {items: "@this", id: id, ignore: ["assets.*.download_count", author, body, node_id]}
    events:
      release.published: {on: [created], when: "!new.draft"}
      release.changed: {on: [updated, deleted]}
`,
		steps: []step{
			{name: "releases_seq_1.json"},
			{name: "releases_seq_1b_noise.json"},
			{name: "releases_seq_2_new.json", told: []string{
				`release.published 2 1 null -> {"assets":[],"created_at":"2013-02-27T19:35:32Z","draft":false,` +
					`"html_url":"https://github.com/octocat/Hello-World/releases/v1.1.0","id":2,"name":"v1.1.0","prerelease":false,` +
					`"published_at":"2013-03-27T19:35:32Z","tag_name":"v1.1.0","target_commitish":"master",` +
					`"url":"https://api.github.com/repos/octocat/Hello-World/releases/1"}`,
			}},
		},
	},
	{
		name: "a member unsubscribes", api: "mailchimp",
		source: `
  members:
    schedule: "@every 1s"
    request: {url: "%s/3.0/lists/91a2bc4140/members", timeout: 60s}
    response: {items: members, id: id, pick: {email: email_address, status: status}}
`,
		steps: []step{
			{name: "members_seq_1.json"},
			{name: "members_seq_1b_last_changed_noise.json"}, // in another order, too
			{name: "members_seq_2_unsubscribed.json", told: []string{
				`members.updated 3b2c6602895ae53a5f677fe4835ca92f 1 {"email":"ann@example.com","status":"subscribed"} -> {"email":"ann@example.com","status":"unsubscribed"}`,
			}},
		},
	},
}

func courier(revision int, was string, wasImminent bool, is string, isImminent bool) string {
	return fmt.Sprintf(`delivery.updated delivery %d {"imminent":%v,"status":%q} -> {"imminent":%v,"status":%q}`, revision, wasImminent, was, isImminent, is)
}
