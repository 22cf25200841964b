package emitter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// rendered is the body of e in a format that needs nothing else.
func rendered(t testing.TB, format string, e *differ.Event) string {
	t.Helper()
	body, err := endpoint(t, emitter.Settings{URL: "https://shop.example/", Format: format}, emitter.EndpointOptions{}).Render(e)
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	if !json.Valid(body) {
		t.Errorf("%s: not JSON: %s", format, body)
	}
	return string(body)
}

// rich is an update that touches every shape of a value.
func rich() *differ.Event {
	e := event(differ.Updated)
	e.Key, e.Watch = "<b>&R_D*", "w1"
	e.Old = json.RawMessage(`{"status":"OD","at":{"city":"Köln","zip":1},"tags":["a","b"],"gone":1,"same":1.0,"note":null}`)
	e.New = json.RawMessage(`{"status":"<!channel> & @everyone","at":{"city":"Bonn","zip":1},"tags":["b"],"same":1,"note":"","a/b~c":true}`)
	e.Diff = differ.Diff(e.Old, e.New)
	return e
}

// Text in Slack's own markup has what the API says without any.
func TestSlackEscape(t *testing.T) {
	s := emitter.Settings{URL: "https://shop.example/", Format: "slack", JSON: map[string]any{
		"text": "*{{ escape(new.status) }}* {{ escape(new.gone) }}{{ escape(new.price) }} {{ escape(new.tags) }}",
	}}
	e := event(differ.Created)
	e.New = json.RawMessage(`{"status":"<!channel> & <b>","price":1.10,"tags":["<a>"]}`)
	body, err := endpoint(t, s, emitter.EndpointOptions{}).Render(e)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Text string }
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if want := `*&lt;!channel&gt; &amp; &lt;b&gt;* 1.1 ["&lt;a&gt;"]`; got.Text != want {
		t.Errorf("text is %s, want %s", got.Text, want)
	}
	s.Format = "discord"
	s.JSON = map[string]any{"content": "{{ escape(key) }}"}
	if _, err := emitter.NewEndpoint("e", s, emitter.EndpointOptions{}); err == nil {
		t.Error("discord has it, too")
	}
}

