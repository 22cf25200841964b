package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deltahook/deltahook/test/loopback"
)

// A secret is exchanged as docs/delivery.md says: both sign for a while, each
// by itself enough for a receiver that knows only that one; then the new one
// alone, which serves what has waited under the same id.
func TestSecretIsRotated(t *testing.T) {
	t.Parallel()
	const before, after = whsec, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	type arrival struct {
		id         string
		byOld      bool
		byNew      bool
		signatures int
	}
	arrivals := make(chan arrival, 1000)
	var taking atomic.Bool
	verifies := func(secret string, body []byte, h http.Header) bool {
		w, err := standardwebhooks.NewWebhook(secret)
		return err == nil && w.Verify(body, h) == nil
	}
	shop := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !taking.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		arrivals <- arrival{
			r.Header.Get("webhook-id"), verifies(before, body, r.Header), verifies(after, body, r.Header),
			len(strings.Fields(r.Header.Get("webhook-signature"))),
		}
	})
	t.Cleanup(shop.Close)
	url, set, _ := values(t, `{"v":1}`)
	dir := t.TempDir()
	daemon := func(secrets string) *process {
		write(t, dir, "deltahook.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
endpoints: {shop: {url: "%s", secrets: [%s], retry: {schedule: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
sources:%s`, shop.URL, secrets, oneSource(url, "@every 1s")))
		return start(t, binary(t), dir, "run")
	}
	expect := func(want arrival) (id string) {
		t.Helper()
		got := <-arrivals
		id, got.id = got.id, ""
		if got != want {
			t.Errorf("a webhook is %+v, want %+v", got, want)
		}
		return id
	}

	d := daemon(before)
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	first := expect(arrival{byOld: true, signatures: 1})
	d.stop(t)

	d = daemon(after + ", " + before)
	for len(arrivals) > 0 { // of the daemon before
		<-arrivals
	}
	if id := expect(arrival{byOld: true, byNew: true, signatures: 2}); id != first {
		t.Errorf("the id of what waits became %s, not %s", id, first)
	}
	d.stop(t)
	for len(arrivals) > 0 {
		<-arrivals
	}

	taking.Store(true)
	d = daemon(after)
	if id := expect(arrival{byNew: true, signatures: 1}); id != first {
		t.Errorf("the id of what waits became %s, not %s", id, first)
	}
	set(`{"v":3}`)
	if id := expect(arrival{byNew: true, signatures: 1}); id == first {
		t.Error("the first event arrived twice")
	}
	d.stop(t)
}
