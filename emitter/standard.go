package emitter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/deltahook/deltahook/differ"
)

// MaxBody is the size in bytes that no rendered body exceeds.
const MaxBody = 256 << 10

// timestampForm is RFC 3339 with milliseconds; the time is given in UTC.
const timestampForm = "2006-01-02T15:04:05.000Z"

// RenderStandard is the body of e in the format "standard": the payload of
// Standard Webhooks 1.0, compact JSON. What the API spelled is copied and
// never decoded, so numbers keep every digit.
//
// A body over MaxBody loses data.old and data.new and has data.truncated:
// true instead; if it is still too large it loses data.diff too. An error
// means that e holds invalid JSON, or names longer than MaxBody.
func RenderStandard(e *differ.Event) ([]byte, error) {
	for _, cut := range []struct{ states, diff bool }{{false, false}, {true, false}, {true, true}} {
		body, err := appendStandard(e, cut.states, cut.diff)
		if err != nil {
			return nil, fmt.Errorf("render event %s: %w", e.ID, err)
		}
		if len(body) <= MaxBody {
			return body, nil
		}
	}
	return nil, fmt.Errorf("render event %s: larger than %d bytes even without its contents", e.ID, MaxBody)
}

// appendStandard writes the body, less old and new where cutStates is true,
// and less diff where cutDiff is.
func appendStandard(e *differ.Event, cutStates, cutDiff bool) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(256 + len(e.Key) + len(e.New) + len(e.Old) + len(e.Diff))
	b.WriteString(`{"type":`)
	writeString(&b, e.Type)
	b.WriteString(`,"timestamp":"`)
	b.Write(e.Time.UTC().AppendFormat(b.AvailableBuffer(), timestampForm))
	if e.Data != nil { // an event of Deltahook's own
		b.WriteByte('"')
		if err := writeRaw(&b, "data", e.Data); err != nil {
			return nil, err
		}
		b.WriteByte('}')
		return b.Bytes(), nil
	}
	b.WriteString(`","data":{"source":`)
	writeString(&b, e.Source)
	if e.Watch != "" {
		b.WriteString(`,"watch":`)
		writeString(&b, e.Watch)
	}
	b.WriteString(`,"key":`)
	writeString(&b, e.Key)
	b.WriteString(`,"change":`)
	writeString(&b, string(e.Change))
	b.WriteString(`,"revision":`)
	b.Write(strconv.AppendUint(b.AvailableBuffer(), e.Revision, 10))
	if !cutStates {
		if err := writeRaw(&b, "new", e.New); err != nil {
			return nil, err
		}
		if err := writeRaw(&b, "old", e.Old); err != nil {
			return nil, err
		}
	}
	if e.Diff != nil && !cutDiff {
		if err := writeRaw(&b, "diff", e.Diff); err != nil {
			return nil, err
		}
	}
	if cutStates {
		b.WriteString(`,"truncated":true`)
	}
	b.WriteString("}}")
	return b.Bytes(), nil
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
