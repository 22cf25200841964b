package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
)

// What is known later is cut out by whoever has the redactor, and by those that
// know more beside it; what was known stays known.
func TestKnow(t *testing.T) {
	r := secret.NewRedactor("first-secret")
	own := r.And("own-secret")
	r.Know("second-secret", "first-secret", "short")
	r.Know("third-secret", "second-secret")
	text := "first-secret own-secret second-secret third-secret short"
	if got, want := own.Text(text), strings.Repeat(secret.Mask+" ", 4)+"short"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("later-%06d", i)
	}
	r.Know(many...)
	if got := r.Text("first-secret later-000000 later-009999 second-secret"); got != strings.Repeat(secret.Mask+" ", 3)+"second-secret" {
		t.Errorf("of more than are kept: %q", got)
	}
}
