package secret_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/secret"
)

// What an answer says over and over again must not cost more than its length:
// each base64 is widened once, and parts that overlap are one.
func TestRedactorTakesLinearTime(t *testing.T) {
	const token = "tok-123456789"
	r := secret.NewRedactor(token, strings.Repeat("A", 8))
	blob := base64.RawStdEncoding.EncodeToString([]byte(token + "..")) // without padding
	for name, text := range map[string]string{
		"base64":   strings.Repeat(blob, (4<<20)/len(blob)),
		"overlaps": strings.Repeat("A", 4<<20),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if got := r.Text(text); got != secret.Mask {
				t.Errorf("%d bytes are left, and they begin with %.40q", len(got), got)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// A secret that goes beyond the end is recognised by what follows.
func TestRedactorHead(t *testing.T) {
	r := secret.NewRedactor("tok-123456789")
	const text = "a tok-123456789 b tok%2D123456789"
	for n, want := range map[int]string{
		0: "", 2: "a ", 3: "a <secret>", 14: "a <secret>", 15: "a <secret>", 17: "a <secret> b", 20: "a <secret> b <secret>", 99: "a <secret> b <secret>",
	} {
		if got := r.Head(text, n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := (*secret.Redactor)(nil).Head(text, 3); got != "a t" {
		t.Errorf("nobody cut %q", got)
	}
	if got := secret.NewRedactor().Head(text, 3); got != "a t" {
		t.Errorf("one that knows nothing cut %q", got)
	}
}
