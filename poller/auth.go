package poller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/secret"
)

// apply is w with proof of who asks. It wins over what the request's own
// headers say.
func apply(w *wire, p *credential.Proof) *wire {
	made := *w
	made.header = w.header.Clone()
	made.secrets = slices.Clone(w.secrets)
	for _, v := range p.Values {
		made.secrets = append(made.secrets, v.Secret)
		if v.Query {
			u := *made.url
			u.RawQuery = request.SetQuery(u.RawQuery, v.Name, v.Secret) // a link to the next page may hold it already
			made.url = &u
			continue
		}
		made.header.Set(v.Name, v.Header())
	}
	return &made
}

// noToken is the failure of a poll for which there is no token.
func noToken(err error) *Failure {
	f := &Failure{Class: ClassAuth, Err: err}
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		f.After = refusal.After
	}
	return f
}

// send is exchange with the source's credentials, where w goes to the host
// that they are for. Tokens that the API refuses are renewed once, where that
// is configured.
func (s *Source) send(ctx context.Context, w *wire, given validators) (resp *http.Response, at *wire, err error) {
	if s.credential == nil || !w.atHome() {
		return s.exchange(ctx, w, given)
	}
	proof, err := s.credential.Proof(ctx)
	if err != nil {
		return nil, nil, noToken(err)
	}
	sent := apply(w, proof)
	resp, at, err = s.exchange(ctx, sent, given)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && at.atHome() {
		again, failed := s.credential.Renew(ctx, proof)
		if failed != nil {
			discard(resp.Body)
			return nil, nil, noToken(failed)
		}
		if again != nil {
			discard(resp.Body)
			sending, ended, failed := s.spend(ctx)
			if failed != nil {
				return nil, nil, failed
			}
			defer ended()
			sent = apply(w, again)
			resp, at, err = s.exchange(sending, sent, given)
		}
	}
	if at == sent {
		at = w
	}
	return resp, at, err
}

// atHome reports whether w goes to the origin that the configuration names,
// and did not come back there from another one.
func (w *wire) atHome() bool { return w.home != "" && !w.away && request.Origin(w.url) == w.home }

// leaks reports whether a URL holds a credential of w, or anything that is
// known to be secret.
func (s *Source) leaks(w *wire, u *url.URL) bool {
	raw := u.String()
	spelt := []string{raw}
	if plain, err := url.QueryUnescape(raw); err == nil {
		spelt = append(spelt, plain)
	}
	if plain, err := url.PathUnescape(raw); err == nil {
		spelt = append(spelt, plain)
	}
	return slices.ContainsFunc(spelt, func(text string) bool {
		return s.client.redactor.Text(text) != text || slices.ContainsFunc(w.secrets, func(v string) bool {
			return strings.Contains(text, v) || strings.Contains(text, url.QueryEscape(v))
		})
	})
}

// queryCredentials are the values in a query that are credentials by their
// names, but for those that are too short to be looked for in text.
func queryCredentials(query string) (values []string) {
	const shortest = 6
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !secret.Name(name) {
			continue
		}
		if value, err = url.QueryUnescape(value); err == nil && len(value) >= shortest {
			values = append(values, value)
		}
	}
	return values
}

// identify gives the source its credentials and certificates.
func (s *Source) identify(q RequestSettings) (err error) {
	if s.transport, err = s.client.over(q.TLS); err != nil {
		return fmt.Errorf("tls.%w", err)
	}
	if s.credential, err = s.client.book.Credential(q.Auth, credential.User{Source: s.name}); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	s.request.bound = s.credential != nil || q.TLS != (credential.TLSSettings{})
	if s.credential != nil {
		s.judge.fingerprint += "\n" + s.credential.ID() // another account gets other answers
	}
	return nil
}

// showPlaces adds to what is shown of a request where its credentials go.
func showPlaces(c *credential.Credential, header http.Header, u *url.URL) {
	for _, p := range c.Places() {
		switch {
		case !p.Query:
			header.Set(p.Name, secret.Mask)
		case u.RawQuery == "":
			u.RawQuery = request.EscapeQuery(p.Name) + "=" + secret.Mask
		default:
			u.RawQuery += "&" + request.EscapeQuery(p.Name) + "=" + secret.Mask
		}
	}
}
