package emitter

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/trace"
	"github.com/deltahook/deltahook/internal/units"
)

// Defaults of an endpoint's settings.
const (
	defaultTimeout     = 20 * time.Second
	defaultConcurrency = 4
)

// EndpointOptions is what endpoints have in common. The zero value is fit for
// use: public addresses only.
type EndpointOptions struct {
	Version  string           // for the user agent; "": dev
	Egress   egress.Policy    // whom the endpoint may be
	Auth     *credential.Book // credentials that the endpoint may name; nil: it has none
	Redactor *secret.Redactor // cuts further secrets out of what is kept of answers; nil: none
	Tracer   *trace.Tracer    // is told of each attempt that was judged, as a span; nil: nobody is
	// Transport makes the requests instead of the endpoint's own, which
	// guards addresses. For tests.
	Transport http.RoundTripper
}

// Endpoint is a receiver, ready to be sent to. It is safe for concurrent use.
type Endpoint struct {
	name        string
	format      *format
	json        *expr.Tree // the payload; nil: the format's own
	url         *url.URL
	header      http.Header // of each request; cloned, never changed
	signers     []Signer
	github      []byte        // key of the signature that GitHub makes; nil: none
	rate        units.Rate    // zero: any number of attempts
	limit       *budget.Limit // that holds it; nil: none
	timeout     time.Duration
	policy      Policy
	concurrency int
	order       Order
	coalesce    bool
	ttl         time.Duration // 0: none
	pauseAfter  time.Duration // 0: never
	disabled    bool
	credential  *credential.Credential // nil: none
	transport   http.RoundTripper      // follows no redirect
	closeIdle   func()
	redactor    *secret.Redactor
	tracer      *trace.Tracer // nil: none
	parent      *trace.Tracer // whose traceparent the requests have; nil: they have none
}

// NewEndpoint makes an endpoint of settings that Check has nothing against.
// The error, which says no secret, is about settings that it has something
// against.
func NewEndpoint(name string, s Settings, o EndpointOptions) (*Endpoint, error) {
	u, err := parseURL(s.URL)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: url: %w", name, err)
	}
	f := formatOf(s.Format)
	if f == nil {
		return nil, fmt.Errorf("endpoint %s: format: expected %s", name, formatNames())
	}
	e := &Endpoint{
		name:        name,
		format:      f,
		url:         u,
		header:      http.Header{},
		timeout:     cmp.Or(s.Timeout.Std(), defaultTimeout),
		policy:      s.Policy(),
		concurrency: cmp.Or(s.Concurrency, defaultConcurrency),
		order:       Order(cmp.Or(s.Order, string(OrderItem))),
		coalesce:    s.Coalesce,
		ttl:         s.TTL.Std(),
		pauseAfter:  defaultPauseAfter,
		disabled:    s.Disabled,
		redactor:    o.Redactor.And(s.confidential(u)...),
		tracer:      o.Tracer,
	}
	if s.Traceparent {
		e.parent = o.Tracer
	}
	if s.PauseAfter != nil {
		e.pauseAfter = s.PauseAfter.Std()
	}
	if e.rate = cmp.Or(s.Rate, f.rate); !e.rate.IsZero() {
		e.limit = budget.New(budget.Terms{Requests: e.rate.N, Per: e.rate.Per})
	}
	if f.address != nil {
		f.address(u)
	}
	if s.JSON != nil && f.json {
		tree, errs := expr.ParseTree(s.JSON, f.env())
		if len(errs) > 0 {
			return nil, fmt.Errorf("endpoint %s: json: %w", name, errs[0].Err)
		}
		e.json = tree
	}
	if e.json == nil && f.payload == nil {
		return nil, fmt.Errorf("endpoint %s: format %s needs json", name, f.name)
	}
	for key, value := range s.Headers {
		e.header.Set(key, value.Reveal())
	}
	e.header.Set("Content-Type", f.content)
	if e.header.Get("User-Agent") == "" {
		e.header.Set("User-Agent", "Deltahook/"+cmp.Or(o.Version, "dev"))
	}
	if u.User != nil && e.header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		basic := http.Request{Header: e.header}
		basic.SetBasicAuth(u.User.Username(), password)
	}
	if err := e.sign(s); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	if err := e.identify(s.Auth, o.Auth); err != nil {
		return nil, fmt.Errorf("endpoint %s: auth: %w", name, err)
	}
	if err := e.connect(s, o); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return e, nil
}

// sign takes up what the endpoint's requests are signed with.
func (e *Endpoint) sign(s Settings) error {
	if s.Signature == "none" {
		return nil
	}
	for i, text := range s.Secrets {
		if s.Signature == "github" {
			e.github = []byte(text.Reveal())
			continue
		}
		signer, err := ParseSecret(text.Reveal())
		if err != nil {
			return fmt.Errorf("secret %d: %w", i+1, err)
		}
		e.signers = append(e.signers, signer)
	}
	return nil
}

// outdates says whether a delivery is too old to be sent at now.
func (e *Endpoint) outdates(d *Delivery, now time.Time) bool {
	return e.ttl > 0 && now.Sub(d.Created) > e.ttl
}

// Name is the endpoint's name in the configuration.
func (e *Endpoint) Name() string { return e.name }

// Host is what may be shown of the endpoint's URL: scheme and host.
func (e *Endpoint) Host() string { return e.url.Scheme + "://" + e.url.Host }

// Close drops the connections that are kept open for the next attempt. The
// endpoint stays usable.
func (e *Endpoint) Close() { e.closeIdle() }
