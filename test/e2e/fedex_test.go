package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The parcel of the sequence is labelled, moves, doesn't move, is loaded and
// is delivered: four changes are three webhooks after the silent baseline.
func TestFedEx(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"deltahook.yaml", "deltahook.toml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			a, hooks := newAPI(t), newReceiver(t, nil)
			d := fedex(t, file, a, hooks)
			const key = "12028~123456789012~FDEG"
			all := playSteps(t, d, a, hooks, "fedex_track", []step{
				{name: "seq_1_label_created.json"},
				{name: "seq_2_in_transit.json", told: []string{`shipment.moved ` + key + ` 1 {"status":"OC"} -> {"status":"DP"}`}},
				{name: "seq_2b_in_transit_unchanged.json"},
				{name: "error_503.json", status: 503, failed: "status"},
				{name: "error_401_token_expired.json", failed: "require"}, // with status 200,
				{name: "seq_3_out_for_delivery.json", told: []string{`shipment.moved ` + key + ` 2 {"status":"DP"} -> {"status":"OD"}`}},
				{name: "seq_4_delivered.json", told: []string{`shipment.delivered ` + key + ` 3 {"status":"OD"} -> {"status":"DL"}`}},
			})
			asksForBoth(t, a.last)
			verifyByNPM(t, all)
		})
	}
}

// One tracking number stands for two parcels, and one for none: two items by
// their unique ids, and an error that is nobody's change.
func TestFedExDuplicatesAndErrors(t *testing.T) {
	t.Parallel()
	a, hooks := newAPI(t), newReceiver(t, nil)
	d := fedex(t, "deltahook.yaml", a, hooks)
	playSteps(t, d, a, hooks, "fedex_track", []step{
		{name: "duplicate_tracking_number.json"},
		{name: "ok_200_with_per_item_error.json"}, // both are absent for the first time; what has an error is unknown
		{name: "duplicate_tracking_number.json"},
	})
	// For as many answers as confirm a deletion one of the two is an error:
	// it is neither changed nor gone.
	broken := read(t, "fedex_track", "duplicate_tracking_number.json")
	const code = `"code": "DL",`
	if n := bytes.Count(broken, []byte(code)); n != 1 {
		t.Fatalf("the fixture has %s %d times, want once", code, n)
	}
	broken = bytes.Replace(broken, []byte(code), []byte(`"code": null,`), 1)
	unique := []byte(`"trackingNumberUniqueId": "2460426000~`)
	at := bytes.LastIndex(broken[:bytes.Index(broken, unique)], []byte(`"trackingNumberInfo"`))
	broken = slices.Concat(broken[:at], []byte(`"error": {"code": "TRACKING.DATA.UNAVAILABLE"}, `), broken[at:])
	for range 3 {
		a.play(t, body(broken))
	}
	a.settled(t)
	if ok, events := d.metric(t, "deltahook_polls_total", `result="ok"`), d.metric(t, "deltahook_events_total"); ok != 6 || events != 0 {
		t.Errorf("%v answers were taken in and told %v events, want 6 and 0", ok, events)
	}
	if n := d.metric(t, "deltahook_items"); n != 2 {
		t.Errorf("%v items are remembered, want 2", n)
	}
}

// fedex runs a daemon on one of testdata/fedex.
func fedex(t *testing.T, file string, a *api, hooks *receiver) *process {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fedex", file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, file, string(text))
	return startEnv(t, binary(t), dir, []string{"API=" + a.URL, "HOOK=" + hooks.URL, "WHSEC=" + whsec, "TOKEN=t0ken"}, "run")
}

// asksForBoth compares a request with the recorded one of a client of
// FedEx's, whose second number it shares.
func asksForBoth(t *testing.T, got asked) {
	t.Helper()
	type info struct {
		TrackingNumberInfo struct {
			TrackingNumber string `json:"trackingNumber"`
		} `json:"trackingNumberInfo"`
	}
	var sent struct {
		TrackingInfo         []info `json:"trackingInfo"`
		IncludeDetailedScans bool   `json:"includeDetailedScans"`
	}
	decoder := json.NewDecoder(bytes.NewReader(got.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&sent); err != nil {
		t.Fatalf("the request's body: %v: %s", err, got.Body)
	}
	if got.Method != "POST" || got.Path != "/track/v1/trackingnumbers" || len(sent.TrackingInfo) != 2 || !sent.IncludeDetailedScans ||
		sent.TrackingInfo[1].TrackingNumberInfo.TrackingNumber != "39936862321" {
		t.Errorf("the request was %s %s: %s", got.Method, got.Path, got.Body)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t0ken", "X-Locale": "en_US"} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("the request's %s is %q, want %q", name, v, want)
		}
	}
}

// verifyByNPM has the official JavaScript library verify webhooks.
func verifyByNPM(t *testing.T, all []delivery) {
	t.Helper()
	npm := filepath.Join("..", "npm")
	if _, err := os.Stat(filepath.Join(npm, "node_modules", "standardwebhooks")); err != nil {
		if os.Getenv("DELTAHOOK_REQUIRE_NPM") != "" {
			t.Fatal("the npm library is not installed, and DELTAHOOK_REQUIRE_NPM wants it: make test installs it")
		}
		t.Skip("verified by the Go library only; the npm library is not installed: make test installs it where npm is")
	}
	var in bytes.Buffer
	for _, d := range all {
		headers := map[string]string{}
		for name := range d.Header {
			headers[strings.ToLower(name)] = d.Header.Get(name)
		}
		text, err := json.Marshal(map[string]any{"secret": whsec, "headers": headers, "body": string(d.Body)})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(text, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), "node", "verify.mjs")
	cmd.Dir, cmd.Stdin = npm, &in
	out, err := cmd.CombinedOutput()
	if want := strings.Repeat("ok\n", len(all)); err != nil || string(out) != want {
		t.Errorf("the npm library says %q, want %q (%v)", out, want, err)
	}
}
