package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/test/loopback"
)

// tracker is FedEx: it answers a batch with what it knows of each number,
// taken from the recorded answers.
type tracker struct {
	URL string

	mu    sync.Mutex
	known map[string][]byte // completeTrackResults elements, by number
	asked map[string]int
}

func newTracker(tb testing.TB) *tracker {
	tb.Helper()
	tr := &tracker{known: map[string][]byte{}, asked: map[string]int{}}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return // the poller was killed
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		results := [][]byte{}
		for _, n := range gjson.GetBytes(text, "trackingInfo.#.trackingNumberInfo.trackingNumber").Array() {
			tr.asked[n.Str]++
			if known := tr.known[n.Str]; known != nil {
				results = append(results, known)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"output":{"completeTrackResults":[%s]}}`, bytes.Join(results, []byte(",")))
	})
	tb.Cleanup(server.Close)
	tr.URL = server.URL
	return tr
}

// knows has the tracker answer for a number as a fixture does for its own.
func (tr *tracker) knows(tb testing.TB, number, name string) {
	tb.Helper()
	result := gjson.GetBytes(read(tb, "fedex_track", name), "output.completeTrackResults.0")
	first := result.Get("trackingNumber").Str
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.known[number] = []byte(strings.ReplaceAll(result.Raw, first, number))
}

func (tr *tracker) lacks(number string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	delete(tr.known, number)
}

func (tr *tracker) count(number string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.asked[number]
}

// settled waits until what was known before has been taken in of a number:
// its next poll but one begins after that.
func (tr *tracker) settled(tb testing.TB, number string) {
	tb.Helper()
	eventually(tb, "polls of "+number, func(n int) bool { return tr.count(number) >= n+2 }, tr.count(number))
}

func eventually(tb testing.TB, what string, cond func(int) bool, from int) {
	tb.Helper()
	for end := time.Now().Add(patience); !cond(from); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}

const parcels = `
  shipments:
    schedule: "@every 1s"
    request:
      url: %s/track
      json:
        trackingInfo:
          $each: keys
          trackingNumberInfo: {trackingNumber: "{{ it }}"}
    watch: {keys: ["100000000001", "100000000002"], api: true, batch: 30, id: trackingNumberInfo.trackingNumber, until: new.status == "DL"}
    response:
      items: output.completeTrackResults.#.trackResults|@flatten
      id: trackingNumberInfo.trackingNumberUniqueId
      item_ok: item.error == nil
      pick: {status: latestStatusDetail.code}
`

// change sends a request for a watch key to the admin address.
func (p *process) change(tb testing.TB, method, path string) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, "http://"+p.Addr(tb)+"/api/v1/sources/shipments/watches"+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// A batch of parcels: each has its own silent baseline, one that the answer
// lacks is unknown, one that is delivered is told and polled no more; keys come
// and go over the API, and all of that outlives a kill.
func TestWatch(t *testing.T) {
	t.Parallel()
	const one, two, three = "100000000001", "100000000002", "100000000003"
	api, hooks := newTracker(t), newReceiver(t, nil)
	api.knows(t, one, "seq_1_label_created.json")
	dir, seen := t.TempDir(), map[string]bool{}
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(parcels, api.URL)))
	d := start(t, binary(t), dir, "run")
	api.settled(t, one)

	// The second is known only later: its first answer tells nothing either.
	api.knows(t, two, "seq_1_label_created.json")
	api.settled(t, two)
	api.knows(t, one, "seq_2_in_transit.json")
	toldWatch(t, hooks, seen, one, "updated", "DP")
	api.lacks(one)
	api.settled(t, two)
	api.settled(t, two) // lacked for longer than a deletion is confirmed
	api.knows(t, one, "seq_3_out_for_delivery.json")
	toldWatch(t, hooks, seen, one, "updated", "OD")

	if status := d.change(t, http.MethodPut, "/"+three); status != http.StatusCreated {
		t.Fatalf("PUT answered %d", status)
	}
	d.kill()
	d = start(t, binary(t), dir, "run")
	if status := d.change(t, http.MethodPut, "/"+three); status != http.StatusNoContent {
		t.Errorf("PUT of a key that is there answered %d: it was not stored", status)
	}
	api.knows(t, three, "seq_1_label_created.json")
	api.settled(t, three)

	// Delivered: told, and then polled no more, even by the next process.
	api.knows(t, one, "seq_4_delivered.json")
	toldWatch(t, hooks, seen, one, "updated", "DL")
	eventually(t, "the end of polls", func(int) bool {
		_, body := d.get(t, "/api/v1/sources/shipments/watches/"+one)
		return gjson.Get(body, "retired").Bool()
	}, 0)
	d.kill()
	api.settle()
	retired := api.count(one)
	d = start(t, binary(t), dir, "run")
	api.knows(t, one, "seq_2_in_transit.json")
	api.settled(t, two)

	if status := d.change(t, http.MethodDelete, "/"+three); status != http.StatusNoContent {
		t.Errorf("DELETE answered %d", status)
	}
	removed := api.count(three)
	if status := d.change(t, http.MethodDelete, "/"+two); status != http.StatusConflict {
		t.Errorf("DELETE of a configured key answered %d", status)
	}
	api.knows(t, three, "seq_2_in_transit.json")
	api.settled(t, two)
	if n := api.count(three) - removed; n > 1 { // one may have been under way
		t.Errorf("a key was asked for %d times after it was removed", n)
	}
	if n := api.count(one) - retired; n > 0 {
		t.Errorf("a key was asked for %d times after it was retired", n)
	}
	_, body := d.get(t, "/api/v1/sources/shipments/watches")
	var list struct {
		Keys []struct {
			Key     string
			From    []string
			Retired bool
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Keys) != 2 || !list.Keys[0].Retired || !slices.Equal(list.Keys[1].From, []string{"config"}) {
		t.Errorf("the keys are %s", body)
	}
	ids := map[string]string{} // one whose receipt was not stored before a kill comes again
	for _, a := range hooks.attempts() {
		ids[a.ID] = string(a.Body)
	}
	if len(ids) != 3 {
		t.Errorf("told: %q, want 3 events", ids)
	}
}

// settle lets a request end whose poller was killed.
func (tr *tracker) settle() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
}

// fresh is the next webhook that is not among those seen: one whose receipt was
// not stored before a kill comes again.
func (r *receiver) fresh(tb testing.TB, seen map[string]bool) delivery {
	tb.Helper()
	for {
		if d := r.next(tb); !seen[d.ID] {
			seen[d.ID] = true
			return d
		}
	}
}

// toldWatch holds that the next webhook is of a number.
func toldWatch(t *testing.T, hooks *receiver, seen map[string]bool, number, change, status string) {
	t.Helper()
	d := hooks.fresh(t, seen)
	watch := gjson.GetBytes(d.Body, "data.watch").Str
	if watch != number || d.Data.Change != change || d.Data.New["status"] != status {
		t.Errorf("told: %s, want %s %s %s", d.Body, number, change, status)
	}
}
