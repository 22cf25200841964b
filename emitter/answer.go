package emitter

import (
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Bounds of what is taken from a receiver, in bytes.
const (
	maxKept   = 8 << 10  // of an answer's body, stored with the attempt
	maxRead   = 64 << 10 // of an answer's body, so that its connection can be used again
	maxReason = 512      // of an error's words

	// tail is read beyond maxKept, so that a secret that the cut goes
	// through is still whole, and recognised, when secrets are cut out: a
	// token has 16 KiB at most, and a few of its characters may be escaped.
	tail = 20 << 10
)

// keep reads an answer's body and gives what is stored of it: its beginning,
// without secrets, in valid UTF-8; nil where it is empty. A body that breaks
// off is kept as far as it came: the status has been answered.
func (e *Endpoint) keep(body io.Reader) []byte {
	if body == http.NoBody {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(body, maxKept+tail))
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, maxRead-int64(len(head)))
	}
	text := clip(e.redactor.Head(string(head), maxKept), maxKept)
	if text == "" {
		return nil
	}
	return []byte(text)
}

// text is words of an error as they may be shown.
func (e *Endpoint) text(s string) string { return clip(e.redactor.Text(s), maxReason) }

// clip is the beginning of s in valid UTF-8, at most limit bytes long.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
