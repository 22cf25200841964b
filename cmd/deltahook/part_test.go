package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A file in the making belongs to who makes it until it has its name, also while
// it is read through: another one would cut it to nothing.
func TestPartIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.db")
	p, err := newPart(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.discard()
	if _, err := p.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.sync(); err != nil {
		t.Fatal(err)
	}
	if other, err := newPart(path); err == nil {
		other.discard()
		t.Error("another one was begun in its place")
	}
	if err := p.place(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); string(got) != "whole" || err != nil {
		t.Errorf("the file has %q, %v", got, err)
	}
	next, err := newPart(path)
	if err != nil {
		t.Fatalf("the next one cannot be made: %v", err)
	}
	next.discard()
	if got, err := os.ReadFile(path); string(got) != "whole" || err != nil {
		t.Errorf("after the next one was given up the file has %q, %v", got, err)
	}
}
