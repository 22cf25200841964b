package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/store/bolt"
)

// TestRepairSaysWhatIsLeft repairs a store with items and deliveries and one
// without, of which one of the two heads is gone: it says how much each keeps,
// and loudly where nothing is left that is of use.
func TestRepairSaysWhatIsLeft(t *testing.T) {
	full, err := os.ReadFile(filepath.Join("..", "..", "internal", "store", "bolt", "testdata", "v6.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "deltahook.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	harm := func(file []byte, head int) {
		t.Helper()
		clear(file[head : head+64])
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repair := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), append([]string{"fsck", path}, args...), &stdout, &stderr); status != 0 {
			t.Fatalf("status %d: %s%s", status, &stdout, &stderr)
		}
		return stdout.String()
	}

	harm(bytes.Clone(full), 0)
	said := repair("--repair")
	if !regexp.MustCompile(`(?m)^kept \d\d+ records: [1-9]\d* items?, .* [1-9]\d* deliver`).MatchString(said) || strings.Contains(said, "LEFT") {
		t.Errorf("a store with items: %s", said)
	}
	harm(bytes.Clone(full), 0)
	var doc struct {
		Repaired struct{ Records map[string]int }
	}
	var after struct{ Records map[string]int }
	if err := json.Unmarshal([]byte(repair("--repair", "-o", "json")), &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(repair("-o", "json")), &after); err != nil {
		t.Fatal(err)
	}
	if got := doc.Repaired.Records; got["items"] == 0 || !maps.Equal(got, after.Records) {
		t.Errorf("repair counts %v, and afterwards there are %v", got, after.Records)
	}

	harm(empty, os.Getpagesize()) // the older one, which knows of nothing yet
	said = repair("--repair")
	for _, want := range []string{"kept 1 record: 0 items, ", "NO ITEM IS LEFT", "NO DELIVERY IS LEFT"} {
		if !strings.Contains(said, want) {
			t.Errorf("an empty store: %q is not in %s", want, said)
		}
	}
}
