package differ_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/expr"
)

func TestTimes(t *testing.T) {
	const none = ""
	for text, want := range map[string]string{
		`null`: none,
		`""`:   none,

		// text with an offset
		`"2026-11-23T09:00:00Z"`:          "2026-11-23T09:00:00Z",
		`"2026-11-23T09:00:00+05:30"`:     "2026-11-23T03:30:00Z",
		`"2026-11-23T09:00:00.250-08:00"`: "2026-11-23T17:00:00.25Z",
		`"2026-11-23 09:00:00+0100"`:      "2026-11-23T08:00:00Z",
		`"2026-11-23 09:00:00 +01"`:       "2026-11-23T08:00:00Z",
		`"2026-11-23t09:00z"`:             "2026-11-23T09:00:00Z",
		`"2026-11-23T09:00:00.9999999Z"`:  "2026-11-23T09:00:00.999Z",

		// without one: Europe/Berlin
		`"2026-11-23T09:00:00.0000000"`: "2026-11-23T08:00:00Z",
		`"2026-07-23 09:00"`:            "2026-07-23T07:00:00Z",
		`"2026-11-23 09:00:30"`:         "2026-11-23T08:00:30Z",
		`"2026-11-23"`:                  "2026-11-22T23:00:00Z",
		`"2026-03-29T02:30:00"`:         "2026-03-29T01:00:00Z", // skipped
		`"2026-10-25T02:30:00"`:         "2026-10-25T00:30:00Z", // twice

		// numbers
		`1795424400`:             "2026-11-23T09:00:00Z",
		`1795424400.25`:          "2026-11-23T09:00:00.25Z",
		`1795424400000`:          "2026-11-23T09:00:00Z",
		`0`:                      "1970-01-01T00:00:00Z",
		`99999999999`:            "5138-11-16T09:46:39Z",
		`100000000000`:           "1973-03-03T09:46:40Z",
		`253402300799999`:        "9999-12-31T23:59:59.999Z",
		`"9999-12-31"`:           "9999-12-30T23:00:00Z",
		`"0001-01-01"`:           none, // what .NET and Go write for no time
		`"0001-01-01T00:00:00Z"`: none,
		`"0000-00-00 00:00:00"`:  none,

		// Google Calendar, Microsoft Graph
		`{"dateTime":"2026-11-23T10:00:00+01:00","timeZone":"Europe/Berlin"}`: "2026-11-23T09:00:00Z",
		`{"date":"2026-11-23"}`:                                                         "2026-11-22T23:00:00Z",
		`{"date":"2026-11-23","timeZone":"America/New_York"}`:                           "2026-11-23T05:00:00Z",
		`{"dateTime":"2026-11-23T09:00:00.0000000","timeZone":"Pacific Standard Time"}`: "2026-11-23T17:00:00Z",
		`{"dateTime":"2026-11-23T09:00:00.0000000","timeZone":"UTC"}`:                   "2026-11-23T09:00:00Z",
		`{"date_time":"2026-11-23T09:00:00","time_zone":"W. Europe Standard Time"}`:     "2026-11-23T08:00:00Z",
		`{"dateTime":null,"date":"2026-11-23","timeZone":null}`:                         "2026-11-22T23:00:00Z",
		`{"dateTime":"2026-11-23T09:00:00","timeZone":""}`:                              "2026-11-23T08:00:00Z",
		`{"dateTime":1795424400,"timeZone":"America/New_York"}`:                         "2026-11-23T09:00:00Z",
		`{"dateTime":null,"timeZone":"UTC"}`:                                            none,
	} {
		v, err := expr.Decode([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		at, err := differ.TimeOf(v, "Europe/Berlin")
		got := ""
		if !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 1, time.FixedZone("", 3600))
	if got, err := differ.TimeOf(at, ""); err != nil || !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%s is read as %s, %v", at, got, err)
	}
	if got, err := differ.TimeOf(time.Time{}, ""); err != nil || !got.IsZero() {
		t.Errorf("no time is read as %s, %v", got, err)
	}
}

func TestWhatIsNoTime(t *testing.T) {
	for text, want := range map[string]string{
		`true`:                    "of the type bool",
		`[]`:                      "is not a time",
		`{}`:                      "without dateTime and without date",
		`{"start":"2026-11-23"}`:  "without dateTime and without date",
		`{"dateTime":{"date":1}}`: "a mapping was given",
		`{"date":"2026-11-23","timeZone":"Mars/Phobos"}`: "neither an IANA zone",
		`{"date":"2026-11-23","timeZone":7}`:             "the name of a zone was expected",
		`{"date":"2026-11-23","timeZone":"Local"}`:       "neither an IANA zone",
		`-1`:                                "Unix seconds",
		`1e300`:                             "Unix seconds",
		`1795424400000000`:                  "Unix seconds",
		`"tomorrow"`:                        "is not a time such as",
		`" "`:                               "is not a time such as",
		`"1795424400"`:                      "is not a time such as",
		`"2026-11-31"`:                      "no such day",
		`"2026-11-23T25:00:00Z"`:            "no such day or hour",
		`"2026-11-23T23:59:60Z"`:            "no such day or hour",
		`"2026-11-23T09:00:00+24:00"`:       "no such offset",
		`"2026-11-23T09:00:00+01:"`:         "no such offset",
		`"2026-11-23T09:00.5"`:              "is not a time such as",
		`"2026-11-23T09"`:                   "is not a time such as",
		`"2026-11-23Z"`:                     "is not a time such as",
		`"23.11.2026"`:                      "is not a time such as",
		`"` + strings.Repeat("1", 70) + `"`: "a text of 70 bytes",
	} {
		v, err := expr.Decode([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if at, err := differ.TimeOf(v, ""); err == nil || !strings.Contains(err.Error(), want) || !at.IsZero() {
			t.Errorf("%s: %s, %v; want %s", text, at, err, want)
		}
	}
	if _, err := differ.TimeOf(math.NaN(), ""); err == nil {
		t.Error("NaN is a time")
	}
}

// What is read is one time, whatever the zone, or says why not; in text with an
// offset the zone has no part.
func FuzzTimes(f *testing.F) {
	for _, s := range []string{`"2026-11-23T09:00:00.0000000"`, `"2026-11-23 09:00 +01"`, `1795424400.5`, `{"date":"2026-03-29","timeZone":"Europe/Berlin"}`,
		`{"dateTime":"2011-12-30T10:00:00","timeZone":"Samoa Standard Time"}`, `"0001-01-01"`, `"2026-11-23T09:00:00-00:00"`} {
		f.Add(s, "Australia/Lord_Howe")
	}
	f.Fuzz(func(t *testing.T, text, zone string) {
		v, err := expr.Decode([]byte(text))
		if err != nil {
			return
		}
		at, err := differ.TimeOf(v, zone)
		if err != nil && !at.IsZero() {
			t.Fatalf("%s: %s, and %v", text, at, err)
		}
		if err != nil || at.IsZero() {
			return
		}
		if at.Location() != time.UTC || at.Nanosecond()%1e6 != 0 || at.Year() < 1 || at.Year() > 10000 {
			t.Fatalf("%s in %q is %v", text, zone, at)
		}
		if again, err := differ.TimeOf(at, ""); err != nil || !again.Equal(at) {
			t.Fatalf("%s is read again as %s, %v", at, again, err)
		}
		written, _ := json.Marshal(at.Format(time.RFC3339Nano))
		if v, _ := expr.Decode(written); at.Year() > 1 && at.Year() < 10000 {
			if again, err := differ.TimeOf(v, zone); err != nil || !again.Equal(at) {
				t.Fatalf("%s is read again as %s, %v", written, again, err)
			}
		}
		if s, ok := v.(string); ok && (strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "+01:00")) {
			if other, err := differ.TimeOf(v, "Pacific/Apia"); err != nil || !other.Equal(at) {
				t.Fatalf("%s: %s in %q and %s in Apia", text, at, zone, other)
			}
		}
		// RFC 3339 itself is read as the standard library reads it.
		if s, ok := v.(string); ok {
			if std, err := time.Parse(time.RFC3339, s); err == nil && std.UnixMilli() != at.UnixMilli() {
				t.Fatalf("%s is %s, and %s by package time", s, at, std)
			}
		}
	})
}
