package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A demo whose daemon cannot start ends, and says why.
func TestDemoFails(t *testing.T) {
	tmp := filepath.Join(t.TempDir(), strings.Repeat("long", 30)) // so that the socket is put into a folder of its own
	t.Setenv("TMPDIR", tmp)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tmp, "deltahook-"+strconv.Itoa(os.Getuid())), nil, 0o600); err != nil { // which it can't be
		t.Fatal(err)
	}
	a := &app{out: io.Discard, err: io.Discard}
	if err := a.demo(t.Context()); err == nil || !strings.Contains(err.Error(), "socket") {
		t.Errorf("the demo ended with %v", err)
	}
}
