package recipes_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// plays are the sequences of docs/recipes, by recipe: weather, traffic, money,
// pages of a service. Others are in
// shops_test.go, parcels_test.go and deltas_test.go.
var plays = join(map[string]play{
	"nws-alerts": {
		env:    []string{"NWS_URL=API", "NWS_CONTACT=ops@example.com"},
		refuse: all(header("User-Agent", "deltahook (ops@example.com)"), query("status=actual"), path("/alerts/active")),
		steps: []step{
			{answer: recorded("nws_alerts/seq_1_new.json")},
			{answer: text(http.StatusForbidden, `{"status":403}`)},
			{answer: recorded("nws_alerts/seq_2_update_new_id.json"), told: []string{"alert.updated " + nwsUpdate}},
			{answer: recorded("nws_alerts/seq_2_update_new_id.json"), told: []string{"alert.gone " + nwsFirst}},
			{answer: recorded("nws_alerts/seq_3_expired_vanishes.json")},
			{answer: recorded("nws_alerts/seq_3_expired_vanishes.json"), told: []string{"alert.gone " + nwsUpdate}},
		},
	},
	"open-meteo": {
		env:    []string{"OPEN_METEO_URL=API", "LATITUDE=52.52", "LONGITUDE=13.42"},
		refuse: query("latitude=52.52&longitude=13.42&current=temperature_2m"),
		steps: []step{
			{answer: recorded("open_meteo/seq_1.json")},
			{answer: recorded("open_meteo/seq_1b_noise.json")},
			{answer: recorded("open_meteo/seq_2_threshold.json"), told: []string{"weather.hot weather temperature:29.4->30.2"}},
			{answer: recorded("open_meteo/error_limit.json")},
			{answer: recorded("open_meteo/seq_1.json")}, // up and down around the threshold
			{answer: recorded("open_meteo/seq_2_threshold.json")},
			{answer: recorded("open_meteo/seq_2_threshold.json", "30.2", "-0.5"), told: []string{"weather.frost weather temperature:30.2->-0.5"}},
			{answer: recorded("open_meteo/seq_2_threshold.json", "30.2", "0.5")},
			{answer: recorded("open_meteo/seq_2_threshold.json", "30.2", "-0.1")},
		},
	},
	"openweathermap": {
		env:    []string{"OPENWEATHERMAP_URL=API", "OPENWEATHERMAP_KEY=hidden-key", "CITY=London,uk"},
		refuse: query("q=London,uk&units=metric&appid=hidden-key"),
		steps: []step{
			{answer: recorded("openweathermap/observation.json")},
			{answer: recorded("openweathermap/observation.json", "288.44", "288.5")},
			{answer: recorded("openweathermap/not_found.json")}, // with status 200
			{answer: failing(http.StatusNotFound, "openweathermap/not_found.json")},
			{
				answer: recorded("openweathermap/observation.json", "804", "500", "overcast clouds", "light rain", `"Clouds"`, `"Rain"`),
				told:   []string{"weather.changed 2643743 condition:804->500 description:overcast clouds->light rain weather:Clouds->Rain"},
			},
			{
				answer: recorded("openweathermap/observation.json", "804", "500", "overcast clouds", "light rain", `"Clouds"`, `"Rain"`, `"speed":1.54`, `"speed":17.2`),
				told:   []string{"weather.storm 2643743 wind:1.54->17.2"},
			},
			{answer: recorded("openweathermap/observation.json", "804", "500", "overcast clouds", "light rain", `"Clouds"`, `"Rain"`, `"speed":1.54`, `"speed":16.9`)},
			{answer: recorded("openweathermap/observation.json", "804", "500", "overcast clouds", "light rain", `"Clouds"`, `"Rain"`, `"speed":1.54`, `"speed":18`)},
		},
	},
	"wzdx": {
		env: []string{"WZDX_FEED=API/feed.geojson"},
		steps: []step{
			{answer: recorded("wzdx/workzone_seq_1.json")},
			{answer: recorded("wzdx/workzone_seq_1b_only_noise.json")},
			{
				answer: recorded("wzdx/workzone_seq_2_changed_and_removed.json"),
				told:   []string{"workzone.changed af2e3f51-611f-4ce0-9282-2f28ca68e62f impact:some-lanes-closed->all-lanes-closed"},
			},
			{
				answer: recorded("wzdx/workzone_seq_2_changed_and_removed.json"),
				told:   []string{"workzone.removed e6c2abad-04e2-41fd-bd66-4cc41e4bb6e7"},
			},
		},
	},
	"tomtom": {
		env: []string{"TOMTOM_URL=API", "TOMTOM_KEY=hidden-key", "BBOX=4.85,52.35,4.95,52.40"},
		refuse: all(path("/traffic/services/5/incidentDetails"), func(r *http.Request) string {
			q := r.URL.Query()
			if strings.ContainsAny(r.URL.RawQuery, "{}") || !strings.HasPrefix(q.Get("fields"), "{incidents{") || q.Get("key") != "hidden-key" {
				return "braces must be encoded, and the key be there"
			}
			return ""
		}),
		steps: []step{
			{answer: ok(`{"incidents":[{"properties":{"id":"a","iconCategory":6,"magnitudeOfDelay":1,"from":"A","to":"B"}}]}`)},
			{answer: text(http.StatusForbidden, `{"detailedError":{"code":"Forbidden"}}`)},
			{
				answer: ok(`{"incidents":[{"properties":{"id":"b","iconCategory":8,"magnitudeOfDelay":4,"from":"C","to":"D"}},{"properties":{"id":"a","iconCategory":6,"magnitudeOfDelay":3,"from":"A","to":"B"}}]}`),
				told:   []string{"incident.reported b", "incident.changed a magnitude:1->3"},
			},
			{answer: ok(`{"incidents":[]}`)},
			{answer: ok(`{"incidents":[]}`), told: []string{"incident.over a", "incident.over b"}},
			{answer: jam(12), told: jammed("incident.reported", 12)},
			{answer: ok(`{"incidents":[]}`)},
			{answer: ok(`{"incidents":[]}`), told: jammed("incident.over", 12)}, // all at once: not held
		},
	},
	"autobahn": {
		env:    []string{"AUTOBAHN_URL=API", "AUTOBAHN_ROAD=A1"},
		refuse: path("/o/autobahn/A1/services/warning"),
		steps: []step{
			{answer: ok(`{"warning":[]}`)},
			{answer: ok(`{"warning":[{"identifier":"w1","title":"A1 | Bremen","isBlocked":"false"}]}`), told: []string{"warning.reported w1"}},
			{answer: ok(`{"warning":[{"identifier":"w1","title":"A1 | Bremen","isBlocked":"true"}]}`), told: []string{"warning.changed w1 blocked:false->true"}},
			{answer: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
			}},
			{answer: ok(`{"warning":[]}`), told: []string{"warning.over w1"}},
		},
	},
	"alpha-vantage": {
		env:    []string{"ALPHA_VANTAGE_URL=API", "ALPHA_VANTAGE_KEY=hidden-key", "SYMBOL=MSFT"},
		refuse: query("function=GLOBAL_QUOTE&symbol=MSFT&apikey=hidden-key"),
		steps: []step{
			{answer: recorded("alpha_vantage/global_quote.json")},
			{answer: recorded("alpha_vantage/limit_200_information.json")},
			{answer: ok(`{"Global Quote":{}}`)}, // a symbol that is not known
			{
				answer: recorded("alpha_vantage/global_quote_drop_5pct.json"),
				told:   []string{"quote.fell MSFT percent:-0.5852->-5.3906 price:112.13->106.71"},
			},
			{answer: recorded("alpha_vantage/limit_200_note.json")},
			{answer: recorded("alpha_vantage/global_quote_drop_5pct.json", "-5.3906%", "-5.4000%")},
			{answer: recorded("alpha_vantage/global_quote.json")}, // back, and down again: it was told
			{answer: recorded("alpha_vantage/global_quote_drop_5pct.json")},
		},
	},
	"finnhub": {
		env:    []string{"FINNHUB_URL=API", "FINNHUB_KEY=hidden-key", "SYMBOL=AAPL"},
		refuse: all(path("/quote"), query("symbol=AAPL&token=hidden-key")),
		steps: []step{
			{answer: quote(275, -0.2756)},
			{answer: text(http.StatusTooManyRequests, `{"error":"API limit reached. Please try again later."}`)},
			{answer: ok(`{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}`)}, // a symbol that is not known
			{answer: quote(285, 3.3507)},
			{answer: quote(271, -1.7261)}, // 4.9 % below the highest
			{answer: quote(270.75, -1.8168), told: []string{"quote.fell AAPL percent:-1.7261->-1.8168 price:271->270.75"}}, // 5 %
			{answer: quote(261.74, -5.0841)},
			{answer: quote(272, -1.3635)}, // in and out: it was told
			{answer: quote(270, -2.0888)},
		},
	},
	"ecb-rates": {
		env:    []string{"ECB_URL=API", "ECB_TOLERANCE=0.0005"},
		refuse: path("/stats/eurofxref/eurofxref-daily.xml"),
		steps: []step{
			{answer: recordedAs("text/xml", "ecb_xml/eurofxref_daily.xml")},
			{answer: recordedAs("text/xml", "ecb_xml/eurofxref_daily.xml", "2018-06-11", "2018-06-12")},
			{answer: func(*testing.T) http.HandlerFunc {
				return reply(http.StatusOK, "text/html", "<html>maintenance</html>")
			}},
			{answer: recordedAs("text/xml", "ecb_xml/eurofxref_daily.xml", "1.1790", "1.1795")}, // in small steps
			{answer: recordedAs("text/xml", "ecb_xml/eurofxref_daily.xml", "1.1790", "1.1800"), told: []string{"currency.changed USD rate:1.179->1.18"}},
			{
				answer: recordedAs("text/xml", "ecb_xml/eurofxref_daily.xml", "1.1790", "1.1918"),
				told:   []string{"currency.changed USD rate:1.18->1.1918", "currency.jumped USD rate:1.18->1.1918"},
			},
		},
	},
	"spotify-playlist": {
		env: []string{
			"SPOTIFY_URL=API", "SPOTIFY_TOKEN_URL=API/api/token", "SPOTIFY_ID=client", "SPOTIFY_SECRET=hidden-secret",
			"SPOTIFY_REFRESH_TOKEN=hidden-refresh", "SPOTIFY_PLAYLIST=59ZbFPES4DQwEjBpWHzrtC",
		},
		tokens: refreshToken("/api/token", false),
		refuse: all(bearer, path("/v1/playlists/59ZbFPES4DQwEjBpWHzrtC"), query("fields=snapshot_id,name")),
		steps: []step{
			{answer: recorded("spotify/playlist.json")},
			{answer: recorded("spotify/playlist.json", "68b6a65573a55095", "0000000000000000", "143350", "143351")},
			{answer: failing(http.StatusTooManyRequests, "spotify/error_429_quota.json", "Retry-After", "1")},
			{
				answer: recorded("spotify/playlist.json", "bNLWdmhh+HDsbHzhckXeDC0uyKyg4FjPI/KEsKjAE526usnz2LxwgyBoMShVL+z+", "next"),
				told:   []string{"playlist.changed playlist snapshot:bNLWdmhh+HDsbHzhckXeDC0uyKyg4FjPI/KEsKjAE526usnz2LxwgyBoMShVL+z+->next"},
			},
		},
	},
	"github-releases": {
		env:    []string{"GITHUB_URL=API", "GITHUB_TOKEN=hidden-token", "GITHUB_REPO=octocat/Hello-World"},
		refuse: all(header("Authorization", "Bearer hidden-token"), path("/repos/octocat/Hello-World/releases")),
		steps: []step{
			{answer: recorded("github/releases_seq_1.json")},
			{answer: recorded("github/releases_seq_1b_noise.json")},
			{answer: text(http.StatusForbidden, `{"message":"API rate limit exceeded"}`)},
			{answer: recorded("github/releases_seq_2_new.json"), told: []string{"release.published 2"}},
			{answer: recorded("github/releases_seq_1.json")},
			{answer: recorded("github/releases_seq_1.json")},     // deleted: not told
			{answer: recorded("github/releases_seq_2_new.json")}, // nor that it is back
		},
	},
	"github-release-graphql": {
		env:    []string{"GITHUB_URL=API", "GITHUB_TOKEN=hidden-token", "GITHUB_OWNER=octocat", "GITHUB_NAME=Hello-World"},
		refuse: all(header("Authorization", "Bearer hidden-token"), path("/graphql"), func(r *http.Request) string { return wanted("octocat", sent(r, "variables", "owner")) }),
		steps: []step{
			{answer: recorded("github/graphql_seq_1.json")},
			{answer: recorded("github/graphql_error_200.json")},
			{
				answer: recorded("github/graphql_seq_2_new_release.json"),
				told: []string{"release.latest release name:v1.0.0->v1.1.0 tag:v1.0.0->v1.1.0 " +
					"url:https://github.com/octocat/Hello-World/releases/v1.0.0->https://github.com/octocat/Hello-World/releases/v1.1.0"},
			},
		},
	},
	"statuspage": {
		env:    []string{"STATUSPAGE_URL=API"},
		refuse: path("/api/v2/summary.json"),
		steps: []step{
			{answer: recorded("statuspage/seq_1_ok.json")},
			{answer: recorded("statuspage/seq_2_incident.json"), told: []string{"component.down c1 status:operational->partial_outage"}},
			{answer: recorded("statuspage/seq_3_incident_update.json")},
			{answer: recorded("statuspage/seq_4_resolved_incident_vanishes.json"), told: []string{"component.up c1 status:partial_outage->operational"}},
		},
	},
	"statuspage-incidents": {
		env: []string{"STATUSPAGE_URL=API"},
		steps: []step{
			{answer: recorded("statuspage/seq_1_ok.json")},
			{answer: recorded("statuspage/seq_2_incident.json"), told: []string{"incident.opened inc000000001"}},
			{answer: recorded("statuspage/seq_3_incident_update.json"), told: []string{"incident.moved inc000000001 status:investigating->identified"}},
			{answer: recorded("statuspage/seq_4_resolved_incident_vanishes.json")},
			{answer: recorded("statuspage/seq_4_resolved_incident_vanishes.json"), told: []string{"incident.resolved inc000000001"}},
		},
	},
	"rss": {
		env: []string{"FEED_URL=API/feed.xml"},
		steps: []step{
			{answer: recordedAs("application/rss+xml", "feeds/rss_seq_1.xml")},
			{answer: recordedAs("application/rss+xml", "feeds/rss_seq_1b_noise.xml")},
			{
				answer: recordedAs("application/rss+xml", "feeds/rss_seq_2_new_and_edited.xml"),
				told:   []string{"entry.published inc-2", "entry.edited inc-1 summary:<b>Investigating</b>-><b>Resolved</b>"},
			},
		},
	},
	"usgs-quakes": {
		env:    []string{"USGS_URL=API"},
		refuse: path("/earthquakes/feed/v1.0/summary/all_hour.geojson"),
		steps: []step{
			{answer: recorded("usgs_quakes/seq_2_revised_and_dropped.json", "3.4", "3.1", "reviewed", "automatic")},
			{answer: recorded("usgs_quakes/seq_1.json"), told: []string{"quake.reported ci00000002"}},
			{answer: recorded("usgs_quakes/seq_2_revised_and_dropped.json"), told: []string{"quake.revised ci00000001 magnitude:3.1->3.4 status:automatic->reviewed"}},
			{answer: recorded("usgs_quakes/seq_2_revised_and_dropped.json")}, // the other one is gone: not told
		},
	},
	"uber-trip": {
		env:    []string{"UBER_URL=API", "UBER_TOKEN=hidden-token"},
		refuse: all(header("Authorization", "Bearer hidden-token"), path("/v1.2/requests/current")),
		steps: []step{
			{answer: recorded("uber_rides/current_processing.json")},
			{answer: recorded("uber_rides/current_processing.json", `"processing"`, `"accepted"`), told: []string{"trip.moved " + trip + " status:processing->accepted"}},
			{answer: failing(http.StatusNotFound, "uber_rides/current_404_no_trip.json"), told: []string{"trip.over " + trip}},
			{answer: text(http.StatusInternalServerError, `{"code":"internal_server_error"}`)},
			{answer: recorded("uber_rides/current_processing.json"), told: []string{"trip.begun " + trip}},
		},
	},
}, shops, parcels, deltas, calendars, receivers)

