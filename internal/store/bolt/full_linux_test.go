package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// TestOpenOnFullDisk fails to make a store for want of space, at every size
// that is too small, and wants that it is made once there is space.
func TestOpenOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount := func(flags uintptr, size string) error {
		return syscall.Mount("none", dir, "tmpfs", flags, "size="+size)
	}
	failed := 0
	for _, size := range []string{"4k", "8k", "12k", "16k", "20k", "32k", "48k"} {
		if err := mount(0, size); err != nil {
			t.Skipf("no file system to fill: %v", err)
		}
		path := filepath.Join(dir, "test.db")
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			failed++
			info, _ := os.Stat(path)
			t.Logf("with %s: %v; the file has %d bytes", size, err, info.Size())
			if err := mount(syscall.MS_REMOUNT, "16m"); err != nil {
				t.Fatal(err)
			}
			s, err = bolt.Open(path, bolt.Options{})
		}
		if err != nil {
			t.Errorf("with space again: %v", err)
		} else {
			if err := s.Commit(t.Context(), &differ.Commit{Source: "shop"}); err != nil && failed > 0 {
				t.Error(err)
			}
			finish(t, s)
		}
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Error("no size was too small")
	}
}

// TestWritesOnFullDisk fills the disk under an open store, and frees it again.
func TestWritesOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no file system to fill: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	registry := prometheus.NewRegistry()
	s, err := bolt.Open(filepath.Join(dir, "test.db"), bolt.Options{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer finish(t, s)
	commit := func(version uint64) error {
		return s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: version, Items: []differ.Item{
			{Key: "a", Hash: differ.Hash{1}, Revision: 1, Content: make([]byte, 1<<20)},
		}})
	}
	if err := commit(0); err != nil || !s.Writes() {
		t.Fatalf("with space: %v, writes %t", err, s.Writes())
	}
	filler := filepath.Join(dir, "filler")
	_ = os.WriteFile(filler, make([]byte, 8<<20), 0o600) // as far as it goes
	if err := commit(1); err == nil || s.Writes() {
		t.Errorf("without space: %v, writes %t", err, s.Writes())
	}
	if got := measured(t, registry); got["deltahook_store_commit_failures_total"] != 1 || got["deltahook_store_writable"] != 0 {
		t.Errorf("without space the metrics are %v, want 1 failure and 0 for writable", got)
	}
	if err := s.Commit(t.Context(), &differ.Commit{Source: "shop", Version: 7}); err == nil {
		t.Error("a conflict was committed")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := commit(1); err != nil || !s.Writes() {
		t.Errorf("with space again: %v, writes %t", err, s.Writes())
	}
}

// TestCompactOnFullDisk has no room for a second file.
func TestCompactOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no file system to fill: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(dir, "test.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	if _, _, err := bolt.Compact(t.Context(), path, nil); !errors.Is(err, bolt.ErrNoSpace) {
		t.Errorf("without room: %v", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bolt.Compact(t.Context(), path, nil); err != nil {
		t.Errorf("with room: %v", err)
	}
}
