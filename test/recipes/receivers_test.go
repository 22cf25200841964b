package recipes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"github.com/deltahook/deltahook/test/loopback"
)

// receivers are the plays of recipes that show a receiver: to one that refuses
// and answers as the real one does, by the pages in docs/receivers.
var receivers = map[string]play{
	"slack": {
		env:      []string{"STATUSPAGE_URL=API", "SLACK_URL=HOOK"},
		receiver: slack,
		steps: []step{
			{answer: recorded("statuspage/seq_1_ok.json")},
			{answer: recorded("statuspage/seq_2_incident.json"), told: []string{"incident.opened | investigating: API errors"}},
			{answer: recorded("statuspage/seq_3_incident_update.json"), told: []string{"incident.moved | identified: API errors"}},
			{answer: recorded("statuspage/seq_4_resolved_incident_vanishes.json")},
			{answer: recorded("statuspage/seq_4_resolved_incident_vanishes.json"), told: []string{"incident.resolved | resolved: API errors"}},
		},
	},
	"discord": {
		env:      []string{"FEED_URL=API/feed.xml", "DISCORD_URL=HOOK"},
		receiver: discord,
		steps: []step{
			{answer: recordedAs("application/rss+xml", "feeds/rss_seq_1.xml")},
			{answer: recordedAs("application/rss+xml", "feeds/rss_seq_1b_noise.xml")},
			{answer: recordedAs("application/rss+xml", "feeds/rss_seq_2_new_and_edited.xml"), told: []string{"Slow search API/feed.xml"}},
			{
				answer: recordedAs("application/rss+xml", "feeds/rss_seq_2_new_and_edited.xml", ">inc-2<", ">inc-3<", "<title>", "<title>"+strings.Repeat("ö@everyone ", 30)),
				told:   []string{string([]rune(strings.Repeat("ö@everyone ", 30))[:40]) + " API/feed.xml"},
			},
		},
	},
	"teams": {
		env:      []string{"NWS_URL=API", "NWS_CONTACT=ops@example.com", "NWS_AREA=AL", "TEAMS_URL=HOOK?sp=%2Ftriggers%2fmanual&sig=a-b_C~"},
		refuse:   all(header("User-Agent", "deltahook (ops@example.com)"), query("area=AL"), path("/alerts/active")),
		receiver: teams,
		steps: []step{
			{answer: recorded("nws_alerts/seq_3_expired_vanishes.json")},
			{answer: recorded("nws_alerts/seq_1_new.json"), told: []string{
				"Flash Flood Warning | Flash Flood Warning issued July 15 at 2:00PM MDT until July 15 at 3:15PM MDT by NWS Pueblo CO | Chaffee, CO, until 2026-07-15T21:14:15+00:00",
			}},
			{answer: recorded("nws_alerts/seq_1_new.json", `"Severe"`, `"Minor"`, nwsFirst, "urn:minor")}, // not severe
		},
	},
	"zapier": {
		env:      []string{"USGS_URL=API", "ZAPIER_URL=HOOK"},
		refuse:   path("/earthquakes/feed/v1.0/summary/all_hour.geojson"),
		receiver: zapier,
		steps: []step{
			{answer: quakes(quake("a", "4.5"), quake("b", "4.4"))},
			{answer: quakes(quake("c", "null"), quake("a", "4.6"), quake("b", "4.4"))},
			{answer: quakes(quake("d", "6.1"), quake("c", "4.5")), told: []string{
				`at:2020-09-13T12:26:40Z magnitude:4.5 place:10 km N of c quake:c url:https://x.example/c`,
				`at:2020-09-13T12:26:40Z magnitude:6.1 place:10 km N of d quake:d url:https://x.example/d`,
			}},
			{answer: quakes(quake("d", "6.2"), quake("c", "4.6"))},
		},
	},
}

// chat is a receiver that refuses the first message as it would refuse one too
// many, and answers the others as it does. said gives a line of what it was
// sent, or why it would not take it.
func chat(t *testing.T, busy, taken http.HandlerFunc, said func(r *http.Request, body []byte) (line, wrong string)) (string, <-chan string) {
	t.Helper()
	got := make(chan string, 1000)
	var asked atomic.Int32
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if asked.Add(1) == 1 {
			busy(w, r)
			return
		}
		line, wrong := said(r, body)
		if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			wrong = "no POST of JSON"
		}
		if wrong != "" {
			t.Errorf("%s: %s", wrong, body)
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		taken(w, r)
		got <- line
	})
	t.Cleanup(server.Close)
	return server.URL + "/hidden-path", got
}

// slack takes a text and blocks of its kinds, and says ok.
func slack(t *testing.T) (string, <-chan string) {
	t.Helper()
	type text struct{ Type, Text string }
	return chat(t, reply(http.StatusTooManyRequests, "text/plain", "rate_limited", "Retry-After", "1"), reply(http.StatusOK, "text/html", "ok"),
		func(_ *http.Request, body []byte) (string, string) {
			var m struct {
				Text   string
				Blocks []struct {
					Type     string
					Text     text
					Elements []text
				}
			}
			if err := json.Unmarshal(body, &m); err != nil || m.Text == "" || len(m.Blocks) != 2 || m.Blocks[0].Type != "section" || m.Blocks[1].Type != "context" {
				return "", fmt.Sprintf("no text, or not these blocks (%v)", err)
			}
			for _, one := range append(m.Blocks[1].Elements, m.Blocks[0].Text) {
				if one.Type != "plain_text" && one.Type != "mrkdwn" || one.Text == "" || len(one.Text) > 3000 {
					return "", "a text that Slack would refuse"
				}
			}
			if link := m.Blocks[1].Elements[1].Text; !strings.HasPrefix(link, "<https://") || !strings.HasSuffix(link, "|details>") {
				return "", "no link"
			}
			return m.Text + " | " + m.Blocks[0].Text.Text, ""
		})
}

