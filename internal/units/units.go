// Package units reads the quantities that users write: durations, sizes,
// percentages and rates. Each type reads text, prints the same form, and its
// zero value is zero of its unit.
package units

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Patterns that the text forms match; the configuration's schema uses them.
const (
	DurationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$|^0$`
	SizePattern     = `^[0-9]+(\.[0-9]+)? ?(B|kB|KB|KiB|MB|MiB|GB|GiB)?$`
	PercentPattern  = `^[0-9]+(\.[0-9]+)?%$`
)

// Duration is a span of time, written 250ms, 30s, 5m, 2h, 7d, 2w or 1h30m. A
// day is 24 hours.
type Duration time.Duration

var (
	durationForm = regexp.MustCompile(DurationPattern)
	durationPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)`)
	durationUnit = map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
		"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalText reads the written form; "0" is zero.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if !durationForm.MatchString(s) {
		return fmt.Errorf("%q is not a duration such as 30s, 5m, 2h or 7d", s)
	}
	var sum int64
	for _, m := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return fmt.Errorf("%q is not a duration: %w", s, err)
		}
		part := math.Round(n * float64(durationUnit[m[2]]))
		if part > math.MaxInt64/2 || sum+int64(part) > math.MaxInt64/2 {
			return fmt.Errorf("%q is longer than 146 years", s)
		}
		sum += int64(part) // parts are added as integers: a float64 is exact for 104 days only
	}
	*d = Duration(sum)
	return nil
}

// MarshalText writes the form that UnmarshalText reads, in the largest units.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the written form: 0, 30s, 1h30m, 7d.
func (d Duration) String() string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	rest := time.Duration(d)
	for _, u := range []string{"d", "h", "m", "s"} {
		if n := rest / durationUnit[u]; n != 0 {
			fmt.Fprintf(&b, "%d%s", n, u)
			rest %= durationUnit[u]
		}
	}
	if rest != 0 {
		b.WriteString(strconv.FormatFloat(float64(rest)/float64(time.Millisecond), 'f', -1, 64) + "ms")
	}
	return b.String()
}

// Size is a number of bytes, written 512B, 64KiB, 10MiB or 1GB.
type Size int64

var (
	sizeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(B|kB|KB|KiB|MB|MiB|GB|GiB)?$`)
	sizeUnit = map[string]float64{
		"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20, "GB": 1e9, "GiB": 1 << 30,
	}
)

// UnmarshalText reads the written form; a number without a unit is bytes.
func (s *Size) UnmarshalText(b []byte) error {
	m := sizeForm.FindStringSubmatch(string(b))
	if m == nil {
		return fmt.Errorf("%q is not a size such as 512KiB or 10MiB", b)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n*sizeUnit[m[2]] > math.MaxInt64/2 {
		return fmt.Errorf("%q is too large a size", b)
	}
	*s = Size(n * sizeUnit[m[2]])
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the size in the largest binary unit that divides it: 10MiB.
func (s Size) String() string {
	for _, u := range []string{"GiB", "MiB", "KiB"} {
		if n := Size(sizeUnit[u]); s >= n && s%n == 0 {
			return fmt.Sprintf("%d%s", s/n, u)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// Percent is a share, written 20%; its value is the fraction, 0.2.
type Percent float64

var percentForm = regexp.MustCompile(PercentPattern)

// UnmarshalText reads the written form.
func (p *Percent) UnmarshalText(b []byte) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(string(b), "%"), 64)
	if err != nil || !percentForm.Match(b) {
		return fmt.Errorf("%q is not a percentage such as 20%%", b)
	}
	*p = Percent(n / 100)
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is the written form, 20%, to ten digits after the point: the
// fraction is binary, so 0.7% would show as 0.7000000000000001%.
func (p Percent) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*1e12)/1e10, 'f', -1, 64) + "%"
}
