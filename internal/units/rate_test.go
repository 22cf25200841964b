package units_test

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/internal/units"
)

func TestRate(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  units.Rate
		shown string
	}{
		{"5/s", units.Rate{N: 5, Per: time.Second}, "5/s"},
		{"5/second", units.Rate{N: 5, Per: time.Second}, "5/s"},
		{"1400/10s", units.Rate{N: 1400, Per: 10 * time.Second}, "1400/10s"},
		{"1/250ms", units.Rate{N: 1, Per: 250 * time.Millisecond}, "1/250ms"},
		{"30/1m", units.Rate{N: 30, Per: time.Minute}, "30/m"},
		{"60/60s", units.Rate{N: 60, Per: time.Minute}, "60/m"},
		{"60/hour", units.Rate{N: 60, Per: time.Hour}, "60/h"},
		{"250/day", units.Rate{N: 250, Per: 24 * time.Hour}, "250/day"},
		{"250/d", units.Rate{N: 250, Per: 24 * time.Hour}, "250/day"},
		{"250/24h", units.Rate{N: 250, Per: 24 * time.Hour}, "250/day"},
		{"7/7d", units.Rate{N: 7, Per: 7 * 24 * time.Hour}, "7/w"},
		{"2147483647/s", units.Rate{N: 1<<31 - 1, Per: time.Second}, "2147483647/s"},
	} {
		var r units.Rate
		if err := r.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if r != c.want || r.String() != c.shown {
			t.Errorf("%q: %d in %s, shown as %s", c.text, r.N, r.Per, r)
		}
	}
	for _, text := range []string{
		"", "5", "/s", "5/", "0/s", "05/s", "-5/s", "5.5/s", "5/0s", "5/01s", "5/1.5s", "5/y", "5/days", "5/2day", "5 / s", "5/s\n",
		"2147483648/s", "99999999999999999999/s", "1/99999999999w", "1e3/s",
	} {
		if err := new(units.Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as a rate", text)
		}
	}
	if text := (units.Rate{}).String(); text != "" {
		t.Errorf("the zero value is written %q", text)
	}
}

func TestRateIn(t *testing.T) {
	r := units.Rate{N: 1400, Per: 10 * time.Second}
	if got := r.In(24 * time.Hour); got != 12_096_000 {
		t.Errorf("%s makes %v in a day", r, got)
	}
	if got := (units.Rate{}).In(time.Hour); got != 0 {
		t.Errorf("no rate makes %v", got)
	}
}

// TestWrittenRateIsRead writes any rate and reads it back.
func TestWrittenRateIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := units.Rate{N: rapid.IntRange(1, 1<<31-1).Draw(rt, "n"), Per: time.Duration(rapid.Int64Range(1, 1<<33).Draw(rt, "ms")) * time.Millisecond}
		var back units.Rate
		if err := back.UnmarshalText([]byte(r.String())); err != nil || back != r {
			rt.Fatalf("%+v is written %s and read %+v (%v)", r, r, back, err)
		}
	})
}

// FuzzRate holds the pattern, which the schema shows to editors, to what is
// read.
func FuzzRate(f *testing.F) {
	for _, s := range []string{"5/s", "1400/10s", "250/day", "1/99999999999w", "0/s", "5/2day"} {
		f.Add(s)
	}
	pattern := regexp.MustCompile(units.RatePattern)
	f.Fuzz(func(t *testing.T, s string) {
		var r units.Rate
		err := r.UnmarshalText([]byte(s))
		if fits := pattern.MatchString(s); fits != (err == nil) && (!fits || len(s) < 7) {
			t.Errorf("%q: the pattern and UnmarshalText differ: %v", s, err)
		}
		if err == nil && (r.N < 1 || r.Per < time.Millisecond) {
			t.Errorf("%q is %+v", s, r)
		}
	})
}
