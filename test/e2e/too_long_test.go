package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// An item of 320 KB reaches each kind of receiver as much of it as that takes,
// and says so; what cannot be cut is a dead letter (events.md, the column
// "too long").
func TestTooLong(t *testing.T) {
	t.Parallel()
	ok := []said{{http.StatusOK, "ok", nil}}
	c := newChats(t, map[string][]said{"standard": ok, "cloudevents": ok, "zapier": ok, "slack": ok, "discord": ok, "teams": {{http.StatusAccepted, "", nil}}, "custom": nil})
	item := func(v int) string {
		var b strings.Builder
		fmt.Fprintf(&b, `[{"id":"a","v":%d`, v)
		for i := range 400 {
			fmt.Fprintf(&b, `,"field%d":"%d%s"`, i, v, strings.Repeat("ü", 400))
		}
		return b.String() + "}]"
	}
	url, set, _ := values(t, item(1))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", c.configured(url, map[string]string{
		"standard":    "signature: none",
		"cloudevents": "signature: none, format: cloudevents",
		"zapier":      "format: zapier",
		"slack":       "format: slack",
		"discord":     "format: discord",
		"teams":       "format: teams",
		"custom":      `signature: none, format: custom, json: {all: "{{ new }}"}`,
	}))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(item(2))
	d.says(t, d.stderr, `msg="a dead letter from the start" endpoint=custom .*262144`)
	sent := func(name string, into any) string {
		t.Helper()
		d.until(t, name+" got it", func() bool { return len(c.at(name)) > 0 })
		body := c.at(name)[0].body
		if err := json.Unmarshal([]byte(body), into); err != nil {
			t.Errorf("%s: %v: %.200s", name, err, body)
		}
		return body
	}
	for _, name := range []string{"standard", "cloudevents", "zapier"} {
		var got struct {
			Key       string
			Truncated bool
			New, Old  any
			Data      struct {
				Key       string
				Truncated bool
				New, Old  any
			}
		}
		body := sent(name, &got)
		if len(body) > 256<<10 || !got.Truncated && !got.Data.Truncated || got.Key+got.Data.Key != "a" || got.New != nil || got.Data.New != nil {
			t.Errorf("%s got %d bytes: %.300s", name, len(body), body)
		}
	}
	var chat struct{ Text, Content string }
	for name, most := range map[string]int{"slack": 40_000, "discord": 2_000} {
		body := sent(name, &chat)
		text := chat.Text + chat.Content
		chat.Text, chat.Content = "", ""
		if n := utf8.RuneCountInString(text); n > most || n < most*3/4 || !strings.Contains(text, "more fields") || !strings.Contains(text, "a changed in s") {
			t.Errorf("%s got %d characters, and takes %d: %.300s", name, n, most, body)
		}
	}
	var card any
	if body := sent("teams", &card); len(body) > 27_000 || len(body) < 20_000 || !strings.Contains(body, "more fields") {
		t.Errorf("teams got %d bytes, and takes 27000: %.300s", len(body), body)
	}
	if got := c.at("custom"); len(got) > 0 {
		t.Errorf("custom got %d bytes", len(got[0].body))
	}
	d.stop(t)
}
