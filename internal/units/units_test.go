package units_test

import (
	"encoding"
	"fmt"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/internal/units"
)

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"0", 0, "0"},
		{"0s", 0, "0"},
		{"250ms", 250 * time.Millisecond, "250ms"},
		{"30s", 30 * time.Second, "30s"},
		{"90s", 90 * time.Second, "1m30s"},
		{"5m", 5 * time.Minute, "5m"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"1.5h", 90 * time.Minute, "1h30m"},
		{"7d", 7 * 24 * time.Hour, "7d"},
		{"2w", 14 * 24 * time.Hour, "14d"},
		{"1m250ms", time.Minute + 250*time.Millisecond, "1m250ms"},
		{"1.5ms", 1500 * time.Microsecond, "1.5ms"},
		{"0.1ms", 100 * time.Microsecond, "0.1ms"},
		{"1s0.000001ms", time.Second + 1, "1s0.000001ms"},
	} {
		var d units.Duration
		if err := d.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if d.Std() != c.want || d.String() != c.shown {
			t.Errorf("%q: %v, shown as %s", c.text, d.Std(), d)
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  int64
		shown string
	}{
		{"0", 0, "0B"},
		{"512", 512, "512B"},
		{"512B", 512, "512B"},
		{"64KiB", 64 << 10, "64KiB"},
		{"64 KiB", 64 << 10, "64KiB"},
		{"1.5KiB", 1536, "1536B"},
		{"10MiB", 10 << 20, "10MiB"},
		{"2GiB", 2 << 30, "2GiB"},
		{"1kB", 1000, "1000B"},
		{"1MB", 1_000_000, "1000000B"},
	} {
		var s units.Size
		if err := s.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if int64(s) != c.want || s.String() != c.shown {
			t.Errorf("%q: %d, shown as %s", c.text, int64(s), s)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]units.Percent{"0%": 0, "20%": 0.2, "12.5%": 0.125, "100%": 1, "250%": 2.5} {
		var p units.Percent
		if err := p.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if p != want || p.String() != text {
			t.Errorf("%q: %v, shown as %s", text, float64(p), p)
		}
	}
}

func TestWhatIsNone(t *testing.T) {
	for _, c := range []struct {
		of  encoding.TextUnmarshaler
		bad []string
	}{
		{new(units.Duration), []string{"", "5", "5 minutes", "-5s", "5y", "s", "1h 30m", "1e3s", "100000w", "99999999999999999999d", "5s\n"}},
		{new(units.Size), []string{"", "10 megabytes", "-1", "1e3", "1kib", "99999999999999999999GiB", "1MiB\n"}},
		{new(units.Percent), []string{"", "20", "%", "-1%", "1e2%", "+5%", "NaN%", "Inf%", "0x1p4%", "1_0%", "20 %"}},
	} {
		for _, text := range c.bad {
			if err := c.of.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T takes %q", c.of, text)
			}
		}
	}
}

// TestWrittenFormIsRead writes any quantity and reads it back.
func TestWrittenFormIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := units.Duration(rapid.Int64Range(0, int64(200*365*24*time.Hour)/2/1e6).Draw(rt, "ms") * 1e6)
		var back units.Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			rt.Fatalf("%d is written %s and read %d (%v)", int64(d), d, int64(back), err)
		}
		s := units.Size(rapid.Int64Range(0, 1<<50).Draw(rt, "bytes"))
		var size units.Size
		if err := size.UnmarshalText([]byte(s.String())); err != nil || size != s {
			rt.Fatalf("%d is written %s and read %d (%v)", int64(s), s, int64(size), err)
		}
		text := fmt.Sprint(float64(rapid.IntRange(0, 100_000).Draw(rt, "percent"))/1000) + "%"
		var p units.Percent
		if err := p.UnmarshalText([]byte(text)); err != nil || p.String() != text {
			rt.Fatalf("%s is read %v and written %s (%v)", text, float64(p), p, err)
		}
	})
}

// FuzzPatterns holds the patterns, which the schema shows to editors, to what
// is read: what is read fits the pattern, and what fits it is read unless it
// is too much.
func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"0", "30s", "1h30m", "10MiB", "20%", "5 minutes", "1.5d", "99999999w", "1_0%"} {
		f.Add(s)
	}
	duration := regexp.MustCompile(units.DurationPattern)
	size := regexp.MustCompile(units.SizePattern)
	percent := regexp.MustCompile(units.PercentPattern)
	f.Fuzz(func(t *testing.T, s string) {
		if err := new(units.Duration).UnmarshalText([]byte(s)); err == nil && !duration.MatchString(s) {
			t.Errorf("%q is a duration against the pattern", s)
		}
		if err := new(units.Size).UnmarshalText([]byte(s)); err == nil && !size.MatchString(s) {
			t.Errorf("%q is a size against the pattern", s)
		}
		if err := new(units.Percent).UnmarshalText([]byte(s)); (err == nil) != percent.MatchString(s) && len(s) < 100 {
			t.Errorf("%q: the pattern and UnmarshalText differ: %v", s, err)
		}
	})
}
