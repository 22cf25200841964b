package bolt_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

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
