package recipes_test

import (
	"fmt"
	"net/http"
	"testing"
)

// parcels are the plays of carriers.
var parcels = map[string]play{
	"fedex": {
		env:    []string{"FEDEX_URL=API", "FEDEX_ID=client", "FEDEX_SECRET=hidden-secret", "FEDEX_NUMBERS=123456789012, 123456789013"},
		tokens: clientToken("/oauth/token", true),
		refuse: all(bearer, header("X-Locale", "en_US"), path("/track/v1/trackingnumbers"), func(r *http.Request) string {
			return wanted("[map[trackingNumberInfo:map[trackingNumber:123456789012]] map[trackingNumberInfo:map[trackingNumber:123456789013]]]", sent(r, "trackingInfo"))
		}),
		steps: []step{
			{answer: recorded("fedex_track/seq_1_label_created.json")},
			{answer: recorded("fedex_track/seq_2_in_transit.json"), told: []string{"shipment.moved " + parcel + " status:OC->DP text:Initiated->In transit"}},
			{answer: recorded("fedex_track/seq_2b_in_transit_unchanged.json")},
			{answer: failing(http.StatusServiceUnavailable, "fedex_track/error_503.json")},
			{answer: recorded("fedex_track/seq_3_out_for_delivery.json"), told: []string{"shipment.moved " + parcel + " status:DP->OD text:In transit->On FedEx vehicle for delivery"}},
			{answer: recorded("fedex_track/seq_4_delivered.json"), told: []string{"shipment.delivered " + parcel + " status:OD->DL text:On FedEx vehicle for delivery->Delivered"}},
		},
	},
	"ups": {
		env:    []string{"UPS_URL=API", "UPS_ID=client", "UPS_SECRET=hidden-secret", "UPS_NUMBER=1Z023E2X0214323462"},
		tokens: clientToken("/security/v1/oauth/token", false),
		refuse: all(bearer, header("transactionSrc", "deltahook"), path("/api/track/v1/details/1Z023E2X0214323462"), func(r *http.Request) string {
			if len(r.Header.Get("transId")) != 36 {
				return "transId is no UUID"
			}
			return ""
		}),
		steps: []step{
			{answer: recorded("ups_track_json/not_found_warning.json")},
			{answer: recorded("ups_track_json/track.json")},
			{answer: failing(http.StatusBadRequest, "ups_track_json/error_invalid.json")},
			{answer: recorded("ups_track_json/track.json", `"code": "SR"`, `"code": "KB"`), told: []string{"package.moved string status:SR->KB"}},
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
			{answer: recorded("dhl_unified_json/shipments.json", `"pre-transit"`, `"delivered"`), told: []string{"shipment.delivered 7777777770 status:transit->delivered"}},
			{answer: failing(http.StatusNotFound, "dhl_unified_json/error_404.json")}, // purged: not told
		},
	},
	"usps": {
		env:    []string{"USPS_URL=API", "USPS_ID=client", "USPS_SECRET=hidden-secret", "USPS_NUMBER=9400"},
		tokens: clientToken("/oauth2/v3/token", true, "scope", "tracking"),
		refuse: all(bearer, path("/tracking/v3/tracking/9400"), query("expand=DETAIL")),
		steps: []step{
			{answer: recorded("usps_v3_json/seq_1_out_for_delivery.json")},
			{answer: recorded("usps_v3_json/seq_1_out_for_delivery.json")},
			{
				answer: recorded("usps_v3_json/delivered.json"),
				told:   []string{"parcel.delivered parcel category:Out for Delivery->Delivered status:Out for Delivery->Delivered, Parcel Locker"},
			},
		},
	},
	"easypost": {
		env:     []string{"EASYPOST_URL=API", "EASYPOST_KEY=hidden-key"},
		refuse:  all(basic("hidden-key", ""), path("/v2/trackers")),
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
		refuse: all(bearer, path("/v1/customers/c/deliveries/del_1")),
		steps: []step{
			{answer: recorded("uber_direct/seq_1_pending.json")},
			{answer: recorded("uber_direct/seq_2_pickup.json"), told: []string{"delivery.moved delivery status:pending->pickup"}},
			{answer: recorded("uber_direct/seq_3_pickup_imminent.json"), told: []string{"delivery.moved delivery imminent:false->true"}},
			{answer: recorded("uber_direct/seq_4_pickup_complete.json"), told: []string{"delivery.moved delivery imminent:true->false status:pickup->pickup_complete"}},
			{answer: recorded("uber_direct/seq_5_dropoff.json"), told: []string{"delivery.moved delivery status:pickup_complete->dropoff"}},
			{answer: recorded("uber_direct/seq_6_dropoff_imminent.json"), told: []string{"delivery.moved delivery imminent:false->true"}},
			{answer: recorded("uber_direct/seq_7_delivered.json"), told: []string{"delivery.delivered delivery imminent:true->false status:dropoff->delivered"}},
		},
	},
}

const parcel = "12028~123456789012~FDEG"

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
