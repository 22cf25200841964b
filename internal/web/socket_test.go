package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/web"
)

func TestSocketPathIsTheSameFromEverywhere(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "state.db")
	want := web.SocketPath(store)
	if want != store+".sock" {
		t.Errorf("SocketPath = %s, want it beside the store", want)
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "real"))
	for _, name := range []string{"../state.db", "../link/state.db", filepath.Join(dir, "real", "..", "state.db")} {
		if got := web.SocketPath(name); got != want {
			t.Errorf("SocketPath(%s) = %s, want %s", name, got, want)
		}
	}
	// Opening the store makes the file: that must not move the socket.
	if err := os.WriteFile(store, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := web.SocketPath("../state.db"); got != want {
		t.Errorf("SocketPath = %s once the file is there, want %s", got, want)
	}
}

func TestSocketOfALongPath(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	store := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "state.db")
	path := web.SocketPath(store)
	if len(path) > 100 || !strings.HasPrefix(path, os.TempDir()) || path == web.SocketPath(store+"2") {
		t.Fatalf("SocketPath = %s, want a short one for this store alone", path)
	}
	start(t, web.Options{Store: store, Snapshots: &reader{}})
	dial(t, store)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v), want 0700", info.Mode(), err)
	}

	// A folder that others may write to isn't one to trust, from either side.
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := web.Dial(t.Context(), store); err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("Dial = %v, want it to refuse a folder that is open to others", err)
	}
	err := web.New(web.Options{Store: store + "2"}).Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("Listen = %v, want it to refuse a folder that is open to others", err)
	}
}

func TestSocketIsForThisUserOnly(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	start(t, web.Options{Store: store, Snapshots: &reader{}})
	info, err := os.Stat(web.SocketPath(store))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestSocketTakesTheSeatOfTheDeadOnly(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	leaveSocket(t, web.SocketPath(store))
	start(t, web.Options{Store: store, Snapshots: &reader{}})

	err := web.New(web.Options{Store: store}).Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another deltahook answers") {
		t.Errorf("Listen = %v, want it to leave a socket alone that answers", err)
	}
	dial(t, store)

	other := filepath.Join(t.TempDir(), "other.db")
	if err := os.WriteFile(web.SocketPath(other), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = web.New(web.Options{Store: other}).Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Listen = %v, want it to leave a file alone", err)
	}
	if text, err := os.ReadFile(web.SocketPath(other)); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
}
