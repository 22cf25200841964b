package poller

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/decode"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
)

// Bounds of the connections that all sources share.
const (
	dialTimeout   = 10 * time.Second // for DNS and TCP together, and again for TLS
	idleTimeout   = 10 * time.Minute // a new TLS connection costs as much as 23 polls, so it outlasts usual intervals
	idleConns     = 512              // to all hosts together, or to one
	maxHeader     = 1 << 20          // bytes of an answer's header
	pingAfter     = 30 * time.Second // of silence on HTTP/2: finds connections that a router forgot
	pingTimeout   = 15 * time.Second
	largestPooled = 1 << 20 // buffers that grew beyond are left to the collector
)

// ClientOptions is what all sources' exchanges have in common.
type ClientOptions struct {
	Version  string                         // told in the user agent, Deltahook/VERSION; empty: no version is told
	Egress   egress.Policy                  // whom sources may reach; the zero value is public addresses only
	Redactor *secret.Redactor               // cuts secrets out of errors and previews, and learns tokens; nil cuts nothing
	Auth     map[string]credential.Settings // credentials that sources may name
	Tokens   auth.Store                     // where refresh tokens are kept; nil: none is exchanged
	Logger   *slog.Logger                   // where credentials are told of that a person must renew; nil: nowhere
	Limits   map[string]LimitSettings       // budgets that sources may name
	Access   func(credential.Access)        // as credential.Options.Access
}

// Client is the HTTP client for polling of one configuration: one pool of
// connections for all sources. Those of configurations that follow each other
// share what is equal in them (see Renew). It is safe for concurrent use.
type Client struct {
	transport http.RoundTripper // of pool, or a test's own
	pool      *pool
	base      http.Header // of every request, to any host; not changed
	redactor  *secret.Redactor
	book      *credential.Book
	limits    map[string]*limit
	buffers   *sync.Pool // of *bytes.Buffer
	inflater  *decode.Inflater

	mu     sync.Mutex
	own    map[credential.TLSSettings]*ownPool // for sources with certificates of their own
	closed bool
}

// NewClient makes the client. It opens no connection. A proxy named in the
// environment is not used: the egress policy would see only the proxy's
// address.
func NewClient(o ClientOptions) *Client {
	pool := newPool(o.Egress)
	c := &Client{
		transport: pool.plain, pool: pool, limits: newLimits(o.Limits, nil), buffers: &sync.Pool{}, inflater: &decode.Inflater{},
	}
	c.book = credential.NewBook(c.settle(o))
	return c
}

// Renew makes the client of another configuration. What is equal is the very
// same: connections where Egress is (and the files of certificates), each limit
// with what is used of it, credentials with their tokens. So a source that is
// made with it shares them with the one that it was before (see Source.Shares).
// The redactor is to know what c's knows.
//
// Each of the two is to be closed, in any order; that leaves alone what the
// other one shares. Therefore all sources and endpoints of the configuration
// are to be made with the new client before c is closed, also those in whose
// place the ones before stay.
func (c *Client) Renew(o ClientOptions) *Client {
	made := &Client{limits: newLimits(o.Limits, c.limits), buffers: c.buffers, inflater: c.inflater}
	if made.pool = c.pool.join(o.Egress); made.pool == c.pool {
		made.transport = c.transport
	} else {
		made.transport = made.pool.plain
	}
	made.book = c.book.Renew(made.settle(o))
	return made
}

// settle takes over options; it gives those of the credentials.
func (c *Client) settle(o ClientOptions) credential.Options {
	agent := "Deltahook"
	if o.Version != "" {
		agent += "/" + o.Version
	}
	c.base = http.Header{"Accept": {"application/json, */*;q=0.5"}, "Accept-Encoding": {decode.AcceptEncoding}, "User-Agent": {agent}}
	c.redactor, c.own = o.Redactor, map[credential.TLSSettings]*ownPool{}
	return credential.Options{
		Named: o.Auth, Base: c.base, Over: c.over, Tokens: o.Tokens, Redactor: o.Redactor, Logger: o.Logger, Access: o.Access,
	}
}

// Credentials are those of the configuration, which endpoints share with the
// sources. They end with the client.
func (c *Client) Credentials() *credential.Book { return c.book }

// Close waits for refresh tokens that are being exchanged, at most 30 s, and
// closes the connections that are idle, of what no other client shares.
// Connections in use close when their exchange ends. It may be called again.
func (c *Client) Close() {
	c.book.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	for _, t := range c.own {
		c.pool.giveBack(t)
	}
	if c.pool.leave() {
		if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}
