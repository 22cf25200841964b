package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// said is a receiver's answer.
type said struct {
	status int
	body   string
	header map[string]string
}

// heard is one attempt as a receiver got it.
type heard struct {
	at     time.Time
	uri    string
	header http.Header
	body   string
}

// chats is a server with a receiver at each path: each answers by its script,
// and by the script's last answer from then on.
type chats struct {
	URL     string
	scripts map[string][]said

	mu  sync.Mutex
	got map[string][]heard
}

func newChats(tb testing.TB, scripts map[string][]said) *chats {
	tb.Helper()
	c := &chats{scripts: scripts, got: map[string][]heard{}}
	server := loopback.NewServer(tb, func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		name := strings.Trim(r.URL.Path, "/")
		c.mu.Lock()
		n := len(c.got[name])
		c.got[name] = append(c.got[name], heard{time.Now(), r.RequestURI, r.Header.Clone(), string(text)})
		c.mu.Unlock()
		script := c.scripts[name]
		if len(script) == 0 {
			tb.Errorf("something came to %s", r.RequestURI)
			return
		}
		answer := script[min(n, len(script)-1)]
		for k, v := range answer.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	})
	tb.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// at is what came to a receiver.
func (c *chats) at(name string) []heard {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]heard(nil), c.got[name]...)
}

