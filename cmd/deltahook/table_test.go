package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wide fills a table whose last column is longer than most terminals.
func wide(t *testing.T, width int) []string {
	t.Helper()
	var out bytes.Buffer
	table := newTable(&out, width, "SOURCE", "STATE", "REASON")
	table.row("orders", "failing", strings.Repeat("ü", 60))
	table.row("o\tr\nd\x1b[31m", "ok", "")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(out.String(), "\n")
}

func TestTableElsewhereHasAllOfIt(t *testing.T) {
	want := []string{
		"SOURCE          STATE    REASON",
		"orders          failing  " + strings.Repeat("ü", 60),
		`o r\nd\x1b[31m  ok`,
		"",
	}
	if diff := cmp.Diff(want, wide(t, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestTableOnATerminalEndsWhereThatDoes(t *testing.T) {
	for width, left := range map[int]int{60: 60 - 25, 30: leastLast, 200: 60} {
		line := []rune(wide(t, width)[1])
		if got := len(line) - len("orders          failing  "); got != left {
			t.Errorf("on %d columns there are %d characters of the last one, want %d: %s", width, got, left, string(line))
		}
		if cut := line[len(line)-1] == '…'; cut != (left < 60) {
			t.Errorf("on %d columns: %s", width, string(line))
		}
	}
}
