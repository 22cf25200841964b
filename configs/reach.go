package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/fault"
)

// Policy is what a dialer asks. The error names the first element of Allow
// that is neither an address nor a network; of a loaded Config there is none.
func (r Reach) Policy() (egress.Policy, error) {
	p := egress.Policy{AllowPrivate: r.AllowPrivate}
	for _, text := range r.Allow {
		prefix, err := egress.ParsePrefix(text)
		if err != nil {
			return p, err
		}
		p.Allow = append(p.Allow, prefix)
	}
	return p, nil
}

// checkEgress reports what is no address and no network, and warns of URLs
// whose host is an address that may not be reached. Names are not looked up:
// what they stand for is judged when it is dialled.
func checkEgress(r fault.Report, cfg *Config) {
	checkReach(r.At("egress", "sources", "allow"), cfg.Egress.Sources)
	checkReach(r.At("egress", "endpoints", "allow"), cfg.Egress.Endpoints)
	if p, err := cfg.Egress.Sources.Policy(); err == nil {
		for name, s := range cfg.Sources {
			if what := refused(p, s.Poll.Request.URL); what != "" && !s.Poll.Disabled {
				r.At("sources", name, "request", "url").Warnf("requests to %s; name it in egress.sources.allow", what)
			}
		}
	}
	if p, err := cfg.Egress.Endpoints.Policy(); err == nil {
		for name, e := range cfg.Endpoints {
			if what := refused(p, e.URL); what != "" && !e.Disabled {
				r.At("endpoints", name, "url").Warnf("webhooks to %s; name it in egress.endpoints.allow", what)
			}
		}
	}
}

func checkReach(r fault.Report, s Reach) {
	for i, a := range s.Allow {
		if _, err := egress.ParsePrefix(a); err != nil {
			r.Index(i).Errorf("%v", err)
		}
	}
}

// refused says which address a URL's host is, and why a policy refuses it;
// "": it permits it, or the host is a name or an expression.
func refused(p egress.Policy, raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	host := u.Hostname()
	literal := host
	if host == "localhost" {
		literal = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(literal)
	if err != nil {
		return ""
	}
	if no, ok := errors.AsType[*egress.Refused](p.Check(addr)); ok {
		return fmt.Sprintf("%s are refused: %s", host, no.Why)
	}
	return ""
}
