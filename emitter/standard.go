package emitter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/deltahook/deltahook/differ"
)

// MaxBody is the size in bytes that no rendered body exceeds.
const MaxBody = 256 << 10

// timestampForm is RFC 3339 with milliseconds; the time is given in UTC.
const timestampForm = "2006-01-02T15:04:05.000Z"

// standardFormat is that of Standard Webhooks 1.0.
var standardFormat = format{name: "standard", content: "application/json", payload: RenderStandard, signed: true}

// RenderStandard is the body of e in the format "standard": the payload of
// Standard Webhooks 1.0, compact JSON. What the API spelled is copied and
// never decoded, so numbers keep every digit.
//
// A body over MaxBody loses data.old and data.new and has data.truncated:
// true instead; if it is still too large it loses data.diff too. An error
// means that e holds invalid JSON, or names longer than MaxBody.
func RenderStandard(e *differ.Event) ([]byte, error) {
	return renderCut(e, func(b *bytes.Buffer, cut cut) error {
		b.WriteString(`{"type":`)
		writeString(b, e.Type)
		b.WriteString(`,"timestamp":"`)
		b.Write(e.Time.UTC().AppendFormat(b.AvailableBuffer(), timestampForm))
		b.WriteString(`","data":{`)
		if err := appendData(b, e, cut); err != nil {
			return err
		}
		b.WriteByte('}')
		return nil
	})
}

// cut is how much of an event is left out.
type cut int

const (
	cutNothing cut = iota
	cutStates      // old and new
	cutDiff        // and the diff
)

// renderCut gives the body of e that write writes, with as much left out as it takes
// to be no larger than MaxBody.
func renderCut(e *differ.Event, write func(*bytes.Buffer, cut) error) ([]byte, error) {
	for cut := cutNothing; cut <= cutDiff; cut++ {
		var b bytes.Buffer
		b.Grow(256 + len(e.Key) + len(e.New) + len(e.Old) + len(e.Diff) + len(e.Data))
		if err := write(&b, cut); err != nil {
			return nil, fmt.Errorf("render event %s: %w", e.ID, err)
		}
		if b.Len() <= MaxBody {
			return b.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("render event %s: larger than %d bytes even without its contents", e.ID, MaxBody)
}

// appendData writes the members of data, behind the brace that opens it, and
// the one that closes it.
func appendData(b *bytes.Buffer, e *differ.Event, cut cut) error {
	if e.Data != nil {
		return appendOwn(b, e.Data)
	}
	b.WriteString(`"source":`)
	writeString(b, e.Source)
	if e.Watch != "" {
		b.WriteString(`,"watch":`)
		writeString(b, e.Watch)
	}
	b.WriteString(`,"key":`)
	writeString(b, e.Key)
	b.WriteString(`,"change":`)
	writeString(b, string(e.Change))
	b.WriteString(`,"revision":`)
	b.Write(strconv.AppendUint(b.AvailableBuffer(), e.Revision, 10))
	if cut < cutStates {
		if err := writeRaw(b, "new", e.New); err != nil {
			return err
		}
		if err := writeRaw(b, "old", e.Old); err != nil {
			return err
		}
	}
	if e.Diff != nil && cut < cutDiff {
		if err := writeRaw(b, "diff", e.Diff); err != nil {
			return err
		}
	}
	if cut >= cutStates {
		b.WriteString(`,"truncated":true`)
	}
	b.WriteByte('}')
	return nil
}

// appendOwn writes what an event of Deltahook's own says: an object that has
// members, less the brace that opens it.
func appendOwn(b *bytes.Buffer, data json.RawMessage) error {
	at := b.Len()
	if err := json.Compact(b, data); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	own := b.Bytes()[at:]
	if own[0] != '{' || len(own) == len("{}") {
		return errors.New("data: not an object with members")
	}
	copy(own, own[1:])
	b.Truncate(b.Len() - 1)
	return nil
}

// writeRaw writes a member whose value is JSON already; nil is null.
func writeRaw(b *bytes.Buffer, name string, raw json.RawMessage) error {
	b.WriteString(`,"` + name + `":`)
	if raw == nil {
		b.WriteString("null")
		return nil
	}
	if err := json.Compact(b, raw); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// writeString writes a JSON string. Most need no escape; for the others
// encoding/json knows how, and < > & stay as they are.
func writeString(b *bytes.Buffer, s string) {
	if isPlain(s) {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       // a string and a buffer: nothing can fail
	b.Truncate(b.Len() - 1) // the encoder's line end
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
