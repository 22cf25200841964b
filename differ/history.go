package differ

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
)

// maxBuckets is how many buckets a window has at most, whatever the rate of
// polls.
const maxBuckets = 1440

// tracked is a field of which samples are kept.
type tracked struct {
	name   string
	path   string        // gjson path in what is told of an item
	keep   time.Duration // for how long
	width  int64         // of a bucket, in milliseconds
	origin uint32        // of what its values are read; samples of another origin do not count
}

// history is the fields of a source of which samples are kept.
type history []tracked

// compileHistory compiles changes.history; r stands at it.
func compileHistory(r fault.Report, s ordered.Map[units.Duration], resp ResponseSettings) history {
	var h history
	for _, entry := range s {
		t, wrong := newTracked(entry.Key, entry.Value.Std(), resp)
		if wrong != "" {
			r.At(entry.Key).Errorf("%s", wrong)
		} else if !slices.Contains(resp.fields(), entry.Key) {
			checkName(r.At(entry.Key), entry.Key, resp)
		}
		h = append(h, t)
	}
	return h
}

// newTracked compiles one field; wrong is "" where nothing is.
func newTracked(name string, keep time.Duration, resp ResponseSettings) (t tracked, wrong string) {
	t = tracked{name: name, keep: keep}
	if keep < time.Second {
		return t, "expected how long its samples are kept, at least 1s"
	}
	// A span touches one bucket more than it has room for, and whole seconds
	// are what schedules are made of.
	t.width = max(1, int64(math.Ceil(keep.Seconds()/(maxBuckets-1)))) * 1000
	first := name
	t.path = gjson.Escape(name)
	if !slices.Contains(resp.fields(), name) {
		steps := strings.Split(name, ".")
		if slices.Contains(steps, "") || strings.ContainsAny(name, `\*?#@!{[(|`) {
			return t, "expected the name of one field, or names joined by dots"
		}
		first = steps[0]
		for i := range steps {
			steps[i] = gjson.Escape(steps[i])
		}
		t.path = strings.Join(steps, ".")
	}
	t.origin = originOf(t.path, first, resp)
	return t, ""
}

// originOf is a fingerprint of where the values of a field come from.
func originOf(path, field string, resp ResponseSettings) uint32 {
	from, ok := resp.Pick.Get(field)
	if !ok {
		from, _ = resp.Carry.Get(field)
	}
	numbers, _ := resp.Numbers.Get(field)
	text, _ := json.Marshal([]any{resp.Items, resp.ID, path, from, numbers.Decimal == ","})
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint32(sum[:])
}

// find is the field of a name; nil: none is kept of it.
func (h history) find(name string) *tracked {
	for i := range h {
		if h[i].name == name {
			return &h[i]
		}
	}
	return nil
}

func (h history) names() []string {
	names := make([]string, len(h))
	for i := range h {
		names[i] = h[i].name
	}
	return names
}

// values are those of the fields in what is told of an item, NaN where it has
// no number.
func (h history) values(content []byte) []float64 {
	if len(h) == 0 {
		return nil
	}
	values := make([]float64, len(h))
	for i := range h {
		values[i] = numeric(gjson.GetBytes(content, h[i].path))
	}
	return values
}

// numeric is a number, also one that is written as text; NaN where it is none,
// or none that a double can hold.
func numeric(v gjson.Result) float64 {
	n := math.NaN()
	switch v.Type {
	case gjson.Number:
		n = v.Num
	case gjson.String:
		text := strings.TrimSpace(v.Str)
		if f, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xX_") {
			n = f
		}
	}
	if math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}
