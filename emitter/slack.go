package emitter

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/units"
)

// slackText is the longest text that Slack takes.
const slackText = 40_000

// slackFormat is an incoming webhook of Slack.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
var slackFormat = format{
	name: "slack", content: "application/json", payload: renderSlack, json: true, adapt: adaptSlack,
	escape: slackEscape.Replace,
	judge:  judgeSlack,
	stop:   []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound},
	rate:   units.Rate{N: 1, Per: time.Second},
}

var slackMarkup = markup{bold: "*", escape: slackEscape.Replace, limit: slackText}

// slackEscape keeps what an API says from being a link or a mention.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func renderSlack(e *differ.Event) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`{"text":`)
	writeString(&b, slackMarkup.write(messageOf(e)))
	b.WriteByte('}')
	return b.Bytes(), nil
}

func adaptSlack(payload map[string]any) {
	if text, ok := payload["text"].(string); ok {
		payload["text"] = cutText(text, slackText, func(s string) int {
			at := strings.LastIndexByte(s, '&')
			if at < 0 || len(s)-at >= len("&amp;") || strings.Contains(s[at:], ";") {
				return 0
			}
			return len(s) - at
		})
	}
}

// judgeSlack knows that Slack has taken a message by the word ok alone.
func judgeSlack(a Attempt, _ http.Header) Attempt {
	a = only(a, http.StatusOK)
	if a.Status == http.StatusOK && strings.TrimSpace(string(a.Response)) != "ok" {
		a.Reason = "the receiver answered 200 OK without the word ok, which Slack says when it took a message"
	}
	return a
}
