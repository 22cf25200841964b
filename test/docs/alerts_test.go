package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// ownTypes are Deltahook's own events.
var ownTypes = []string{
	differ.TypeSourceFailing, differ.TypeSourceStale, differ.TypeSourceRecovered, differ.TypeQuiet, differ.TypeActive, differ.TypeHeld,
	differ.TypeFailing, differ.TypeEndpointFailing, differ.TypeEndpointPaused, differ.TypeEndpointRecovered, differ.TypeAuthExpired,
}

// heard renders events in the format standard, and keeps the first of each
// type.
type heard struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

func (h *heard) Render(e *differ.Event, _ string) ([]byte, error) {
	body, err := emitter.RenderStandard(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Data != nil && h.bodies[e.Type] == nil {
		h.bodies[e.Type] = body
	}
	return body, err
}

// TestAlertsAreAsShown has each event of docs/alerts.md told, and compares the
// names and the kinds of what it says, in their order.
func TestAlertsAreAsShown(t *testing.T) {
	shown := map[string][]byte{}
	page := read(t, filepath.Join(root, "docs/alerts.md"))
	for _, b := range cut(t, "docs/alerts.md", page) {
		if b.lang == "json" {
			var e struct{ Type string }
			if err := json.Unmarshal([]byte(b.text), &e); err != nil {
				t.Fatal(err)
			}
			shown[e.Type] = []byte(b.text)
		}
	}
	told := tellAll(t)
	for _, kind := range ownTypes {
		if diff := cmp.Diff(members(shown[kind]), members(told[kind])); diff != "" {
			t.Errorf("%s (-shown +told):\n%s%s", kind, diff, told[kind])
		}
	}
	if len(shown) != len(ownTypes) || len(told) != len(ownTypes) {
		t.Errorf("%d are shown and %d were told of %d", len(shown), len(told), len(ownTypes))
	}
	chat, err := emitter.NewEndpoint("ops", emitter.Settings{URL: "https://x.example/", Format: "slack"}, emitter.EndpointOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var failing struct{ Data json.RawMessage }
	if err := json.Unmarshal(shown[differ.TypeSourceFailing], &failing); err != nil {
		t.Fatal(err)
	}
	payload, err := chat.Render(&differ.Event{Type: differ.TypeSourceFailing, Source: "orders", Data: failing.Data})
	var text struct{ Text string }
	if err != nil || json.Unmarshal(payload, &text) != nil || !strings.Contains(page, "```text\n"+text.Text+"\n```") {
		t.Errorf("a chat gets %s, %v", payload, err)
	}
}

// member is a name in a JSON document and what its value begins with.
var member = regexp.MustCompile(`"([a-z_]+)":\s*(\S)`)

// members are the names in a JSON document with the kinds of their values.
func members(body []byte) (all []string) {
	for _, m := range member.FindAllSubmatch(body, -1) {
		kind := string(m[2])
		if kind >= "0" && kind <= "9" {
			kind = "0"
		}
		all = append(all, string(m[1])+": "+kind)
	}
	return all
}

// tellAll is the first event of each type.
func tellAll(t *testing.T) map[string][]byte {
	t.Helper()
	h := &heard{bodies: map[string][]byte{}}
	synctest.Test(t, func(t *testing.T) {
		list := differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}
		rule := ordered.Map[differ.RuleSettings]{{Key: "order.large", Value: differ.RuleSettings{When: "new.n > 1"}}}
		source, err := differ.NewSource("orders", differ.Settings{
			Events: rule, Changes: differ.ChangeSettings{ConfirmDeletes: 1, ExpectWithin: units.Duration(time.Hour)},
		}, list, []string{"shop", "ops"})
		if err != nil {
			t.Fatal(err)
		}
		d := differ.New([]*differ.Source{source}, mem.New(), h, differ.Options{
			Alerts: []string{"ops"}, FailingAfter: 3, StaleAfter: 24 * time.Hour,
		})
		if _, err := d.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = d.Run(ctx) })
		take := func(items ...string) {
			body := `{"items":[` + strings.Join(items, ",") + `]}`
			if err := d.Take(t.Context(), &poller.Answer{Source: "orders", Received: time.Now(), Pages: [][]byte{[]byte(body)}}); err != nil {
				t.Fatal(err)
			}
		}
		var items []string
		for i := range 20 {
			items = append(items, fmt.Sprintf(`{"id":"id-%d","n":0}`, i))
		}
		take(items...)
		take()                                                   // held
		take(append(items, `{"id":"id-20","n":"no number"}`)...) // the rule
		time.Sleep(2 * time.Hour)                                // quiet
		take(items[1:]...)
		since := time.Now()
		end1 := poller.End{Source: "orders", At: since, Since: since, Failures: 3, Failure: poller.Failf(poller.ClassStatus, "status 503 Service Unavailable")}
		d.Polled(end1)
		time.Sleep(25 * time.Hour)
		d.Polled(poller.End{Source: "orders", At: time.Now()})
		for _, c := range []differ.EndpointCondition{differ.EndpointFailing, differ.EndpointPaused, differ.EndpointOK} {
			health := differ.EndpointHealth{Endpoint: "shop", Condition: c, Since: since, Reason: "the receiver answered 503 Service Unavailable", Waiting: 42}
			if c == differ.EndpointPaused {
				health.Cause = "outage"
			}
			d.EndpointIs(health)
			synctest.Wait()
		}
		d.AccessIs(differ.Access{Auth: "fedex", Sources: []string{"orders"}, Setting: "auth.fedex.oauth2.refresh_token", Expired: true})
		synctest.Wait()
		end()
		run.Wait()
	})
	return h.bodies
}