const (
	nwsFirst  = "urn:oid:2.49.0.1.840.0.3864c99e5b14ea65ea85a5300a0706927ff3fe0b.001.1"
	nwsUpdate = "urn:oid:2.49.0.1.840.0.46764a246ef72c63d5540a40a309f0d7737ea29d.001.1"
	trip      = "610d868b-e21c-483a-9932-97e61b852fd2"
)

// quote is one of Finnhub's.
func quote(price, percent float64) answer {
	return recorded("finnhub/quote.json", `"c": 261.74`, fmt.Sprintf(`"c": %v`, price), `"dp": -5.0841`, fmt.Sprintf(`"dp": %v`, percent))
}

// jam is so many incidents.
func jam(n int) answer {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"properties":{"id":"%d"}}`, i))
	}
	return ok(`{"incidents":[` + strings.Join(all, ",") + `]}`)
}

func jammed(event string, n int) (told []string) {
	for i := range n {
		told = append(told, fmt.Sprintf("%s %d", event, i))
	}
	return told
}

func join(all ...map[string]play) map[string]play {
	joined := map[string]play{}
	for _, some := range all {
		maps.Copy(joined, some)
	}
	return joined
}

func wanted(want, got string) string {
	if got != want {
		return "the body has " + got + ", want " + want
	}
	return ""
}
