package emitter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/units"
)

// format is a kind of receiver: what it is sent, what its answers mean, and
// what it bears. What is zero is as in the format standard.
type format struct {
	name    string
	content string // content type
	// payload is what is sent of an event by default; nil: `json` says it.
	payload func(*differ.Event) ([]byte, error)
	json    bool // `json` may take its place
	// adapt makes what `json` gave fit the receiver, in the map itself; nil:
	// any JSON fits. With it, `json` must be a mapping.
	adapt func(map[string]any)
	limit int // of a payload, in bytes; 0: MaxBody
	// escape writes text so that the receiver reads no markup in it: what
	// escape() in `json` does; nil: there is none.
	escape func(string) string
	signed bool // its receivers verify signatures

	address func(*url.URL)              // changes the URL that is posted to; nil: it is as given
	head    func(http.Header, Delivery) // adds headers of one delivery; nil: none
	// judge corrects what an answer's status says, by its headers and what is
	// kept of its body; nil: the status is right.
	judge func(Attempt, http.Header) Attempt
	stop  []int      // statuses that no retry mends, besides retry.permanent
	rate  units.Rate // by default; zero: any
}

// formats are all there are, the default first.
var formats = []*format{
	&standardFormat, &cloudEventsFormat, &cloudEventsBinaryFormat,
	&slackFormat, &discordFormat, &teamsFormat, &zapierFormat, &customFormat,
}

// env is what the expressions of `json` may name.
func (f *format) env() expr.Env {
	env := differ.PayloadEnv()
	if f.escape != nil {
		env["escape"] = f.escaped
	}
	return env
}

// escaped is the function escape(): a value as text in which there is no
// markup. Null is empty.
func (f *format) escaped(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return f.escape(v), nil
	}
	b, err := expr.JSON(v)
	if err != nil {
		return "", fmt.Errorf("escape: %w", err)
	}
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	return f.escape(text), nil
}

// formatOf is the format of a name, "" for the default; nil: there is none.
func formatOf(name string) *format {
	if name == "" {
		return formats[0]
	}
	i := slices.IndexFunc(formats, func(f *format) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return formats[i]
}

// formatNames are the formats in words.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// only finds a delivery that was answered by another 2xx than these not
// delivered.
func only(a Attempt, statuses ...int) Attempt {
	if isSuccess(a.Status) && !slices.Contains(statuses, a.Status) {
		a.Reason = describe(a.Status) + fmt.Sprintf(", which doesn't mean that it took the event (%s does)", joined(statuses))
	}
	return a
}

func joined(statuses []int) string {
	words := make([]string, len(statuses))
	for i, s := range statuses {
		words[i] = fmt.Sprint(s)
	}
	return strings.Join(words, " or ")
}
