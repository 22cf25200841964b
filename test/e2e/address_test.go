package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// nobody is an address at which nothing ever listens. The port of a server
// that was closed is none: the kernel gives it to another test's, which then
// hears what was meant for the one that is gone.
const nobody = "127.0.0.1:1"

// newServer is a server at a loopback address of its own: what a program still
// sends to a port that was another server's does not arrive here. The caller
// closes it.
func newServer(tb testing.TB, handler http.HandlerFunc) *httptest.Server {
	tb.Helper()
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close() // the one at 127.0.0.1
	server.Listener = listen(tb)
	server.Start()
	return server
}

// freeAddress is one to listen on.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l := listen(tb)
	defer l.Close()
	return l.Addr().String()
}

// listen listens at a loopback address that hardly anybody else has, or at the
// usual one where the system has no other.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	n := 1 + rand.IntN(1<<16-1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", n>>8, n&0xff))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
