package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/test/loopback"
)

// desk is a shop's API: a list of orders, and what is known of each parcel.
type desk struct {
	URL string

	mu      sync.Mutex
	orders  map[string]string // by id: carrier and parcel, "fedex 123"
	parcels map[string]string // by number: status
	asked   map[string]int    // of orders, and of each parcel
}

func newDesk(tb testing.TB) *desk {
	tb.Helper()
	d := &desk{orders: map[string]string{}, parcels: map[string]string{}, asked: map[string]int{}}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		number, parcel := strings.CutPrefix(r.URL.Path, "/parcels/")
		if parcel {
			d.asked[number]++
			fmt.Fprintf(w, `{"number":%q,"status":%q}`, number, d.parcels[number])
			return
		}
		d.asked["orders"]++
		var list []string
		for id, text := range d.orders {
			carrier, number, _ := strings.Cut(text, " ")
			list = append(list, fmt.Sprintf(`{"id":%q,"carrier":%q,"shipment":{"number":%q}}`, id, carrier, number))
		}
		fmt.Fprintf(w, `{"orders":[%s]}`, strings.Join(list, ","))
	})
	tb.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

func (d *desk) set(m map[string]string, key, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if value == "" {
		delete(m, key)
		return
	}
	m[key] = value
}

func (d *desk) count(of string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[of]
}

// settled waits until what was set before has been taken in.
func (d *desk) settled(tb testing.TB, of string) {
	tb.Helper()
	eventually(tb, "polls of "+of, func(n int) bool { return d.count(of) >= n+2 }, d.count(of))
}

const ordersAndParcels = `
  orders:
    schedule: "@every 1s"
    request: {url: "%[1]s/orders"}
    response:
      items: orders
      id: id
      pick: {carrier: carrier, tracking_number: shipment.number}
    changes: {confirm_deletes: 1}
    events: {order.any: {when: "false"}}
  parcels:
    schedule: "@every 1s"
    request: {url: "%[1]s/parcels/{{ key }}"}
    watch:
      from: {source: orders, path: tracking_number, when: 'new.carrier == "fedex"'}
      until: new.status == "DL"
    response: {pick: {status: status}}
`

// watched gives the watch keys of parcels: "NUMBER" or "NUMBER retired".
func (p *process) watched(tb testing.TB) (keys []string) {
	tb.Helper()
	_, body := p.get(tb, "/api/v1/sources/parcels/watches")
	for _, k := range gjson.Get(body, "keys").Array() {
		text := k.Get("key").Str
		if k.Get("retired").Bool() {
			text += " retired"
		}
		keys = append(keys, text)
	}
	return keys
}

// TestWatchFrom: an order appears, its parcel is polled; it is delivered, and
// polled no more; the order is archived, and the parcel is forgotten. The
// program is killed between each two steps, and all of it goes on.
func TestWatchFrom(t *testing.T) {
	t.Parallel()
	api, hooks, dir := newDesk(t), newReceiver(t, nil), t.TempDir()
	seen := map[string]bool{}
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(ordersAndParcels, api.URL)))
	p := start(t, binary(t), dir, "run")
	again := func() {
		t.Helper()
		p.kill()
		p = start(t, binary(t), dir, "run")
	}
	keys := func(want ...string) {
		t.Helper()
		var got []string
		eventually(t, fmt.Sprintf("the keys %q", want), func(int) bool {
			got = p.watched(t)
			return slices.Equal(got, want)
		}, 0)
	}
	api.settled(t, "orders")
	keys()

	api.set(api.parcels, "f1", "IT")
	api.set(api.orders, "o1", "fedex f1")
	api.set(api.orders, "o2", "fedex f1") // in two boxes of one shipment
	api.set(api.orders, "o3", "ups u1")
	keys("f1")
	again()
	keys("f1")
	api.settled(t, "f1")
	api.set(api.orders, "o2", "fedex f2") // and one of its own
	keys("f1", "f2")
	again()

	api.set(api.parcels, "f1", "DL")
	if told := line(t, hooks.fresh(t, seen)); told != `parcels.updated f1 1 {"status":"IT"} -> {"status":"DL"}` {
		t.Errorf("told is %s", told)
	}
	keys("f1 retired", "f2")
	again()
	keys("f1 retired", "f2")
	polls := api.count("f1")
	api.settled(t, "f2")
	if n := api.count("f1"); n > polls+1 { // one may have come from the program that was killed
		t.Errorf("f1 was asked for %d times after it was delivered", n-polls)
	}

	// Archived while nobody looks: the next process finds out, and forgets.
	p.kill()
	api.set(api.orders, "o1", "")
	p = start(t, binary(t), dir, "run")
	keys("f2")
	again()
	keys("f2")

	// Put anew, it begins with a silent baseline.
	api.set(api.parcels, "f1", "XX")
	api.set(api.orders, "o4", "fedex f1")
	keys("f1", "f2")
	api.settled(t, "f1")
	api.set(api.parcels, "f1", "IT")
	if told := line(t, hooks.fresh(t, seen)); told != `parcels.updated f1 1 {"status":"XX"} -> {"status":"IT"}` {
		t.Errorf("told is %s", told)
	}
	if n := api.count("u1"); n > 0 {
		t.Errorf("the parcel of another carrier was asked for %d times", n)
	}
	p.stop(t)
}

// TestPollOfAWatchSource asks for a key that only the daemon, or the store,
// knows, or for the one that is given.
func TestPollOfAWatchSource(t *testing.T) {
	t.Parallel()
	api, hooks, dir := newDesk(t), newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, fmt.Sprintf(ordersAndParcels, api.URL)))
	poll := func(want string, args ...string) {
		t.Helper()
		status, stdout, stderr := deltahook(t, dir, append([]string{"poll", "parcels"}, args...)...)
		if !strings.Contains(stdout+stderr, want) || (status == 0) != strings.HasPrefix(want, "Request") {
			t.Errorf("poll %q ended with %d, want %q:\n%s%s", args, status, want, stdout, stderr)
		}
	}
	poll("no watch key of source parcels is known: give one with --watch")
	poll("Request   GET "+api.URL+"/parcels/a%2Fb", "--watch", "a/b")
	poll("--watch: a key must be UTF-8", "--watch", "a\x07b")
	api.set(api.orders, "o1", "fedex f1")
	p := start(t, binary(t), dir, "run")
	eventually(t, "a key", func(int) bool { return len(p.watched(t)) > 0 }, 0)
	api.settled(t, "f1")
	poll("Request   GET " + api.URL + "/parcels/f1")
	p.stop(t)
	poll("Request   GET " + api.URL + "/parcels/f1")
	if status, _, stderr := deltahook(t, dir, "poll", "orders", "--watch", "f1"); status == 0 || !strings.Contains(stderr, "source orders has no watch keys") {
		t.Errorf("poll of a source without watch keys: %d, %s", status, stderr)
	}
}
