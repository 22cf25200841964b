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
