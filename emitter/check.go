package emitter

import (
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of the settings.
const (
	longestURL      = 8 << 10
	longestTimeout  = 10 * time.Minute
	longestWait     = 30 * 24 * time.Hour
	longestTTL      = 365 * 24 * time.Hour
	mostWaits       = 100
	mostSecrets     = 16
	mostConcurrency = 256
	mostRate        = 100_000 // attempts: so many times are remembered
)

// reserved are headers that the emitter or the connection sets. With
// Idempotency-Key net/http would repeat a request by itself.
var reserved = []string{
	"connection", "content-encoding", "content-length", "content-type", "expect", "host",
	"idempotency-key", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
	HeaderID, HeaderTimestamp, HeaderSignature, "x-idempotency-key", headerGitHub,
	"ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject",
}

// Check reports what is wrong with the settings to r, which is at
// endpoints.NAME. What it finds never quotes a secret, nor a URL's path.
func (s Settings) Check(r fault.Report) {
	s.checkURL(r.At("url"))
	s.checkFormat(r)
	s.checkSignature(r)
	s.checkHeaders(r.At("headers"))
	if s.Auth.Own != nil {
		s.Auth.Own.Check(r.At("auth"))
		CheckAuth(r.At("auth"), *s.Auth.Own)
	}
	s.TLS.Check(r.At("tls"))
	if _, err := parseProxy(s.Proxy.Reveal()); err != nil {
		r.At("proxy").Errorf("%v", err)
	}
	if d := s.Timeout.Std(); d < 0 || d > longestTimeout {
		r.At("timeout").Errorf("%s is not between 0 and %s", d, longestTimeout)
	}
	if s.Concurrency < 0 || s.Concurrency > mostConcurrency {
		r.At("concurrency").Errorf("%d is not between 1 and %d", s.Concurrency, mostConcurrency)
	}
	if s.Rate.N > mostRate {
		r.At("rate").Errorf("%s: more than %d at once are not counted; write it for a shorter time", s.Rate, mostRate)
	}
	switch Order(s.Order) {
	case "", OrderItem, OrderEndpoint, OrderNone:
	default:
		r.At("order").Errorf("%q is not an order: expected item, endpoint or none", s.Order)
	}
	if s.Order == string(OrderEndpoint) && s.Concurrency > 1 {
		r.At("concurrency").Warnf("%d at once, but order: endpoint sends one after the other", s.Concurrency)
	}
	if d := s.TTL.Std(); d < 0 || d > longestTTL {
		r.At("ttl").Errorf("%s is not between 0 and %s", s.TTL, units.Duration(longestTTL))
	}
	if s.PauseAfter != nil && (s.PauseAfter.Std() < 0 || s.PauseAfter.Std() > longestWait) {
		r.At("pause_after").Errorf("%s is not between 0 and 30d", s.PauseAfter)
	}
	s.Retry.check(r.At("retry"))
}

func (s Settings) checkFormat(r fault.Report) {
	f := formatOf(s.Format)
	if f == nil {
		r.At("format").Errorf("%q is not a format: expected %s", s.Format, formatNames())
		return
	}
	at := r.At("json")
	_, isMapping := s.JSON.(map[string]any)
	switch {
	case s.JSON == nil && f.payload == nil:
		at.Errorf("format %s needs it: the payload", f.name)
	case s.JSON == nil:
	case !f.json:
		at.Errorf("format %s has a payload of its own; format: custom is that of json", f.name)
	case f.adapt != nil && !isMapping:
		at.Errorf("format %s takes a mapping", f.name)
	default:
		_, errs := expr.ParseTree(s.JSON, f.env())
		for _, e := range errs {
			at.At(e.Path...).Errorf("%v", e.Err)
		}
	}
}

func (s Settings) checkURL(r fault.Report) {
	u, err := parseURL(s.URL)
	if err != nil {
		r.Errorf("%v", err)
		return
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.Warnf("plain http to %s: anyone on the way can read the events and the headers", u.Host)
	}
}

// parseURL reads an endpoint's URL. Its errors don't quote it, for its path
// may be a credential.
func parseURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, errors.New("an http or https URL is needed")
	}
	if len(text) > longestURL {
		return nil, errors.New("the URL is longer than 8 KiB")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("this is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL doesn't begin with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case isNumber(u.Hostname()):
		return nil, errors.New("the URL's host is no name, and no address as it is usually written")
	case u.Fragment != "":
		return nil, errors.New("the URL has a #fragment, which is never sent")
	}
	return u, nil
}

