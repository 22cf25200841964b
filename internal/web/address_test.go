package web_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// nobody is an address at which nothing ever listens. A port that was free a
// moment ago is none: the kernel gives it to another process's server.
const nobody = "127.0.0.1:1"

// freeAddress is one to listen on, and one where nobody answers once that is
// over: at a loopback address that hardly anybody else has, where the system has
// more than the usual one.
func freeAddress(t *testing.T) string {
	t.Helper()
	n := 1 + rand.IntN(1<<16-1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", n>>8, n&0xff))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
