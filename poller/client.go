package poller

import (
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
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

// Client is the process's HTTP client for polling: one pool of connections
// for all sources. It is safe for concurrent use.
type Client struct {
	transport http.RoundTripper
	base      http.Header // of every request, to any host; not changed
	redactor  *secret.Redactor
	book      *credential.Book
	limits    map[string]*limit
	buffers   sync.Pool // of *bytes.Buffer
	inflater  decode.Inflater

	mu         sync.Mutex
	transports map[credential.TLSSettings]*http.Transport // for sources with certificates of their own
}

// NewClient makes the client. It opens no connection. A proxy named in the
// environment is not used: the egress policy would see only the proxy's
// address.
func NewClient(o ClientOptions) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: o.Egress.Control}
	agent := "Deltahook"
	if o.Version != "" {
		agent += "/" + o.Version
	}
	c := &Client{
		base:     http.Header{"Accept": {"application/json, */*;q=0.5"}, "Accept-Encoding": {decode.AcceptEncoding}, "User-Agent": {agent}},
		redactor: o.Redactor,
		limits:   newLimits(o.Limits),
		transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxIdleConns:           idleConns,
			MaxIdleConnsPerHost:    idleConns,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // Client.read undoes more than the transport would
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		},
	}
	c.book = credential.NewBook(credential.Options{
		Named: o.Auth, Base: c.base, Over: c.over, Tokens: o.Tokens, Redactor: o.Redactor, Logger: o.Logger, Access: o.Access,
	})
	return c
}

// Credentials are those of the configuration, which endpoints share with the
// sources. They end with the client.
func (c *Client) Credentials() *credential.Book { return c.book }

// Close waits for refresh tokens that are being exchanged, at most 30 s, and
// closes the connections that are idle. Those in use close when their exchange
// ends.
func (c *Client) Close() {
	c.book.Close()
	c.mu.Lock()
	transports := slices.Collect(maps.Values(c.transports))
	c.mu.Unlock()
	for _, t := range transports {
		t.CloseIdleConnections()
	}
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
