// Package secret holds values that must never be seen: a type that prints as
// <secret> wherever it may end up, and a Redactor that cuts known values out
// of free text such as errors, log lines and stored answers.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Mask is what stands in the place of a secret.
const Mask = "<secret>"

// Text is a secret string. Whatever formats it (fmt, slog, JSON, YAML) gets
// Mask; only Reveal gives the value. The zero value is the empty secret.
type Text struct{ value string }

// New makes a secret of s.
func New(s string) Text { return Text{s} }

// Reveal is the value itself: for the wire and for signing, never for output.
func (t Text) Reveal() string { return t.value }

// IsZero reports whether the secret is empty.
func (t Text) IsZero() bool { return t.value == "" }

// String is Mask, or "" where the secret is empty.
func (t Text) String() string {
	if t.value == "" {
		return ""
	}
	return Mask
}

// Format makes every verb of fmt print Mask.
func (t Text) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue makes slog print Mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText makes encoders print Mask.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON makes encoding/json print Mask.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalText takes the value in.
func (t *Text) UnmarshalText(b []byte) error {
	t.value = string(b)
	return nil
}

// sensitive are the words that make a header's or a query parameter's name
// one whose value is not shown. They count within a longer word too: hiding a
// "passenger" costs less than showing a "userpass".
var sensitive = []string{
	"auth", "bearer", "jwt", "cookie", "session", "key", "appid", "secret", "token",
	"pass", "pwd", "credential", "sig",
}

// Name reports whether a header or a query parameter of this name usually
// carries a credential.
func Name(name string) bool {
	low := strings.ToLower(name)
	for _, word := range sensitive {
		if strings.Contains(low, word) {
			return true
		}
	}
	return false
}