// configured is a configuration of one source, the list at url, whose events go
// to the receivers.
func (c *chats) configured(url string, settings map[string]string) string {
	return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
egress: {endpoints: {allow: [127.0.0.0/8]}}
sources:
  s:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response: {items: "@this", id: id}
endpoints:
%s`, url, c.endpoints(settings))
}

// endpoints are the receivers as the configuration has them; settings are by
// name.
func (c *chats) endpoints(settings map[string]string) string {
	var b strings.Builder
	for name, s := range settings {
		path := name
		if strings.HasPrefix(s, "?") {
			query, rest, _ := strings.Cut(s, " ")
			path, s = name+query, rest
		}
		if !strings.Contains(s, "retry:") {
			s += ", retry: {schedule: [1s, 1s, 1s]}"
		}
		fmt.Fprintf(&b, "  %s: {url: \"%s/%s\", %s}\n", name, c.URL, path, s)
	}
	return b.String()
}

// Each kind of receiver, as it behaves: what it is sent, by which answers an
// event has arrived, and what each other answer does (events.md, "Chat and
// automation receivers").
func TestReceivers(t *testing.T) {
	t.Parallel()
	const limit = `{"message": "You are being rate limited.", "retry_after": 2.35, "global": false}`
	usedUp := map[string]string{"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "2.5"}
	c := newChats(t, map[string][]said{
		"slack":          {{200, "no_text", nil}, {200, "ok", nil}},
		"slack-gone":     {{410, "channel_is_archived", nil}},
		"discord":        {{429, limit, nil}, {204, "", nil}},
		"discord-used":   {{200, "{}", usedUp}, {200, "{}", nil}},
		"teams":          {{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x", nil}, {202, "", nil}},
		"zapier":         {{201, "", nil}, {200, `{"status":"success"}`, nil}},
		"zapier-gone":    {{410, "", nil}},
		"events":         {{503, "", map[string]string{"Retry-After": "1"}}, {204, "", nil}},
		"events-binary":  {{500, "", nil}, {200, "", nil}},
		"custom":         {{202, "", nil}},
		"github":         {{200, "", nil}},
		"slack-400":      {{400, "invalid_payload", nil}},
		"slack-403":      {{403, "action_prohibited", nil}},
		"slack-404":      {{404, "no_service", nil}},
		"discord-401":    {{401, "", usedUp}},
		"discord-403":    {{403, "", nil}},
		"discord-404":    {{404, `{"message": "Unknown Webhook", "code": 10015}`, usedUp}},
		"teams-400":      {{400, "", nil}},
		"teams-404":      {{404, "", nil}},
		"teams-gone":     {{410, "", nil}},
		"custom-failing": nil,
	})
	url, set, _ := values(t, `[{"id":"a","v":1},{"id":"b","v":1}]`)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", c.configured(url, map[string]string{
		"slack":          "format: slack",
		"slack-gone":     "format: slack",
		"slack-400":      "format: slack",
		"slack-403":      "format: slack, retry: {permanent: []}",
		"slack-404":      "format: slack",
		"discord":        "?thread_id=7 format: discord",
		"discord-used":   "format: discord, concurrency: 1",
		"discord-401":    "format: discord",
		"discord-403":    "format: discord",
		"discord-404":    "format: discord",
		"teams":          "?sp=%2Ftriggers%2fmanual&sig=a-b_C~ format: teams",
		"teams-400":      "format: teams",
		"teams-404":      "format: teams",
		"teams-gone":     "format: teams",
		"zapier":         "format: zapier",
		"zapier-gone":    "format: zapier",
		"events":         "format: cloudevents, secrets: [" + whsec + "]",
		"events-binary":  "format: cloudevents_binary, signature: none",
		"github":         "signature: github, secrets: [key]",
		"custom":         `signature: none, format: custom, json: {text: "{{ key }}: {{ old.v }} → {{ new.v }} & <b>", n: "{{ revision }}", whole: "{{ item }}"}`,
		"custom-failing": `signature: none, format: custom, json: {text: "{{ new.v + new.id }}"}`,
	}))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`[{"id":"a","v":2},{"id":"b","v":2}]`)

	const waiting, dead = "deltahook_deliveries_waiting", "deltahook_dead_letters"
	for _, e := range []struct {
		name                 string
		waiting, dead, tries int // of two events
	}{
		{"slack", 0, 0, 3}, {"discord", 0, 0, 3}, {"discord-used", 0, 0, 2}, {"teams", 0, 0, 3}, {"zapier", 0, 0, 3},
		{"events", 0, 0, 3}, {"events-binary", 0, 0, 3}, {"custom", 0, 0, 2}, {"github", 0, 0, 2}, {"custom-failing", 0, 2, 0},
		{"slack-400", 0, 2, 2}, {"slack-403", 0, 2, 2}, {"slack-404", 0, 2, 2}, {"slack-gone", 2, 0, 1},
		{"discord-401", 0, 2, 2}, {"discord-403", 0, 2, 2}, {"discord-404", 0, 2, 2},
		{"teams-400", 0, 2, 2}, {"teams-404", 0, 2, 2}, {"teams-gone", 2, 0, 1}, {"zapier-gone", 2, 0, 1},
	} {
		label := `endpoint="` + e.name + `"`
		eventually(t, e.name+" has what it gets", func(int) bool {
			return d.metric(t, waiting, label) == float64(e.waiting) && d.metric(t, dead, label) == float64(e.dead) &&
				d.metric(t, "deltahook_attempts_total", label) >= float64(e.tries)
		}, 0)
		// Where two go out at once, both may meet the first answer.
		if n := len(c.at(e.name)); e.tries > 0 && (n < e.tries || n > 4) || e.name == "custom-failing" && n > 0 {
			t.Errorf("%s was asked %d times, want %d", e.name, n, e.tries)
		}
		bodies, ids := map[string]bool{}, map[string]bool{}
		for _, h := range c.at(e.name) {
			bodies[h.body], ids[h.header.Get("webhook-id")] = true, true
		}
		if len(bodies) != len(ids) || e.tries > 1 && len(ids) != 2 {
			t.Errorf("%s: %d bodies under %d ids: an event's never changes", e.name, len(bodies), len(ids))
		}
	}
	if n := d.metric(t, "deltahook_payload_errors_total", `endpoint="custom-failing"`); n != 2 {
		t.Errorf("%v payloads could not be made, want 2", n)
	}
	d.says(t, d.stderr, `msg="a dead letter from the start" endpoint=custom-failing event=evt_\S+ source=s key=[ab]`)

	first := func(name, key string) heard {
		for _, h := range c.at(name) {
			if strings.Contains(h.body, `"`+key+`"`) || strings.Contains(h.body, key+" changed") || strings.Contains(h.body, key+": 1") {
				return h
			}
		}
		t.Fatalf("%s: nothing of %s in %+v", name, key, c.at(name))
		return heard{}
	}
	for name, want := range map[string]string{
		"slack":   `{"text":"*s.updated*\na changed in s\n• v: 1 → 2"}`,
		"discord": `{"content":"**s.updated**\na changed in s\n• v: 1 → 2","allowed_mentions":{"parse":[]}}`,
		"custom":  `{"n":1,"text":"a: 1 → 2 & <b>","whole":{"id":"a","v":2}}`,
	} {
		if got := first(name, "a").body; got != want {
			t.Errorf("%s was sent %s, want %s", name, got, want)
		}
	}
	if h := first("teams", "a"); h.uri != "/teams?sp=%2Ftriggers%2fmanual&sig=a-b_C~" || !strings.Contains(h.body, `"text":"1 → 2"`) || !strings.Contains(h.body, `"type":"AdaptiveCard"`) {
		t.Errorf("teams was sent %s %s", h.uri, h.body)
	}
	if h := first("discord", "a"); h.uri != "/discord?thread_id=7&wait=true" {
		t.Errorf("discord was asked at %s", h.uri)
	}
	if h := first("github", "a"); !strings.HasPrefix(h.header.Get("X-Hub-Signature-256"), "sha256=") || h.header.Get("Webhook-Signature") != "" {
		t.Errorf("github: %v", h.header)
	}
	var flat struct {
		ID, Type, Source, Key, Change string
		Revision                      int
		New, Old                      map[string]any
	}
	h := first("zapier", "a")
	if err := json.Unmarshal([]byte(h.body), &flat); err != nil || flat.ID != h.header.Get("webhook-id") || flat.Type != "s.updated" || flat.Source != "s" ||
		flat.Key != "a" || flat.Change != "updated" || flat.Revision != 1 || flat.New["v"] != 2.0 || flat.Old["v"] != 1.0 {
		t.Errorf("zapier: %v %s", err, h.body)
	}
	checkCloudEvents(t, c)

	// Limits are kept to. Slack's two are sent a second apart, and may arrive
	// closer; the others wait for an answer.
	for name, least := range map[string]time.Duration{"slack": 500 * time.Millisecond, "discord": 2350 * time.Millisecond, "discord-used": 2500 * time.Millisecond} {
		all := c.at(name)
		i := 1
		if name == "discord" {
			i = len(all) - 1 // two went out before the first was answered
		}
		if gap := all[i].at.Sub(all[0].at); gap < least {
			t.Errorf("%s was asked again after %s, want %s at least", name, gap, least)
		}
	}
	d.stop(t)
}

// checkCloudEvents compares the events of both modes, and of all attempts.
func checkCloudEvents(t *testing.T, c *chats) {
	t.Helper()
	type context struct {
		SpecVersion, ID, Source, Type, Subject, Time string
		DataContentType                              string
		Data                                         json.RawMessage
	}
	bySubject := map[string]context{}
	for _, h := range c.at("events") {
		var e context
		if err := json.Unmarshal([]byte(h.body), &e); err != nil {
			t.Fatalf("%v: %s", err, h.body)
		}
		if got := h.header.Get("Content-Type"); got != "application/cloudevents+json; charset=UTF-8" || h.header.Get("Webhook-Signature") == "" {
			t.Errorf("content type %s, headers %v", got, h.header)
		}
		bySubject[e.Subject] = e
	}
	for _, h := range c.at("events-binary") {
		get := func(name string) string { return h.header.Get("Ce-" + name) }
		e := context{
			SpecVersion: get("specversion"), ID: get("id"), Source: get("source"), Type: get("type"), Subject: get("subject"), Time: get("time"),
			DataContentType: h.header.Get("Content-Type"), Data: json.RawMessage(h.body),
		}
		other := bySubject[e.Subject]
		if fmt.Sprint(e) != fmt.Sprint(other) || e.Source != "/sources/s" || e.SpecVersion != "1.0" || e.Type != "s.updated" {
			t.Errorf("binary %+v\nstructured %+v", e, other)
		}
	}
}
