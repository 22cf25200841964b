package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd is the socket of a supervisor that is told how a daemon fares.
func systemd(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return path, func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("nothing more was said: %v", err)
		}
		return string(buffer[:n])
	}
}

// A supervisor is told that the daemon is ready, then again and again that it
// is alive, and that it is stopping, in this order.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	socket, next := systemd(t)
	url, _, _ := values(t, `{"v":1}`)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", configured(newReceiver(t, nil), oneSource(url, "@hourly")))
	d := startEnv(t, binary(t), dir, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=400000"}, "run")
	if got, want := next(), "READY=1\nSTATUS=running"; got != want {
		t.Errorf("first it says %q, want %q", got, want)
	}
	for range 3 {
		if got, want := next(), "WATCHDOG=1\nSTATUS=running"; got != want {
			t.Errorf("then it says %q, want %q", got, want)
		}
	}
	d.signal(t, syscall.SIGTERM)
	said := next()
	for said == "WATCHDOG=1\nSTATUS=running" {
		said = next()
	}
	if want := "STOPPING=1\nSTATUS=shutting down"; said != want {
		t.Errorf("in the end it says %q, want %q", said, want)
	}
	if status := d.exit(t, patience); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	if log := d.stderr.String(); strings.Contains(log, "systemd cannot be told") {
		t.Errorf("it could not say something:\n%s", log)
	}
}
