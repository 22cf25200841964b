// Package loopback gives tests addresses that no other test is asked at. The
// kernel gives a port that was free, or a server's that was closed, to the next
// who asks for one; what is still sent there would arrive at that one.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Nobody is an address at which nothing ever listens.
const Nobody = "127.0.0.1:1"

// NewServer starts a server at an address as of Listen. The caller closes it.
func NewServer(tb testing.TB, handler http.HandlerFunc) *httptest.Server {
	tb.Helper()
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close() // the one at 127.0.0.1
	server.Listener = Listen(tb)
	server.Start()
	return server
}

// Free is an address to listen on, where nobody answers before or after that.
func Free(tb testing.TB) string {
	tb.Helper()
	l := Listen(tb)
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return l.Addr().String()
}

// Listen listens at a loopback address that hardly anybody else has, or at
// 127.0.0.1 where the system has no other.
func Listen(tb testing.TB) net.Listener {
	tb.Helper()
	n := 1 + rand.IntN(1<<16-1)
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", fmt.Sprintf("127.%d.%d.1:0", n>>8, n&0xff))
	if err != nil {
		l, err = new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
