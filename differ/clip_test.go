package differ_test

import (
	"strings"
	"testing"

	"github.com/deltahook/deltahook/differ"
)

// A key that is too long to be shown is cut between two characters.
func TestLongKeyIsCutWhole(t *testing.T) {
	n := differ.Note{Key: "x" + strings.Repeat("ä", 60)}
	if err := n.Check(); err == nil || strings.Contains(err.Error(), `\x`) || !strings.Contains(err.Error(), "ää…") {
		t.Errorf("Check = %v", err)
	}
}
