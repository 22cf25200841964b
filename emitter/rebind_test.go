package emitter_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
)

// names makes the process's resolver answer every question with what
// addresses says at the time.
func names(t *testing.T, addresses func() []string) {
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
			_, _ = server.WriteTo(reply(t, buf[:n], addresses()), from)
		}
	})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = before; _ = server.Close(); wg.Wait() })
}

func reply(t *testing.T, query []byte, addresses []string) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		t.Error(err)
		return nil
	}
	m.Response, m.RecursionAvailable = true, true
	m.Additionals = nil
	for _, text := range addresses {
		addr, q := netip.MustParseAddr(text), m.Questions[0]
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case q.Type == dnsmessage.TypeA && addr.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}})
		case q.Type == dnsmessage.TypeAAAA && addr.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return packed
}

// A receiver's name that was permitted and then stands for what is not gains
// nothing: each connection's address is judged when it is made, through a
// proxy before each request.
func TestRebindingName(t *testing.T) {
	var heard atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	p := newProxy(t)

	var now atomic.Value
	names(t, func() []string { return now.Load().([]string) })
	// Stands for the public addresses, of which there are none in a test.
	permitted := egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	direct := endpoint(t, emitter.Settings{URL: "http://rebind.example:" + port, Timeout: 60e9}, emitter.EndpointOptions{Egress: permitted})
	proxied := endpoint(t, emitter.Settings{URL: "http://shop.proxied.invalid:" + port, Proxy: secret.New(p.URL), Timeout: 60e9}, emitter.EndpointOptions{Egress: permitted})
	for _, c := range []struct {
		addresses []string
		want      string // "": delivered
	}{
		{[]string{"127.0.0.1"}, ""},
		{[]string{"127.0.0.2"}, "127.0.0.2 is refused: loopback"},
		{[]string{"10.1.2.3"}, "10.1.2.3 is refused: private"},
		{[]string{"169.254.169.254"}, "169.254.169.254 is refused: it is the metadata address"},
		{[]string{"::1"}, "::1 is refused: loopback"},
		{[]string{"::ffff:10.1.2.3"}, "10.1.2.3 is refused: private"},
		{[]string{"64:ff9b::a9fe:a9fe"}, "64:ff9b::a9fe:a9fe is refused"},
		{[]string{"fd00:ec2::254"}, "fd00:ec2::254 is refused"},
		{[]string{"127.0.0.1"}, ""},
	} {
		now.Store(c.addresses)
		for name, e := range map[string]*emitter.Endpoint{"direct": direct, "proxied": proxied} {
			e.Close() // the connection that is kept was permitted
			before := heard.Load()
			a := e.Send(t.Context(), hello)
			delivered := c.want == ""
			if (a.Status == 200) != delivered || (heard.Load() > before) != delivered || !strings.Contains(a.Reason, c.want) || (a.Error == emitter.ErrorRefused) == delivered {
				t.Errorf("%s, %v: %+v", name, c.addresses, a)
			}
		}
	}
	// Of several addresses one that is refused is left out where each is dialled
	// by itself, and enough for a no where the proxy would choose.
	now.Store([]string{"10.1.2.3", "127.0.0.1"})
	direct.Close()
	if a := direct.Send(t.Context(), hello); a.Status != 200 {
		t.Errorf("direct: %+v", a)
	}
	if a := proxied.Send(t.Context(), hello); a.Error != emitter.ErrorRefused {
		t.Errorf("proxied: %+v", a)
	}
}
