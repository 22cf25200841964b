package recipes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// parcels are the plays of carriers. Each is watched until it is delivered,
// while others are added.
var parcels = map[string]play{
	"fedex": {
		env:    []string{"FEDEX_URL=API", "FEDEX_ID=client", "FEDEX_SECRET=hidden-secret", "FEDEX_NUMBER=" + number},
		tokens: clientToken("/oauth/token", true),
		refuse: all(bearer, header("X-Locale", "en_US"), path("/track/v1/trackingnumbers")),
		steps: []step{
			{put: another, answer: only(numbers, number, recorded("fedex_track/seq_1_label_created.json"))},
			{
				answer: only(numbers, both, recorded("fedex_track/seq_2_in_transit.json")),
				told:   []string{"shipment.moved " + parcel + " scans:(add 0)(add 1)(add 2)(add 3)(add 4)(add 5)(add 6)(add 8) status:OC->DP text:Initiated->In transit"},
			},
			{answer: recorded("fedex_track/seq_2b_in_transit_unchanged.json")},
			{answer: recorded("fedex_track/seq_2b_in_transit_unchanged.json", `"statusByLocale": "In transit"`, `"statusByLocale": "On its way"`)}, // a text alone
			{answer: failing(http.StatusServiceUnavailable, "fedex_track/error_503.json")},
			// Errors of single numbers: neither changed nor gone.
			{answer: recorded("fedex_track/ok_200_with_per_item_error.json")},
			{answer: recorded("fedex_track/ok_200_with_per_item_error.json", "128667043726", number, "245822~", "12028~")},
			{answer: recorded("fedex_track/ok_200_with_per_item_error.json", "128667043726", number, "245822~", "12028~")},
			{answer: ok(`{"output":{"completeTrackResults":[]}}`)},
			{answer: ok(`{"output":{"completeTrackResults":[]}}`)},
			{
				answer: recorded("fedex_track/seq_3_out_for_delivery.json", `"completeTrackResults": [`, `"completeTrackResults": [`+notFound),
				told:   []string{"shipment.moved " + parcel + " scans:(add 0)(add 1)(add 2)(add 3)(add 4)(add 5)(add 6) status:DP->OD text:In transit->On FedEx vehicle for delivery"},
			},
			{
				answer: only(numbers, both, recorded("fedex_track/seq_4_delivered.json")),
				told:   []string{"shipment.delivered " + parcel + " scans:(add 0) status:OD->DL text:On FedEx vehicle for delivery->Delivered"},
			},
			// One number, two parcels: the one that is delivered does not end the other.
			{
				answer: only(numbers, another, recorded("fedex_track/duplicate_tracking_number.json", number, another)),
				told:   []string{"shipment.delivered 2460426000~" + another + "~FX"}, // when it was found at last
			},
			{answer: only(numbers, another, recorded("fedex_track/duplicate_tracking_number.json", number, another))},
			{
				answer: recorded("fedex_track/duplicate_tracking_number.json", number, another, `"code": "FD"`, `"code": "DL"`),
				told:   []string{"shipment.delivered 2460425000~" + another + "~FX status:FD->DL"}, last: true,
			},
		},
	},
	"ups": {
		env:    []string{"UPS_URL=API", "UPS_ID=client", "UPS_SECRET=hidden-secret", "UPS_NUMBER=1Z023E2X0214323462"},
		tokens: clientToken("/security/v1/oauth/token", false),
		refuse: all(bearer, header("transactionSrc", "deltahook"), func(r *http.Request) string {
			if len(r.Header.Get("transId")) != 36 || !strings.HasPrefix(r.URL.Path, "/api/track/v1/details/1Z") {
				return "transId is no UUID, or the path is another one"
			}
			return ""
		}),
		steps: []step{
			{answer: only(name, "1Z023E2X0214323462", recorded("ups_track_json/not_found_warning.json"))},
			{answer: recorded("ups_track_json/track.json"), told: []string{"package.known string"}},
			{answer: failing(http.StatusBadRequest, "ups_track_json/error_invalid.json")},
			{answer: recorded("ups_track_json/not_found_warning.json")}, // for as many answers as confirm a deletion
			{answer: recorded("ups_track_json/not_found_warning.json")},
			{answer: ups("OT", "X", "021"), told: []string{"package.moved string scans:(add 0) stage:003->021 status:SR->OT text:Your package was released by the customs agency.->Moving"}},
			{answer: ups("OT", "X", "021", "Your package was released by the customs agency.", "Released by customs.")}, // texts alone
			{answer: ups("KB", "D", "011"), told: []string{"package.delivered string scans:(add 0)(remove 1)(replace 1/text) stage:021->011 status:OT->KB type:X->D"}, last: true},
			{put: "1Z2", answer: only(name, "1Z2", recorded("ups_track_json/track.json"))},
		},
	},
	"dhl": {
		env:    []string{"DHL_URL=API", "DHL_KEY=hidden-key", "DHL_NUMBER=7777777770", "DHL_SERVICE=express"},
		refuse: all(header("DHL-API-Key", "hidden-key"), path("/track/shipments"), query("trackingNumber=7777777770&service=express")),
		steps: []step{
			{answer: failing(http.StatusNotFound, "dhl_unified_json/error_404.json")},
			{answer: recorded("dhl_unified_json/shipments.json"), told: []string{"shipment.known 7777777770"}},
			{answer: text(http.StatusTooManyRequests, `{"status":429}`)},
			{answer: recorded("dhl_unified_json/shipments.json", `"pre-transit"`, `"transit"`), told: []string{"shipment.moved 7777777770 status:pre-transit->transit"}},
			{
				answer: recorded("dhl_unified_json/shipments.json", `"pre-transit"`, `"delivered"`),
				told:   []string{"shipment.delivered 7777777770 status:transit->delivered"}, last: true,
			},
		},
	},
	"dhl-xml": {
		env: []string{"DHL_XML_URL=API", "DHL_SITE=site_id", "DHL_PASSWORD=hidden-password", "DHL_NUMBER=9053283201"},
		refuse: all(header("Content-Type", "application/xml"), path("/XMLShippingServlet"), func(r *http.Request) string {
			body, err := io.ReadAll(r.Body)
			for _, part := range []string{"<SiteID>site_id</SiteID>", "<Password>hidden-password</Password>", "<AWBNumber>9053283201</AWBNumber>"} {
				if err != nil || !strings.Contains(string(body), part) {
					return part + " is missing"
				}
			}
			return ""
		}),
		steps: []step{
			{answer: recordedAs("application/xml", "dhl_express_xml/not_found.xml")},
			{answer: recordedAs("application/xml", "dhl_express_xml/in_transit.xml"), told: []string{"shipment.known 9053283201"}},
			{answer: recordedAs("application/xml", "dhl_express_xml/in_transit.xml", "2021-05-05T16:11:31", "2021-05-05T16:41:31")},
			{answer: recordedAs("application/xml", "dhl_express_xml/auth_error.xml")}, // with status 200
			{answer: recordedAs("application/xml", "dhl_express_xml/not_found.xml")},
			{
				answer: checkpoint("DF", "Departed Facility"),
				told:   []string{"shipment.moved 9053283201 code:PU->DF place:KINGSTON-JAM->BROOKLYN text:Shipment picked up->Departed Facility"},
			},
			{
				answer: checkpoint("OK", "Delivered"),
				told:   []string{"shipment.delivered 9053283201 code:DF->OK text:Departed Facility->Delivered"}, last: true,
			},
		},
	},
	"dhl-parcel-de": {
		env: []string{
			"DHL_URL=API", "DHL_KEY=key", "DHL_SECRET=hidden-secret", "DHL_APPNAME=zt12345", "DHL_PASSWORD=hidden-password",
			"DHL_NUMBER=00340434161094015902",
		},
		refuse: all(basic("key", "hidden-secret"), path("/parcel/de/tracking/v0/shipments"), header("Accept", "application/xml"), query("xml="+
			`<?xml version="1.0" encoding="UTF-8" standalone="no"?> <data appname="zt12345" password="hidden-password"`+
			` request="d-get-piece-detail" language-code="en" piece-code="00340434161094015902"/>`)),
		steps: []step{
			{answer: recordedAs("application/xml", "dhl_parcel_de_xml/not_found.xml")},
			{answer: piece("AA", "Parcel center of origin", "0"), told: []string{"shipment.known 00340434161094015902"}},
			{answer: recordedAs("application/xml", "dhl_parcel_de_xml/not_found.xml")},
			{answer: recordedAs("application/xml", "dhl_parcel_de_xml/not_found.xml", `code="100" error="No data found"`, `code="2" error="login failed"`)},
			{answer: recordedAs("application/xml", "dhl_parcel_de_xml/not_found.xml")},
			{
				answer: piece("PO", "In delivery", "0"),
				told:   []string{"shipment.moved 00340434161094015902 code:AA->PO text:Parcel center of origin->In delivery"},
			},
			{
				answer: recordedAs("application/xml", "dhl_parcel_de_xml/delivered.xml"),
				told:   []string{"shipment.delivered 00340434161094015902 code:PO->ZU delivered:0->1 text:In delivery->Delivery successful"}, last: true,
			},
		},
	},
	"usps": {
		env:    []string{"USPS_URL=API", "USPS_ID=client", "USPS_SECRET=hidden-secret", "USPS_NUMBER=9400"},
		tokens: clientToken("/oauth2/v3/token", true, "scope", "tracking"),
		refuse: all(bearer, path("/tracking/v3/tracking/9400"), query("expand=DETAIL")),
		steps: []step{
			{answer: text(http.StatusNotFound, `{"error":{"code":"404"}}`)},
			{answer: recorded("usps_v3_json/seq_1_out_for_delivery.json"), told: []string{"parcel.known 9400"}},
			{answer: recorded("usps_v3_json/seq_1_out_for_delivery.json")},
			{answer: text(http.StatusTooManyRequests, `{"error":{"code":"429"}}`, "Retry-After", "1")},
			{
				answer: recorded("usps_v3_json/delivered.json"),
				told:   []string{"parcel.delivered 9400 category:Out for Delivery->Delivered status:Out for Delivery->Delivered, Parcel Locker"}, last: true,
			},
		},
	},
	"easypost": {
		env: []string{"EASYPOST_URL=API", "EASYPOST_KEY=hidden-key"},
		refuse: all(basic("hidden-key", ""), path("/v2/trackers"), func(r *http.Request) string {
			q := r.URL.Query()
			return daysAgo(60, q.Get("start_datetime"))
		}),
		further: has("before_id", ""),
		steps: []step{
			{answer: trackers("pre_transit")},
			{answer: trackers("pre_transit")},
			{answer: trackers("in_transit"), told: []string{"tracker.moved trk_last status:pre_transit->in_transit"}},
			{answer: trackers("delivered"), told: []string{"tracker.delivered trk_last status:in_transit->delivered"}},
		},
	},
	"uber-direct": {
		env: []string{
			"UBER_URL=API", "UBER_TOKEN_URL=API/oauth/v2/token", "UBER_ID=client", "UBER_SECRET=hidden-secret",
			"UBER_CUSTOMER=c", "UBER_DELIVERY=del_1",
		},
		tokens: clientToken("/oauth/v2/token", true, "scope", "eats.deliveries"),
		refuse: all(bearer, func(r *http.Request) string { return path("/v1/customers/c/deliveries/" + name(r))(r) }),
		steps: []step{
			{answer: only(name, "del_1", recorded("uber_direct/seq_1_pending.json"))},
			{answer: recorded("uber_direct/seq_2_pickup.json"), told: []string{"delivery.moved del_1 status:pending->pickup"}},
			{answer: recorded("uber_direct/seq_3_pickup_imminent.json"), told: []string{"delivery.moved del_1 imminent:false->true"}},
			{answer: recorded("uber_direct/seq_4_pickup_complete.json"), told: []string{"delivery.moved del_1 imminent:true->false status:pickup->pickup_complete"}},
			{answer: recorded("uber_direct/seq_5_dropoff.json"), told: []string{"delivery.moved del_1 status:pickup_complete->dropoff"}},
			{answer: recorded("uber_direct/seq_6_dropoff_imminent.json"), told: []string{"delivery.moved del_1 imminent:false->true"}},
			{
				answer: recorded("uber_direct/seq_7_delivered.json"),
				told:   []string{"delivery.delivered del_1 imminent:true->false status:dropoff->delivered"}, last: true,
			},
			{put: "del_2", answer: only(name, "del_2", recorded("uber_direct/seq_1_pending.json"))},
			{
				answer: recorded("uber_direct/seq_1_pending.json", `"pending"`, `"canceled"`),
				told:   []string{"delivery.failed del_2 status:pending->canceled"}, last: true,
			},
		},
	},
}

