package emitter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/deltahook/deltahook/internal/egress"
)

// connect builds the client. Each endpoint has its own connections: as many
// as it has attempts in flight, kept for the next ones.
func (e *Endpoint) connect(s Settings, o EndpointOptions) error {
	config, err := s.TLS.Config()
	if err != nil {
		return fmt.Errorf("tls.%w", err)
	}
	proxy, err := parseProxy(s.Proxy.Reveal())
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	transport := o.Transport
	e.closeIdle = func() {}
	if transport == nil {
		guard := o.Egress
		if proxy != nil {
			// The configuration names the proxy, which usually is within; the
			// dialer sees no other address.
			guard.AllowPrivate = true
		}
		dialer := &net.Dialer{Timeout: e.timeout, Control: guard.Control}
		own := &http.Transport{
			Proxy:                  nil, // of the environment: the guard sees addresses, and a proxy would hide them
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    e.timeout,
			MaxIdleConns:           e.concurrency,
			MaxIdleConnsPerHost:    e.concurrency,
			IdleConnTimeout:        10 * time.Minute, // outlasts the usual polling interval
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // what is kept of the answer is as it was sent
		}
		transport, e.closeIdle = own, own.CloseIdleConnections
		if proxy != nil {
			own.Proxy = http.ProxyURL(proxy)
			transport = proxied{own, o.Egress}
		}
	}
	e.transport = transport
	return nil
}

// parseProxy reads a proxy's URL; nil: there is none. The error does not show
// it. Proxies that speak TLS themselves are not among them: they would be shown
// the endpoint's certificate.
func parseProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("this is not a URL")
	case u.Scheme != "http" && u.Scheme != "socks5":
		return nil, errors.New("the URL doesn't begin with http:// or socks5://")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("a proxy has no path")
	}
	return u, nil
}

// proxied is a transport through a proxy. The guard in its dialer sees nothing
// but the proxy, so the addresses of the receiver's name are looked up here and
// all of them must be permitted. What the proxy then makes of the name is its
// own matter: it may know names that nobody else does, and those pass.
type proxied struct {
	*http.Transport
	guard egress.Policy
}

// RoundTrip is the transport's, where the guard permits it.
func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.check(r.Context(), r.URL.Hostname()); err != nil {
		return nil, err
	}
	return p.Transport.RoundTrip(r)
}

func (p proxied) check(ctx context.Context, host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return p.guard.Check(addr)
	}
	if isLoopback(host) { // whoever looks it up
		return p.guard.Check(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		if err := p.guard.Check(addr); err != nil {
			return err
		}
	}
	return nil
}

// redialWait is how long after a connection that could not be made it is tried
// once more.
const redialWait = 100 * time.Millisecond

// redials says whether a second try is permitted: where no byte of the request
// can have been written, because there was no connection, and where trying
// again at once may help, so neither after a refused address nor after a
// timeout.
func redials(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	_, refused := errors.AsType[*egress.Refused](err)
	return ok && op.Op == "dial" && !op.Timeout() && !refused
}
