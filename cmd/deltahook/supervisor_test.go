package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// That it is stopping is told also where there is nothing to wait for.
func TestStoppingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	well := func() error { return nil }
	s := newSupervisor(slog.New(slog.DiscardHandler), well, well)
	over, end := context.WithCancel(t.Context())
	end()
	buffer := make([]byte, 100)
	for range 50 { // which of the two it sees first is chance
		if err := s.run(over, over); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"READY=1\nSTATUS=running", "STOPPING=1\nSTATUS=running"} {
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			n, err := conn.Read(buffer)
			if err != nil || string(buffer[:n]) != want {
				t.Fatalf("it says %q (%v), want %q", buffer[:n], err, want)
			}
		}
	}
}