const (
	number  = "123456789012"
	another = "39936862321"
	both    = number + " " + another
	parcel  = "12028~" + number + "~FDEG"
)

// notFound is what an answer of FedEx has of a number that it does not find.
const notFound = `{"trackingNumber":"` + another + `","trackResults":[{
	"trackingNumberInfo":{"trackingNumber":"` + another + `","trackingNumberUniqueId":"","carrierCode":""},
	"error":{"code":"TRACKING.TRACKINGNUMBER.NOTFOUND"}}]},`

// numbers are the numbers that FedEx is asked for.
func numbers(r *http.Request) string {
	var body struct {
		Info []struct {
			Number struct {
				Number string `json:"trackingNumber"`
			} `json:"trackingNumberInfo"`
		} `json:"trackingInfo"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err.Error()
	}
	var all []string
	for _, info := range body.Info {
		all = append(all, info.Number.Number)
	}
	return strings.Join(all, " ")
}

// ups is the recorded package, moved on by one scan.
func ups(code, kind, stage string, replace ...string) answer {
	status := fmt.Sprintf(`"code": %q, "description": "Moving", "statusCode": %q, "type": %q`, code, stage, kind)
	return recorded("ups_track_json/track.json", append(replace,
		`"currentStatus": {`, `"currentStatus": {`+status+`}, "x": {`,
		`"activity": [`, `"activity": [{"date": "20210211", "time": "080000", "location": {"address": {"city": "Fargo"}}, "status": {`+status+`}},`)...)
}

// checkpoint is the recorded shipment with one more checkpoint.
func checkpoint(code, text string) answer {
	return recordedAs("application/xml", "dhl_express_xml/in_transit.xml", "</ShipmentEvent>", fmt.Sprintf("</ShipmentEvent><ShipmentEvent>"+
		"<ServiceEvent><EventCode>%s</EventCode><Description>%s</Description></ServiceEvent>"+
		"<ServiceArea><Description>BROOKLYN</Description></ServiceArea></ShipmentEvent>", code, text))
}

// piece is the recorded piece with another state.
func piece(code, text, delivered string) answer {
	return recordedAs("application/xml", "dhl_parcel_de_xml/delivered.xml", `standard-event-code="ZU"`, fmt.Sprintf("standard-event-code=%q", code),
		`short-status="Delivery successful"`, fmt.Sprintf("short-status=%q", text), `delivery-event-flag="1"`, fmt.Sprintf("delivery-event-flag=%q", delivered))
}

// trackers are three pages, of which two are recorded.
func trackers(status string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		return pages(parameter("before_id"), map[string]answer{
			"":                                     recorded("easypost/trackers_page1.json"),
			"trk_ec400b14a2b24683bb741388dec8bc35": recorded("easypost/trackers_page2.json"),
			"trk_3bd329377d794bff9bfecd3f5ee835f6": ok(fmt.Sprintf(`{"has_more":false,"trackers":[{"id":"trk_last","status":%q,"tracking_code":"EZ1"}]}`, status)),
		})(t)
	}
}
