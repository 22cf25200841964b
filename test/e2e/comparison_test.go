package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// comparedParcel is an answer of one parcel.
func comparedParcel(fields string) []byte {
	return fmt.Appendf(nil, `{"parcels":[{"number":1,%s}]}`, fields)
}

// TestWhatIsNoDifference plays what APIs do to an item that stays as it is,
// over a kill and an edit of the configuration, and then one true change: what
// is told has that and what is carried, and nothing else.
func TestWhatIsNoDifference(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	configure := func(tolerance string) {
		write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(`
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response:
      items: parcels
      id: number
      pick: {status: status, price: price, tags: tags, scans: scans, note: note}
      carry: {city: city}
      numbers: {price: {tolerance: %s}}
      ignore_case: [status]
      unordered: [tags]
      lists: {scans: {id: event}}
      null_is_absent: true
`, a.URL, tolerance)))
	}
	configure("0.05")
	d := start(t, binary(t), dir, "run")
	a.play(t, body(comparedParcel(`"status":"In Transit","price":"1,112.1300","tags":["a","b"],"scans":[{"event":1,"s":"x"},{"event":2,"s":"y"}],"city":"Bonn"`)))
	a.play(t, body(comparedParcel(`"status":"IN TRANSIT","price":"+1112.13","tags":["b","a"],"scans":[{"event":2,"s":"y"},{"s":"x","event":1.0}],"note":null,"city":"Ulm"`)))
	a.play(t, body(comparedParcel(`"status":"in transit","price":1112.18,"tags":["a","b"],"scans":[{"event":1,"s":"x"},{"event":2,"s":"y"}],"city":"Mainz"`)))
	a.settled(t)
	d.kill()
	a.gone(t)
	configure("0.1") // of which nothing follows
	start(t, binary(t), dir, "run")
	a.play(t, body(comparedParcel(`"status":"in transit","price":"1,112.08 ","tags":["b","a"],"scans":[{"event":1,"s":"x"},{"event":2,"s":"y"}],"city":"Trier"`)))
	a.play(t, body(comparedParcel(`"status":"in transit","price":"1112.13","tags":["b","a"],"scans":[{"event":3,"s":"z"},{"event":2,"s":"Y"},{"event":1,"s":"x"}],"city":"Essen"`)))
	a.settled(t)
	var told struct {
		Type string
		Data struct {
			Revision  int
			New, Diff json.RawMessage
		}
	}
	if err := json.Unmarshal(hooks.next(t).Body, &told); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"s.updated", "1",
		`{"status":"in transit","price":1112.13,"tags":["a","b"],"scans":[{"event":1,"s":"x"},{"event":2,"s":"Y"},{"event":3,"s":"z"}],"city":"Essen"}`,
		`[{"op":"replace","path":"/status","value":"in transit"},{"op":"replace","path":"/scans/1/s","value":"Y"},` +
			`{"op":"add","path":"/scans/2","value":{"event":3,"s":"z"}},{"op":"replace","path":"/city","value":"Essen"}]`,
	}
	got := []string{told.Type, fmt.Sprint(told.Data.Revision), string(told.Data.New), string(told.Data.Diff)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
