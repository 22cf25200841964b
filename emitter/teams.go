package emitter

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/units"
)

// teamsLimit is below the 28 KB from which Teams refuses a message.
const teamsLimit = 27_000

// teamsFormat is a webhook of Microsoft Teams: one of Workflows, or a
// connector of before. The signature of a Workflows URL is over its query, so
// that is sent byte for byte.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
var teamsFormat = format{
	name: "teams", content: "application/json", payload: renderTeams, json: true, adapt: func(map[string]any) {},
	limit: teamsLimit, judge: judgeTeams,
	stop: []int{http.StatusBadRequest, http.StatusNotFound},
	rate: units.Rate{N: 4, Per: time.Second},
}

const (
	teamsHead = `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":` +
		`{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","msteams":{"width":"Full"},"body":[`
	teamsTail = `]}}]}`
)

// renderTeams is an Adaptive Card. Its texts are runs of a RichTextBlock,
// which no Markdown is read in, so that nothing an API says can be a link or
// a mention.
func renderTeams(e *differ.Event) ([]byte, error) {
	m := messageOf(e)
	var b bytes.Buffer
	b.WriteString(teamsHead)
	writeBlock(&b, run{m.title, `"size":"Large","weight":"Bolder"`})
	if m.about != "" {
		b.WriteByte(',')
		writeBlock(&b, run{m.about, ""})
	}
	for i, l := range m.lines {
		at := b.Len()
		b.WriteByte(',')
		writeBlock(&b, run{l.name + ": ", `"weight":"Bolder"`}, run{l.text, ""})
		if b.Len()+teamsMore > teamsLimit {
			b.Truncate(at)
			m.more += len(m.lines) - i
			break
		}
	}
	if m.more > 0 {
		b.WriteByte(',')
		writeBlock(&b, run{rest(m.more), `"isSubtle":true`})
	}
	b.WriteString(teamsTail)
	return b.Bytes(), nil
}

// teamsMore is room for the block that says what is not there, and the tail.
const teamsMore = 200

// run is a piece of text and how it looks, as members of a TextRun.
type run struct{ text, look string }

func writeBlock(b *bytes.Buffer, runs ...run) {
	b.WriteString(`{"type":"RichTextBlock","inlines":[`)
	for i, r := range runs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"type":"TextRun","text":`)
		writeString(b, r.text)
		if r.look != "" {
			b.WriteString("," + r.look)
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
}

// teamsError is how a connector tells in a 200 that Teams refused the message.
var teamsError = regexp.MustCompile(`(?i)HTTP error (?:code:? )?([1-5][0-9][0-9])`)

// judgeTeams takes a status that the body names for the answer's own.
func judgeTeams(a Attempt, _ http.Header) Attempt {
	a = only(a, http.StatusOK, http.StatusAccepted)
	if !isSuccess(a.Status) || a.Reason != "" {
		return a
	}
	if m := teamsError.FindSubmatch(a.Response); m != nil {
		answered := a.Status
		a.Status, _ = strconv.Atoi(string(m[1]))
		a.Reason = fmt.Sprintf("the receiver answered %d and in its body HTTP error %d", answered, a.Status)
	}
	return a
}
