package poller

import (
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/egress"
)

// pool is the connections to whom an egress policy permits, for all clients of
// that policy which follow each other.
type pool struct {
	policy egress.Policy
	plain  *http.Transport

	mu      sync.Mutex
	clients int
	own     map[string]*ownPool // by the fingerprint of their certificates
}

// ownPool is the connections of sources with the same certificates. It is
// guarded by pool.mu.
type ownPool struct {
	*http.Transport
	id      string
	clients int
}

// newPool is that of one client.
func newPool(p egress.Policy) *pool {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: p.Control}
	return &pool{policy: p, clients: 1, own: map[string]*ownPool{}, plain: &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // Client.read undoes more than the transport would
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}}
}

// join is the pool for one more client: p, where the policy is the same.
func (p *pool) join(policy egress.Policy) *pool {
	if p.policy.AllowPrivate != policy.AllowPrivate || !slices.Equal(p.policy.Allow, policy.Allow) {
		return newPool(policy)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients++
	return p
}

// leave takes off a client, and reports whether it was the last one.
func (p *pool) leave() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients--
	return p.clients == 0
}

// take is the connections with some certificates, but else as those of plain,
// for one more client.
func (p *pool) take(s credential.TLSSettings, plain *http.Transport) (*ownPool, error) {
	id := s.Fingerprint()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.own[id]
	if t == nil {
		config, err := s.Config()
		if err != nil {
			return nil, err
		}
		t = &ownPool{Transport: plain.Clone(), id: id}
		t.TLSClientConfig = config
		p.own[id] = t
	}
	t.clients++
	return t, nil
}

// giveBack takes off a client. What it had alone is closed.
func (p *pool) giveBack(t *ownPool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.clients--; t.clients == 0 {
		delete(p.own, t.id)
		t.CloseIdleConnections()
	}
}

// over is the transport for some certificates, one for all who have the same.
// Each of them has its own connections, 512 of which may be idle.
func (c *Client) over(s credential.TLSSettings) (http.RoundTripper, error) {
	if s == (credential.TLSSettings{}) {
		return c.transport, nil
	}
	plain, ok := c.transport.(*http.Transport)
	if !ok {
		return c.transport, nil // a test's own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.own[s]
	if t == nil {
		var err error
		if t, err = c.pool.take(s, plain); err != nil {
			return nil, err
		}
		c.own[s] = t
	}
	return t.Transport, nil
}
