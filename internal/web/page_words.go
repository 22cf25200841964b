package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// Bounds of what stands on a page of a text that others wrote, in bytes.
const (
	maxShown = 160       // in a row; the rest is in the title
	maxTitle = 2_000     // of that
	maxValue = 2_000     // of a value in a diff
	maxText  = 256 << 10 // of a content or a payload, with its indentation
)

// words are the functions of the templates.
func (p *pages) words() template.FuncMap {
	return template.FuncMap{
		"asset":       func(name string) string { return "/assets/" + name + "?v=" + p.version },
		"sourceURL":   sourceURL,
		"watchURL":    watchURL,
		"itemURL":     itemURL,
		"eventURL":    func(id string) string { return "/events/" + url.PathEscape(id) },
		"endpointURL": endpointURL,
		"query":       query,
		"when":        when,
		"until":       until,
		"stamp":       stamp,
		"utc":         func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" },
		"local":       local,
		"num":         num,
		"count":       count,
		"took":        took,
		"clip":        func(s string) string { return clipped(s, maxShown) },
		"title":       title,
		"size":        size,
		"pretty":      pretty,
		"badge":       badge,
		"capital":     capital,
		"troubled":    troubled,
		"latency":     latency,
		"changes":     changed,
		"lines":       lines,
		"isZero":      time.Time.IsZero,
		"raw":         func(b json.RawMessage) string { return string(b) },
	}
}

func sourceURL(name string) string   { return "/sources/" + url.PathEscape(name) }
func endpointURL(name string) string { return "/endpoints/" + url.PathEscape(name) }

// watchURL is the page of a source for one of its watch keys; "": all of it.
func watchURL(source, watch string) string {
	if watch == "" {
		return sourceURL(source)
	}
	return sourceURL(source) + "?" + url.Values{"watch": {watch}}.Encode()
}

func itemURL(source, watch, key string) string {
	q := url.Values{"key": {key}}
	if watch != "" {
		q.Set("watch", watch)
	}
	return sourceURL(source) + "/items?" + q.Encode()
}

// query is an address with words behind it, less those that are empty.
func query(at string, words ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(words); i += 2 {
		if words[i+1] != "" {
			q.Set(words[i], words[i+1])
		}
	}
	if len(q) == 0 {
		return at
	}
	return at + "?" + q.Encode()
}

// when is how long ago a time was, or in how long it is.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Until(t)
	switch {
	case d > -time.Second && d < time.Second:
		return "now"
	case d < 0:
		return span(-d) + " ago"
	default:
		return "in " + span(d)
	}
}

// until is in how long a time is that may have passed already.
func until(t time.Time) string {
	if t.IsZero() || time.Until(t) < time.Second {
		return "now"
	}
	return "in " + span(time.Until(t))
}

// span is a duration by its largest unit.
func span(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 2*86400:
		return fmt.Sprintf("%d h", s/3600)
	default:
		return fmt.Sprintf("%d d", s/86400)
	}
}

// local is a time of a form as a browser's field takes it, which is UTC here.
func local(text string) string {
	t, err := readTime("", text)
	if text == "" || err != nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// num is a number with its thousands apart.
func num(n any) string {
	var s string
	switch n := n.(type) {
	case int:
		s = strconv.Itoa(n)
	case uint64:
		s = strconv.FormatUint(n, 10)
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is a number of things by its name.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return num(n) + " " + one + "s"
}

// took is a duration in seconds, to three digits.
func took(seconds float64) string {
	switch {
	case seconds < 1:
		return strconv.Itoa(int(math.Round(seconds*1000))) + " ms"
	case seconds < 100:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	default:
		return span(time.Duration(seconds * float64(time.Second)))
	}
}

// size is a number of bytes, to three digits.
func size(n int64) string {
	if n < 1<<20 {
		return strconv.FormatInt((n+1<<10-1)>>10, 10) + " KiB"
	}
	if n < 1<<30 {
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	}
	return strconv.FormatFloat(float64(n)/(1<<30), 'f', 1, 64) + " GiB"
}

// clipped is the beginning of a text that is too long.
func clipped(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// title is a text where it was clipped; "" where all of it is shown.
func title(s string) string {
	if len(s) <= maxShown {
		return ""
	}
	return clipped(s, maxTitle)
}

// pretty is JSON with its lines apart, and anything else as it is. What would
// be too long so, for it is large or nested deep, stands in one line, or its
// beginning does.
func pretty(b []byte) string {
	b = bytes.TrimSpace(b)
	var out bytes.Buffer
	if spread(b) <= maxText && json.Indent(&out, b, "", "  ") == nil {
		return out.String()
	}
	if len(b) <= maxText {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return strings.ToValidUTF8(string(b[:maxText]), "\uFFFD") + "…\n\n" + num(len(b)-maxText) + " more bytes are left out here; the API has all of it"
}

// spread is how many bytes JSON has with its lines apart, or that it has too
// many: each line begins with two bytes for each array and object around it.
func spread(b []byte) int {
	n, depth, quoted := len(b), 0, false
	for i := 0; i < len(b) && n <= maxText; i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
			n += 1 + 2*depth
		case c == '}', c == ']':
			depth--
			n += 1 + 2*max(depth, 0)
		case c == ',':
			n += 1 + 2*depth
		case c == ':':
			n++
		}
	}
	return n
}

// capital is a word of the code as it begins a label.
func capital(word any) string {
	text := fmt.Sprint(word)
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// badge is how bad a state is: the class of its badge.
func badge(state any) string {
	switch fmt.Sprint(state) {
	case string(SourceOK), string(emitter.Delivered), string(emitter.ReplayDone):
		return "good"
	case string(SourceFailing), string(emitter.Dead), string(emitter.Expired), string(emitter.ReplayFailed):
		return "bad"
	case string(SourceHeld), string(emitter.ConditionPaused), string(emitter.ConditionUnknown),
		string(differ.Released), string(differ.ReleasedSilently):
		return "warn"
	}
	return "plain"
}
