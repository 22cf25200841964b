package emitter

import (
	"bytes"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/deltahook/deltahook/differ"
)

// cloudEventsFormat is the structured mode of CloudEvents 1.0: all in the body.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
var cloudEventsFormat = format{
	name: "cloudevents", content: "application/cloudevents+json; charset=UTF-8",
	payload: renderCloudEvent, signed: true,
}

// cloudEventsBinaryFormat is the binary mode: the attributes are headers, the
// body is the data.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
var cloudEventsBinaryFormat = format{
	name: "cloudevents_binary", content: "application/json",
	payload: func(e *differ.Event) ([]byte, error) {
		return renderCut(e, func(b *bytes.Buffer, cut cut) error {
			b.WriteByte('{')
			return appendData(b, e, cut)
		})
	},
	head: cloudEventHeaders, signed: true,
}

func renderCloudEvent(e *differ.Event) ([]byte, error) {
	return renderCut(e, func(b *bytes.Buffer, cut cut) error {
		for i, a := range cloudEvent(e.ID, e.Type, e.Source, e.Key, e.Time) {
			b.WriteByte("{,"[min(i, 1)])
			writeString(b, a.name)
			b.WriteByte(':')
			writeString(b, a.value)
		}
		b.WriteString(`,"datacontenttype":"application/json","data":{`)
		if err := appendData(b, e, cut); err != nil {
			return err
		}
		b.WriteByte('}')
		return nil
	})
}

func cloudEventHeaders(h http.Header, d Delivery) {
	for _, a := range cloudEvent(d.Event, d.Type, d.Source, d.Key, d.Time) {
		h.Set("Ce-"+a.name, percentEncode(a.value))
	}
}

type attribute struct{ name, value string }

// cloudEvent is the context of an event. A subject that is empty is left out:
// an attribute has a value or is not there.
func cloudEvent(id, kind, source, key string, at time.Time) []attribute {
	origin := "/sources/" + source
	if strings.Contains(source, "/") { // of an event of Deltahook's own: no source is called so
		origin = "/" + source
	}
	all := []attribute{
		{"specversion", "1.0"}, {"id", id}, {"source", origin}, {"type", kind},
		{"time", at.UTC().Format(timestampForm)},
	}
	if key != "" {
		all = append(all, attribute{"subject", attributeText(key)})
	}
	return all
}

// attributeText is s without the characters that an attribute must not have:
// control characters and noncharacters. data.key has them.
func attributeText(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c >= 0xfdd0 && c <= 0xfdef || c&0xfffe == 0xfffe {
			return utf8.RuneError
		}
		return c
	}, s)
}

// percentEncode is an attribute as a header's value: bytes outside of U+0021
// to U+007E, the double quote and the per cent sign are encoded (section
// 3.1.3.2 of the binding).
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return b.String()
}
