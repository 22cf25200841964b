package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/deltahook/deltahook/internal/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDial(t *testing.T) {
	port := listen(t)
	for host, policy := range map[string]egress.Policy{
		"127.0.0.1":          {},
		"localhost":          {},
		"[::ffff:127.0.0.1]": {},
		"127.0.0.2":          {Allow: prefixes(t, "127.0.0.1")},
	} {
		dialer := &net.Dialer{Control: policy.Control}
		conn, err := dialer.DialContext(t.Context(), "tcp", host+":"+port)
		if err == nil {
			conn.Close()
		}
		if _, ok := errors.AsType[*egress.Refused](err); !ok {
			t.Errorf("%s: %v is not *Refused", host, err)
		}
	}
	for host, policy := range map[string]egress.Policy{
		"127.0.0.1": {Allow: prefixes(t, "127.0.0.0/8")},
		"localhost": {AllowPrivate: true},
	} {
		dialer := &net.Dialer{Control: policy.Control}
		conn, err := dialer.DialContext(t.Context(), "tcp", host+":"+port)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
}

func TestOnlyTCP(t *testing.T) {
	policy := egress.Policy{AllowPrivate: true}
	dialer := &net.Dialer{Control: policy.Control}
	for network, address := range map[string]string{"udp": "127.0.0.1:9", "unix": t.TempDir() + "/none"} {
		conn, err := dialer.DialContext(t.Context(), network, address)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "only tcp is permitted") {
			t.Errorf("%s: %v", network, err)
		}
	}
}

// A name that is public when it is looked at, and private when it is dialled,
// gains nothing.
func TestRebinding(t *testing.T) {
	port := listen(t)
	var dialled atomic.Bool
	resolver := nameServer(t, func() [4]byte {
		if dialled.Load() {
			return [4]byte{127, 0, 0, 1}
		}
		return [4]byte{8, 8, 8, 8}
	})
	addrs, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.test.")
	if err != nil || len(addrs) != 1 || (egress.Policy{}).Check(addrs[0]) != nil {
		t.Fatalf("the first look-up: %v, %v", addrs, err)
	}
	dialled.Store(true)

	dialer := &net.Dialer{Resolver: resolver, Control: egress.Policy{}.Control}
	conn, err := dialer.DialContext(t.Context(), "tcp", "rebind.test.:"+port)
	if err == nil {
		conn.Close()
	}
	refused, ok := errors.AsType[*egress.Refused](err)
	if !ok || refused.Addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("the dial: %v", err)
	}
}

// listen accepts connections on the loopback interface and closes them; it
// gives the port.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// nameServer answers every question for an A record with one address, and
// every other with none.
func nameServer(t *testing.T, address func() [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(answer(buf[:n], address()), from)
		}
	})
	t.Cleanup(func() { server.Close(); wg.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is the DNS message (RFC 1035, section 4) that answers query.
func answer(query []byte, address [4]byte) []byte {
	const header, typeA = 12, 1
	end := header
	for query[end] != 0 { // the labels of the name
		end += 1 + int(query[end])
	}
	end += 1 + 4 // the root, type and class
	isA := binary.BigEndian.Uint16(query[end-4:]) == typeA

	reply := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(reply[2:], 0x8180) // a response, recursion available, no error
	binary.BigEndian.PutUint16(reply[4:], 1)      // one question
	clear(reply[6:header])
	if isA {
		binary.BigEndian.PutUint16(reply[6:], 1)                              // one answer:
		reply = append(reply, 0xC0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4) // the same name, A, IN, TTL 0
		reply = append(reply, address[:]...)
	}
	return reply
}