func TestRenderFormats(t *testing.T) {
	const day = "2026-11-23T10:00:00.000Z"
	own := &differ.Event{
		ID: "evt_1", Type: "changes.held", Source: "shipments", Time: event(differ.Created).Time,
		Data: json.RawMessage(`{"source":"shipments","deletions":12}`),
	}
	for name, c := range map[string]struct {
		format string
		event  *differ.Event
		want   string
	}{
		"cloudevents": {"cloudevents", event(differ.Created),
			`{"specversion":"1.0","id":"evt_1","source":"/sources/shipments","type":"shipment.delivered","time":"` + day + `","subject":"2461234567~FX",` +
				`"datacontenttype":"application/json","data":{"source":"shipments","key":"2461234567~FX","change":"created","revision":7,"new":{"status":"DL","price":1.10},"old":null}}`},
		"cloudevents_binary": {"cloudevents_binary", event(differ.Deleted),
			`{"source":"shipments","key":"2461234567~FX","change":"deleted","revision":7,"new":null,"old":{"status":"OD","price":9007199254740993}}`},
		"zapier": {"zapier", event(differ.Updated),
			`{"id":"evt_1","type":"shipment.delivered","timestamp":"` + day + `","source":"shipments","key":"2461234567~FX","change":"updated","revision":7,` +
				`"new":{"status":"DL","price":1.10},"old":{"status":"OD","price":9007199254740993},"diff":[{"op":"replace","path":"/status","value":"DL"}]}`},
		"slack, created": {"slack", event(differ.Created),
			`{"text":"*shipment.delivered*\n2461234567~FX is new in shipments\n• status: DL\n• price: 1.10"}`},
		"slack, updated": {"slack", event(differ.Updated),
			`{"text":"*shipment.delivered*\n2461234567~FX changed in shipments\n• status: OD → DL"}`},
		"slack, deleted": {"slack", event(differ.Deleted),
			`{"text":"*shipment.delivered*\n2461234567~FX is gone from shipments\n• status: OD\n• price: 9007199254740993"}`},
		"slack, all shapes": {"slack", rich(),
			`{"text":"*shipment.delivered*\n&lt;b&gt;&amp;R_D* changed in shipments (w1)\n• status: OD → &lt;!channel&gt; &amp; @everyone\n• at.city: Köln → Bonn\n` +
				`• tags: [\"a\",\"b\"] → [\"b\"]\n• gone: 1 → none\n• note: none → \"\"\n• a/b~c: none → true"}`},
		"discord, all shapes": {"discord", rich(),
			`{"content":"**shipment.delivered**\n\\<b\\>&R\\_D\\* changed in shipments \\(w1\\)\n• status: OD → \\<!channel\\> & @everyone\n• at.city: Köln → Bonn\n` +
				`• tags: \\[\"a\",\"b\"\\] → \\[\"b\"\\]\n• gone: 1 → none\n• note: none → \"\"\n• a/b\\~c: none → true","allowed_mentions":{"parse":[]}}`},
		"teams": {"teams", event(differ.Updated),
			`{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json",` +
				`"type":"AdaptiveCard","version":"1.4","msteams":{"width":"Full"},"body":[` +
				`{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"shipment.delivered","size":"Large","weight":"Bolder"}]},` +
				`{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"2461234567~FX changed in shipments"}]},` +
				`{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":"status: ","weight":"Bolder"},{"type":"TextRun","text":"OD → DL"}]}]}}]}`},
		"own, standard":           {"standard", own, `{"type":"changes.held","timestamp":"` + day + `","data":{"source":"shipments","deletions":12}}`},
		"own, zapier":             {"zapier", own, `{"id":"evt_1","type":"changes.held","timestamp":"` + day + `","source":"shipments","deletions":12}`},
		"own, cloudevents_binary": {"cloudevents_binary", own, `{"source":"shipments","deletions":12}`},
		"own, cloudevents": {"cloudevents", own, `{"specversion":"1.0","id":"evt_1","source":"/sources/shipments","type":"changes.held","time":"` + day + `",` +
			`"datacontenttype":"application/json","data":{"source":"shipments","deletions":12}}`},
		"own, slack": {"slack", own, `{"text":"*changes.held*\nan answer of shipments is held: nothing of it is told until it is released or discarded\n• deletions: 12"}`},
	} {
		if diff := cmp.Diff(c.want, rendered(t, c.format, c.event)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// The events of a source that is one item say its name once.
func TestRenderOneItem(t *testing.T) {
	for change, want := range map[differ.Change]string{
		differ.Created: "shipments is new", differ.Updated: "shipments changed", differ.Deleted: "shipments is gone", differ.Due: "shipments",
	} {
		e := event(change)
		e.Key = e.Source
		if text := rendered(t, "slack", e); !strings.Contains(text, `\n`+want+`\n`) {
			t.Errorf("%s: %s", change, text)
		}
	}
}

// texts are those that a person reads of a chat payload, and how long it is as
// its receiver counts.
func texts(t testing.TB, format, body string) (string, int) {
	t.Helper()
	var p struct {
		Text, Content string
		Attachments   []struct {
			Content struct {
				Body []struct{ Inlines []struct{ Text string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatal(err)
	}
	if format != "teams" {
		text := p.Text + p.Content
		return text, len(utf16.Encode([]rune(text)))
	}
	var b strings.Builder
	for _, block := range p.Attachments[0].Content.Body {
		for _, in := range block.Inlines {
			b.WriteString(in.Text)
		}
		b.WriteString("\n")
	}
	return b.String(), len(body)
}

var chats = map[string]int{"slack": 40_000, "discord": 2_000, "teams": 27_000}

// What is too long for a chat ends with the number of fields that are left
// out, and every field that is there is whole.
func TestRenderCutsForChats(t *testing.T) {
	for format, limit := range chats {
		for _, value := range []string{"plain", "<&>", "*_~`", "😀😀", "\u2028\"\\", strings.Repeat("ü<", 400)} {
			state := map[string]string{}
			for i := range 3_000 {
				state[fmt.Sprintf("field%04d", i)] = value
			}
			e := event(differ.Created)
			e.New, _ = json.Marshal(state)
			text, size := texts(t, format, rendered(t, format, e))
			if size > limit || size < limit*9/10 {
				t.Errorf("%s, %.9q: %d long, of %d", format, value, size, limit)
			}
			lines := strings.Split(strings.TrimSpace(text), "\n")
			var more int
			if _, err := fmt.Sscanf(lines[len(lines)-1], "… %d more fields", &more); err != nil || len(lines)-3+more != 3_000 {
				t.Errorf("%s, %.9q: %d lines, the last %q", format, value, len(lines), lines[len(lines)-1])
			}
			for _, l := range lines[3 : len(lines)-1] {
				if _, v, _ := strings.Cut(l, ": "); v == "" || v != strings.SplitN(lines[2], ": ", 2)[1] {
					t.Errorf("%s, %.9q: a field is %q", format, value, l)
				}
			}
		}
	}
}

// Names and values of any length and kind leave a payload valid, short enough
// and without what would be a mention.
func FuzzChats(f *testing.F) {
	f.Add("key", `{"a":"b"}`, `{"a":"<!here>"}`)
	f.Add("<@U1> & \\", `[1,{"a":[]}]`, `{"":{"":{"a~/b":"\ud83d\u202e"}}}`)
	f.Add(strings.Repeat("&", 50_000), `{}`, `"`+strings.Repeat("*", 5_000)+`"`)
	f.Fuzz(func(t *testing.T, key, before, after string) {
		e := event(differ.Updated)
		if !json.Valid([]byte(before)) || !json.Valid([]byte(after)) || !utf8.ValidString(before+after) || len(key) > 100_000 {
			return
		}
		e.Key, e.Old, e.New = key, json.RawMessage(before), json.RawMessage(after)
		e.Diff = differ.Diff(e.Old, e.New)
		for format, limit := range chats {
			text, size := texts(t, format, rendered(t, format, e))
			if size > limit || !utf8.ValidString(text) {
				t.Errorf("%s: %d long", format, size)
			}
			if format == "slack" && (strings.ContainsAny(text, "<>") || strings.Count(text, "&") != strings.Count(text, "&amp;")+strings.Count(text, "&lt;")+strings.Count(text, "&gt;")) {
				t.Errorf("not escaped: %q", text)
			}
			if format == "discord" && strings.Contains(strings.ReplaceAll(text, `\<`, ""), "<") {
				t.Errorf("not escaped: %q", text)
			}
		}
	})
}

func TestRenderURLs(t *testing.T) {
	e := event(differ.Created)
	e.New = json.RawMessage(`{"url":"https://a.example/x_y_z?a=b&c=#d","text":"x_y_z"}`)
	text, _ := texts(t, "discord", rendered(t, "discord", e))
	if !strings.Contains(text, "url: https://a.example/x_y_z?a=b&c=#d\n• text: x\\_y\\_z") {
		t.Error(text)
	}
}

// answer is what a receiver says.
type answer struct {
	status int
	body   string
	header map[string]string
}

// TestFormatJudges is the table of receivers in events.md: what each answer
// means, and what follows.
func TestFormatJudges(t *testing.T) {
	const soon, held = emitter.Waiting, true
	for _, c := range []struct {
		format string
		answer answer
		state  emitter.State
		hold   time.Duration // 0: none
		paused bool
		status int // where the record has another
	}{
		{"slack", answer{200, "ok", nil}, emitter.Delivered, 0, false, 0},
		{"slack", answer{200, "ok\n", nil}, emitter.Delivered, 0, false, 0},
		{"slack", answer{200, "invalid_payload", nil}, soon, 0, false, 0},
		{"slack", answer{200, "", nil}, soon, 0, false, 0},
		{"slack", answer{200, "try_later", map[string]string{"Retry-After": "5"}}, soon, 5 * time.Second, false, 0},
		{"slack", answer{200, "ok", map[string]string{"Retry-After": "5"}}, emitter.Delivered, 0, false, 0},
		{"slack", answer{204, "ok", nil}, soon, 0, false, 0},
		{"slack", answer{400, "invalid_payload", nil}, emitter.Dead, 0, false, 0},
		{"slack", answer{403, "action_prohibited", nil}, emitter.Dead, 0, false, 0},
		{"slack", answer{404, "channel_not_found", nil}, emitter.Dead, 0, false, 0},
		{"slack", answer{410, "channel_is_archived", nil}, soon, 24 * time.Hour, held, 0},
		{"slack", answer{429, "", map[string]string{"Retry-After": "30"}}, soon, 30 * time.Second, false, 0},
		{"slack", answer{500, "rollup_error", nil}, soon, 0, false, 0},

		{"discord", answer{200, `{"id":"1"}`, nil}, emitter.Delivered, 0, false, 0},
		{"discord", answer{204, "", nil}, emitter.Delivered, 0, false, 0},
		{"discord", answer{202, "", nil}, soon, 0, false, 0},
		{"discord", answer{200, "{}", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}}, emitter.Delivered, 1500 * time.Millisecond, false, 0},
		{"discord", answer{200, "{}", map[string]string{"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "1.5"}}, emitter.Delivered, 0, false, 0},
		{"discord", answer{429, `{"message":"slow down","retry_after":64.57,"global":false}`, nil}, soon, 64570 * time.Millisecond, false, 0},
		{"discord", answer{429, `{"retry_after":0.3}`, map[string]string{"Retry-After": "2"}}, soon, 2 * time.Second, false, 0},
		{"discord", answer{429, `<html>`, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "3"}}, soon, 3 * time.Second, false, 0},
		{"discord", answer{429, `{"retry_after":1e300}`, nil}, soon, 24 * time.Hour, false, 0},
		{"discord", answer{401, "", nil}, emitter.Dead, 0, false, 0},
		{"discord", answer{403, "", nil}, emitter.Dead, 0, false, 0},
		{"discord", answer{404, `{"code":10015}`, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "3"}}, emitter.Dead, 0, false, 0},

		{"teams", answer{200, "1", nil}, emitter.Delivered, 0, false, 0},
		{"teams", answer{202, "", nil}, emitter.Delivered, 0, false, 0},
		{"teams", answer{204, "", nil}, soon, 0, false, 0},
		{"teams", answer{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0", nil}, soon, 0, false, 429},
		{"teams", answer{200, "Microsoft Teams endpoint returned HTTP error 429", map[string]string{"Retry-After": "9"}}, soon, 9 * time.Second, false, 429},
		{"teams", answer{200, "Microsoft Teams endpoint returned HTTP error 404", nil}, emitter.Dead, 0, false, 404},
		{"teams", answer{200, "Microsoft Teams endpoint returned HTTP error 410", nil}, soon, 24 * time.Hour, held, 410},
		{"teams", answer{400, "", nil}, emitter.Dead, 0, false, 0},
		{"teams", answer{404, "", nil}, emitter.Dead, 0, false, 0},
		{"teams", answer{410, "", nil}, soon, 24 * time.Hour, held, 0},

		{"zapier", answer{200, `{"status":"success"}`, nil}, emitter.Delivered, 0, false, 0},
		{"zapier", answer{201, "", nil}, soon, 0, false, 0},
		{"zapier", answer{410, "", nil}, soon, 24 * time.Hour, held, 0},
		{"zapier", answer{429, "", nil}, soon, 0, false, 0},

		{"cloudevents", answer{204, "", nil}, emitter.Delivered, 0, false, 0},
		{"cloudevents", answer{415, "", nil}, emitter.Dead, 0, false, 0},
		{"cloudevents_binary", answer{202, "", nil}, emitter.Delivered, 0, false, 0},
		{"custom", answer{201, "anything", nil}, emitter.Delivered, 0, false, 0},
	} {
		s := emitter.Settings{Format: c.format}
		if c.format == "custom" {
			s.JSON = map[string]any{}
		}
		e := receiver(t, s, func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range c.answer.header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(c.answer.status)
			_, _ = w.Write([]byte(c.answer.body))
		})
		a := e.Send(t.Context(), hello)
		v := emitter.Judge(a, s.Policy(), 1, judgeTime, 0.5)
		want := emitter.Verdict{State: c.state}
		if c.paused {
			want.Pause = emitter.PauseGone
		}
		if c.hold > 0 {
			want.Hold = judgeTime.Add(c.hold)
		}
		if diff := cmp.Diff(want, v, cmpopts.IgnoreFields(emitter.Verdict{}, "Due", "Reason")); diff != "" {
			t.Errorf("%s %+v (-want +got)\n%s", c.format, c.answer, diff)
		}
		if status := max(c.status, 0); status != 0 && a.Status != status || status == 0 && a.Status != c.answer.status {
			t.Errorf("%s %+v: recorded with status %d", c.format, c.answer, a.Status)
		}
		if (v.State == emitter.Delivered) != (a.Reason == "") {
			t.Errorf("%s %+v: reason %q", c.format, c.answer, a.Reason)
		}
	}
}

// A format's own statuses stop also where `permanent` is given.
func TestFormatStops(t *testing.T) {
	for format, statuses := range map[string][]int{
		"slack": {400, 403, 404}, "discord": {401, 403, 404}, "teams": {400, 404}, "zapier": {}, "standard": {},
	} {
		p := emitter.Settings{Format: format, Retry: emitter.RetrySettings{Permanent: []int{}}}.Policy()
		if diff := cmp.Diff(statuses, p.Permanent, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", format, diff)
		}
	}
}

// What is sent besides the body.
func TestFormatRequests(t *testing.T) {
	d := emitter.Delivery{
		Event: "evt_1", Type: "shipment.delivered", Source: "shipments", Key: "Köln \"1\"%\x01~", Body: []byte(`{"a":1}`),
		Time: time.Date(2026, 11, 23, 11, 0, 0, 5e6, time.FixedZone("CET", 3600)),
	}
	for name, c := range map[string]struct {
		settings emitter.Settings
		uri      string
		header   map[string]string
	}{
		"standard": {emitter.Settings{URL: "/x"}, "/x", map[string]string{"Content-Type": "application/json", "Ce-Id": "", "X-Hub-Signature-256": ""}},
		"cloudevents": {emitter.Settings{URL: "/x", Format: "cloudevents", Secrets: secrets(vectorShared)}, "/x", map[string]string{
			"Content-Type": "application/cloudevents+json; charset=UTF-8", "Ce-Id": "", "Webhook-Id": "evt_1"}},
		"cloudevents_binary": {emitter.Settings{URL: "/x", Format: "cloudevents_binary"}, "/x", map[string]string{
			"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "evt_1", "Ce-Type": "shipment.delivered", "Ce-Source": "/sources/shipments",
			"Ce-Time": "2026-11-23T10:00:00.005Z", "Ce-Subject": "K%C3%B6ln%20%221%22%25%EF%BF%BD~", "Ce-Datacontenttype": ""}},
		"slack":                {emitter.Settings{URL: "/services/T/B/x", Format: "slack"}, "/services/T/B/x", map[string]string{"Content-Type": "application/json"}},
		"discord":              {emitter.Settings{URL: "/x", Format: "discord"}, "/x?wait=true", nil},
		"discord in a thread":  {emitter.Settings{URL: "/x?thread_id=7", Format: "discord"}, "/x?thread_id=7&wait=true", nil},
		"discord, not waiting": {emitter.Settings{URL: "/x?wait=false", Format: "discord"}, "/x?wait=false", nil},
		"teams": {emitter.Settings{URL: "/w?api-version=1&sp=%2Ftriggers%2fmanual%2Frun&sig=a-b_C~&x", Format: "teams"},
			"/w?api-version=1&sp=%2Ftriggers%2fmanual%2Frun&sig=a-b_C~&x", nil},
		// echo -n '{"a":1}' | openssl dgst -sha256 -hmac "It's a Secret to Everybody"
		"github": {emitter.Settings{URL: "/x", Signature: "github", Secrets: secrets("It's a Secret to Everybody")}, "/x", map[string]string{
			"X-Hub-Signature-256": "sha256=" + githubSignature, "Webhook-Signature": "", "Webhook-Id": "evt_1"}},
	} {
		var got *http.Request
		e := receiver(t, c.settings, func(_ http.ResponseWriter, r *http.Request) { got = r })
		for range 2 { // each attempt says the same
			e.Send(t.Context(), d)
			if got.RequestURI != c.uri {
				t.Errorf("%s: sent to %s, want %s", name, got.RequestURI, c.uri)
			}
			for k, want := range c.header {
				if v := got.Header.Get(k); v != want {
					t.Errorf("%s: %s is %q, want %q", name, k, v, want)
				}
			}
		}
	}
}

const githubSignature = "3aea7d9882012d69ea49b8443b94e755179f85ee830bfa901efb5dc673af63a3"

func TestCustomPayload(t *testing.T) {
	s := emitter.Settings{URL: "https://shop.example/", Format: "custom", JSON: map[string]any{
		"text": "{{ key }} in {{ source }}{{ watch }}: {{ old.status }} → {{ new.status }}",
		"n":    "{{ revision }}", "big": "{{ old.price }}", "id": "{{ id }}", "type": "{{ type }}", "what": "{{ change }}", "at": "{{ now() }}",
		"changed": `{{ changed("status") ? pct(100, 95) : nil }}`, "whole": "{{ item.secret }}", "absent": "{{ new.absent }}",
		"clock": `{{ time("2026-11-23T10:00:00", "Europe/Berlin").Format("15:04") }}`,
		"list":  []any{map[string]any{"$each": "keys(new)", "name": "{{ it }}"}},
	}}
	r := event(differ.Updated)
	r.Item = json.RawMessage(`{"status":"DL","secret":"not picked \"<&>"}`)
	body, err := endpoint(t, s, emitter.EndpointOptions{}).Render(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	want := map[string]any{
		"text": "2461234567~FX in shipments: OD → DL", "n": 7.0, "big": 9007199254740993.0, "id": "evt_1", "type": "shipment.delivered", "what": "updated",
		"at": "2026-11-23T10:00:00Z", "changed": -5.0, "whole": `not picked "<&>`, "absent": nil, "clock": "09:00",
	}
	list, _ := got["list"].([]any)
	delete(got, "list")
	if diff := cmp.Diff(want, got); diff != "" || len(list) != 1 || len(list[0].([]any)) != 2 {
		t.Errorf("list %v, rest (-want +got)\n%s", list, diff)
	}
	if !strings.Contains(string(body), `"big":9007199254740993`) {
		t.Error("a number lost digits")
	}
}

// A payload that can't be made is told apart from an event that can't.
func TestUndeliverable(t *testing.T) {
	large := strings.Repeat("x", emitter.MaxBody)
	for name, c := range map[string]struct {
		settings emitter.Settings
		want     string
	}{
		"evaluation": {emitter.Settings{Format: "custom", JSON: map[string]any{"a": "{{ new.status + 1 }}"}}, "the payload cannot be made: json: a: "},
		"no list":    {emitter.Settings{Format: "custom", JSON: map[string]any{"$each": "new.status", "a": 1}}, "the payload cannot be made: json: $each: "},
		"too large":  {emitter.Settings{Format: "custom", JSON: large}, "the payload cannot be made: 262146 bytes, where a webhook of the format custom has 262144 at most"},
		"too large a card": {emitter.Settings{Format: "teams", JSON: map[string]any{"a": large[:27_000]}},
			"the payload cannot be made: 27008 bytes, where a webhook of the format teams has 27000 at most"},
	} {
		c.settings.URL = "https://shop.example/"
		body, err := endpoint(t, c.settings, emitter.EndpointOptions{}).Render(event(differ.Updated))
		dead, ok := errors.AsType[*differ.Undeliverable](err)
		if !ok || !strings.HasPrefix(dead.Reason, c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
		if want := rendered(t, "standard", event(differ.Updated)); string(body) != want {
			t.Errorf("%s: kept %s", name, body)
		}
	}
	e := event(differ.Created)
	e.New = json.RawMessage(`{"a":`)
	_, err := endpoint(t, emitter.Settings{URL: "https://shop.example/", Format: "custom", JSON: "{{ new.a }}"}, emitter.EndpointOptions{}).Render(e)
	if _, ok := errors.AsType[*differ.Undeliverable](err); ok || err == nil {
		t.Errorf("an event that isn't JSON: error %v", err)
	}
}

// A payload in place of the default text keeps to the receiver's limits.
func TestChatTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		json   map[string]any
		want   string
	}{
		"slack": {"slack", map[string]any{"text": "{{ key }}", "blocks": []any{map[string]any{"type": "divider"}}},
			`{"blocks":[{"type":"divider"}],"text":"2461234567~FX"}`},
		"slack, long": {"slack", map[string]any{"text": strings.Repeat("x", 50_000)}, `{"text":"` + strings.Repeat("x", 39_999) + `…"}`},
		"slack, in an escape": {"slack", map[string]any{"text": strings.Repeat("x", 39_996) + "&amp;&amp;"},
			`{"text":"` + strings.Repeat("x", 39_996) + `…"}`},
		"discord": {"discord", map[string]any{"content": "{{ change }}"}, `{"allowed_mentions":{"parse":[]},"content":"updated"}`},
		"discord, mentions": {"discord", map[string]any{"content": "<@1>", "allowed_mentions": map[string]any{"users": []any{"1"}}},
			`{"allowed_mentions":{"users":["1"]},"content":"<@1>"}`},
		"discord, emoji": {"discord", map[string]any{"content": strings.Repeat("😀", 1_500)},
			`{"allowed_mentions":{"parse":[]},"content":"` + strings.Repeat("😀", 999) + `…"}`},
		"discord, in an escape": {"discord", map[string]any{"content": strings.Repeat("x", 1_998) + `\*\*`},
			`{"allowed_mentions":{"parse":[]},"content":"` + strings.Repeat("x", 1_998) + `…"}`},
		"zapier": {"zapier", map[string]any{"a": "{{ revision }}"}, `{"a":7}`},
	} {
		body, err := endpoint(t, emitter.Settings{URL: "https://shop.example/", Format: c.format, JSON: c.json}, emitter.EndpointOptions{}).Render(event(differ.Updated))
		if err != nil {
			t.Fatal(err)
		}
		if string(body) != c.want {
			t.Errorf("%s: %.200q …, want %.200q …", name, body, c.want)
		}
	}
}

func TestNewSecrets(t *testing.T) {
	shared := emitter.NewSecret()
	private, public := emitter.NewKeyPair()
	if shared == emitter.NewSecret() {
		t.Error("not random")
	}
	h := signed(signers(t, shared, private), "evt_1", time.Now(), "{}")
	for _, key := range []string{shared, public} {
		if err := emitter.Verify([]string{key}, h, []byte("{}"), time.Now()); err != nil {
			t.Errorf("%.6s: %v", key, err)
		}
	}
}