// discord takes embeds within its limits that mention nobody.
func discord(t *testing.T) (string, <-chan string) {
	t.Helper()
	return chat(t, reply(http.StatusTooManyRequests, "application/json", `{"message":"You are being rate limited.","retry_after":0.4,"global":false}`, "Retry-After", "1"),
		reply(http.StatusOK, "application/json", `{"id":"1","type":0}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset-After", "0.2"),
		func(r *http.Request, body []byte) (string, string) {
			var m struct {
				Content  string
				Embeds   []struct{ Title, URL string }
				Mentions struct{ Parse []string } `json:"allowed_mentions"`
			}
			err := json.Unmarshal(body, &m)
			switch {
			case err != nil || r.URL.Query().Get("wait") != "true":
				return "", fmt.Sprintf("no wait, or no JSON (%v)", err)
			case len(m.Embeds) != 1 || m.Embeds[0].Title == "" || len(utf16.Encode([]rune(m.Embeds[0].Title))) > 256:
				return "", "no title, or one that is too long"
			case m.Mentions.Parse == nil || len(m.Mentions.Parse) > 0:
				return "", "it might mention somebody"
			}
			if link, err := url.Parse(m.Embeds[0].URL); err != nil || link.Host == "" {
				return "", "no link"
			}
			return fmt.Sprintf("%.40s %s", m.Embeds[0].Title, m.Embeds[0].URL), ""
		})
}

// teams takes messages with a card, of 28 KB at most; a refusal is in the text
// of a good status.
func teams(t *testing.T) (string, <-chan string) {
	t.Helper()
	return chat(t, reply(http.StatusOK, "text/plain", "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x"),
		reply(http.StatusAccepted, "text/plain", ""),
		func(r *http.Request, body []byte) (string, string) {
			var m struct {
				Type        string
				Attachments []struct {
					ContentType string
					Content     struct {
						Type, Version string
						Body          []struct {
							Type    string
							Inlines []struct{ Type, Text string }
						}
					}
				}
			}
			err := json.Unmarshal(body, &m)
			switch {
			case r.URL.RawQuery != "sp=%2Ftriggers%2fmanual&sig=a-b_C~":
				return "", "the query is " + r.URL.RawQuery
			case err != nil || len(body) > 28*1024 || m.Type != "message" || len(m.Attachments) != 1:
				return "", fmt.Sprintf("no message (%v)", err)
			}
			a := m.Attachments[0]
			if a.ContentType != "application/vnd.microsoft.card.adaptive" || a.Content.Type != "AdaptiveCard" || a.Content.Version != "1.4" {
				return "", "no card"
			}
			var lines []string
			for _, b := range a.Content.Body {
				for _, run := range b.Inlines {
					if b.Type != "RichTextBlock" || run.Type != "TextRun" {
						return "", "a block in which Markdown is read"
					}
					lines = append(lines, run.Text)
				}
			}
			return strings.Join(lines, " | "), ""
		})
}

// zapier takes any object, and names the request.
func zapier(t *testing.T) (string, <-chan string) {
	t.Helper()
	return chat(t, reply(http.StatusTooManyRequests, "application/json", `{"status":"error"}`, "Retry-After", "1"),
		reply(http.StatusOK, "application/json", `{"attempt":"1","id":"1","request_id":"1","status":"success"}`),
		func(_ *http.Request, body []byte) (string, string) {
			var m map[string]any
			if err := json.Unmarshal(body, &m); err != nil || !strings.HasPrefix(fmt.Sprint(m["id"]), "evt_") {
				return "", fmt.Sprintf("no object with an id (%v)", err)
			}
			var line []string
			for _, name := range []string{"at", "magnitude", "place", "quake", "url"} {
				line = append(line, fmt.Sprintf("%s:%v", name, m[name]))
			}
			return strings.Join(line, " "), ""
		})
}

// `deltahook send` posts what they take too, though a test event has none of
// the fields that a payload names.
func TestSend(t *testing.T) {
	t.Parallel()
	for recipe, p := range receivers {
		t.Run(recipe, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			hook, _ := p.receiver(t)
			env := []string{"STATUSPAGE_URL=https://status.example", "FEED_URL=https://feed.example/x", "NWS_CONTACT=x", "NWS_AREA=KS"}
			for _, v := range p.env {
				if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(value, "HOOK") {
					env = append(env, name+"="+hook+strings.TrimPrefix(value, "HOOK"))
				}
			}
			_, text, _ := deltahook(t, dir, env, "init", recipe, "-o", "-")
			text += "\negress: {endpoints: {allow: [127.0.0.0/8]}}\n"
			if err := os.WriteFile(filepath.Join(dir, "deltahook.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			endpoint := regexp.MustCompile(`(?m)^endpoints:\n  (\w+):`).FindStringSubmatch(text)[1]
			if status, out, log := deltahook(t, dir, env, "send", endpoint); status == 0 {
				t.Errorf("it was refused, and not told: %s%s", out, log)
			}
			if status, out, log := deltahook(t, dir, env, "send", endpoint); status != 0 {
				t.Errorf("status %d: %s%s", status, out, log)
			}
		})
	}
}

func quake(id, magnitude string) string {
	return fmt.Sprintf(`{"id":%q,"properties":{"mag":%s,"place":"10 km N of %[1]s","time":1600000000000,"url":"https://x.example/%[1]s"}}`, id, magnitude)
}

func quakes(all ...string) answer {
	return ok(`{"features":[` + strings.Join(all, ",") + `]}`)
}
