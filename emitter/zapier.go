package emitter

import (
	"bytes"
	"net/http"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/units"
)

// zapierFormat is a catch hook of Zapier: the standard body with all names at
// the top and the event's id, which Zapier doesn't read from headers. Zapier
// takes 10 MB, which is more than any body has.
// https://docs.zapier.com/platform/build/operating-constraints
var zapierFormat = format{
	name: "zapier", content: "application/json", payload: renderZapier, json: true,
	judge: func(a Attempt, _ http.Header) Attempt { return only(a, http.StatusOK) },
	rate:  units.Rate{N: 30, Per: time.Second},
}

func renderZapier(e *differ.Event) ([]byte, error) {
	return renderCut(e, func(b *bytes.Buffer, cut cut) error {
		b.WriteString(`{"id":`)
		writeString(b, e.ID)
		b.WriteString(`,"type":`)
		writeString(b, e.Type)
		b.WriteString(`,"timestamp":"`)
		b.Write(e.Time.UTC().AppendFormat(b.AvailableBuffer(), timestampForm))
		b.WriteString(`",`)
		return appendData(b, e, cut)
	})
}
