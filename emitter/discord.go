package emitter

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// discordText is the longest content that Discord takes.
const discordText = 2_000

// discordFormat is a webhook of Discord. Its rate is what its answers say.
// https://docs.discord.com/developers/resources/webhook#execute-webhook
// https://docs.discord.com/developers/topics/rate-limits
var discordFormat = format{
	name: "discord", content: "application/json", payload: renderDiscord, json: true, adapt: adaptDiscord,
	address: awaitDiscord, judge: judgeDiscord,
	stop: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
}

var discordMarkup = markup{bold: "**", escape: escapeDiscord, limit: discordText}

func renderDiscord(e *differ.Event) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`{"content":`)
	writeString(&b, discordMarkup.write(messageOf(e)))
	b.WriteString(`,"allowed_mentions":{"parse":[]}}`)
	return b.Bytes(), nil
}

// adaptDiscord lets a payload mention nobody, unless it says whom.
func adaptDiscord(payload map[string]any) {
	if text, ok := payload["content"].(string); ok {
		payload["content"] = cutText(text, discordText, func(s string) int {
			return (len(s) - len(strings.TrimRight(s, `\`))) % 2
		})
	}
	if payload["allowed_mentions"] == nil {
		payload["allowed_mentions"] = map[string]any{"parse": []any{}}
	}
}

// escapeDiscord keeps Markdown from being read as such. The underscores of a
// URL stay: with backslashes it would be another one.
func escapeDiscord(s string) string {
	var b strings.Builder
	for i, word := range strings.Split(s, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		marks := "\\*_~`|<>[]()#"
		if strings.HasPrefix(word, "https://") || strings.HasPrefix(word, "http://") {
			marks = "\\*`|<>[]()"
		}
		for _, c := range word {
			if strings.ContainsRune(marks, c) {
				b.WriteByte('\\')
			}
			b.WriteRune(c)
		}
	}
	return b.String()
}

// awaitDiscord asks for an answer that says whether the message was stored.
func awaitDiscord(u *url.URL) {
	if u.Query().Has("wait") {
		return
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "wait=true"
}

// judgeDiscord takes up what Discord says of its limits: a 429 says in its
// body how long to wait, and that and a 2xx say in their headers when it was
// the last one for now. What no wait mends has the headers too, and they are
// passed over.
func judgeDiscord(a Attempt, h http.Header) Attempt {
	a = only(a, http.StatusOK, http.StatusNoContent)
	if a.Status == http.StatusTooManyRequests {
		var body struct {
			RetryAfter float64 `json:"retry_after"`
		}
		if json.Unmarshal(a.Response, &body) == nil {
			a.RetryAfter = max(a.RetryAfter, seconds(body.RetryAfter))
		}
	}
	limited := isSuccess(a.Status) || a.Status == http.StatusTooManyRequests
	if limited && h.Get("X-RateLimit-Remaining") == "0" {
		if after, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64); err == nil {
			a.RetryAfter = max(a.RetryAfter, seconds(after))
		}
	}
	return a
}

// seconds is n seconds, rounded up to a millisecond, a day at most; 0 where n
// is no such number.
func seconds(n float64) time.Duration {
	if !(n > 0) {
		return 0
	}
	return time.Duration(math.Ceil(min(n, MaxHold.Seconds())*1000)) * time.Millisecond
}
