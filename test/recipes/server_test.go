package recipes_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// newServer is a server at a loopback address of its own, where the system has
// more than one: what some other test still sends to a port that was free does
// not arrive here. The caller closes it.
func newServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	n := 1 + rand.IntN(1<<16-1)
	if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.%d.%d.1:0", n>>8, n&0xff)); err == nil {
		_ = server.Listener.Close() // the one at 127.0.0.1
		server.Listener = l
	}
	server.Start()
	return server
}