// isNumber reports whether a host is what some resolvers take for an IPv4
// address and others for a name: 127.1, 0x7f000001.
// https://url.spec.whatwg.org/#ends-in-a-number-checker
func isNumber(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	digits, isHex := strings.CutPrefix(last, "0x")
	if isHex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (s Settings) checkSignature(r fault.Report) {
	list := r.At("secrets")
	if len(s.Secrets) > mostSecrets {
		list.Errorf("%d secrets: more than %d", len(s.Secrets), mostSecrets)
	}
	f := formatOf(s.Format)
	switch s.Signature {
	case "", "standard":
		s.checkSecrets(list)
		if len(s.Secrets) == 0 && (f == nil || f.signed) {
			r.Warnf("no secrets: webhooks are not signed, so the receiver can't tell them from forged ones (signature: none says that this is meant)")
		}
	case "github":
		switch {
		case len(s.Secrets) != 1:
			r.At("signature").Errorf("github needs one secret and has %d", len(s.Secrets))
		case s.Secrets[0].Reveal() == "":
			list.Index(0).Errorf("the secret is empty")
		case strings.HasPrefix(s.Secrets[0].Reveal(), prefixPrivate):
			list.Index(0).Errorf("an ed25519 key (whsk_) makes no GitHub signatures: any text that is long and random does")
		}
	case "none":
		s.checkSecrets(list)
		if len(s.Secrets) > 0 {
			list.Warnf("these are not used: signature is none")
		}
	default:
		r.At("signature").Errorf("%q is not a signature: expected standard, github or none", s.Signature)
	}
}

func (s Settings) checkSecrets(list fault.Report) {
	for i, text := range s.Secrets {
		if _, err := ParseSecret(text.Reveal()); err != nil {
			list.Index(i).Errorf("%v", err)
		}
	}
}

func (s Settings) checkHeaders(r fault.Report) {
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value, twice := s.Headers[name], known[http.CanonicalHeaderKey(name)]
		known[http.CanonicalHeaderKey(name)] = true
		switch {
		case twice:
			r.At(name).Errorf("the header %s stands here twice", http.CanonicalHeaderKey(name))
		case !request.IsToken(name):
			r.At(name).Errorf("%q is not the name of a header", name)
		case isReserved(name):
			r.At(name).Errorf("%s is set by deltahook itself", name)
		case s.Traceparent && strings.EqualFold(name, headerTraceparent):
			r.At(name).Errorf("is set by deltahook itself, as traceparent: true says")
		case !request.ValidValue(value.Reveal()):
			r.At(name).Errorf("the value has a line end or another control character")
		}
	}
}

func (s RetrySettings) check(r fault.Report) {
	list := r.At("schedule")
	for i, d := range s.Schedule {
		if d.Std() < time.Millisecond || d.Std() > longestWait {
			list.Index(i).Errorf("%s is not between 1ms and 30d", d)
		}
	}
	if len(s.Schedule) > mostWaits {
		list.Errorf("%d waits: more than %d", len(s.Schedule), mostWaits)
	}
	if s.Jitter != nil && (*s.Jitter < 0 || *s.Jitter > 1) {
		r.At("jitter").Errorf("%s is not between 0%% and 100%%", *s.Jitter)
	}
	for i, status := range s.Permanent {
		if status < 300 || status > 599 {
			r.At("permanent").Index(i).Errorf("%d is not a status between 300 and 599", status)
		}
	}
}
