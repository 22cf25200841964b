package poller

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/secret"
)

// inline begins the names of credentials that stand in a request; no name in
// `auth` has a slash.
const inline = "inline/"

// credential is credentials with the tokens that belong to them. All sources
// that name the same ones share it.
type credential struct {
	*credentials
	name    string
	keepers []*auth.Keeper // of each that is fetched

	mu      sync.Mutex
	sources []string // that use it
}

// credential gives the shared credential of a reference; nil: there is none.
// Credentials that stand in a request are shared with those that are equal.
func (c *Client) credential(ref AuthRef) (*credential, error) {
	settings, name := ref.Own, ref.Name
	switch {
	case settings == nil && name == "":
		return nil, nil
	case settings == nil:
		named, ok := c.auth[name]
		if !ok {
			return nil, fmt.Errorf("no auth is called %q", name)
		}
		settings = &named
	default:
		name = inline + settings.fingerprint()
	}
	c.mu.Lock()
	known := c.credentials[name]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := c.newCredential(name, settings)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.credentials[name]; known != nil {
		return known, nil
	}
	if c.credentials == nil {
		c.credentials = map[string]*credential{}
	}
	c.credentials[name] = made
	return made, nil
}

func (c *Client) newCredential(name string, s *AuthSettings) (*credential, error) {
	r := fault.New()
	compiled := s.compile(r)
	for _, f := range r.All() {
		if !f.Warning {
			return nil, fmt.Errorf("%s: %s", strings.Join(f.Path, "."), f.Text)
		}
	}
	tokens, err := c.over(s.TLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	made := &credential{credentials: compiled, name: name}
	for _, v := range compiled.fixed {
		c.redactor.Learn("auth "+name+" as configured", v.value)
	}
	for i, k := range compiled.fetched {
		o := auth.Options{
			Name: name, Slack: k.slack, Refresh: k.refresh, Origin: k.origin, Store: c.tokens,
			Exchange: c.exchangeOf(k, tokens),
			Learn:    func(tokens ...string) { c.redactor.Learn(fmt.Sprintf("auth %s %d", name, i), tokens...) },
			Expired:  func() { c.tellAccess(made, true) },
			Renewed:  func() { c.tellAccess(made, false) },
		}
		if strings.HasPrefix(name, inline) {
			o.Name = inline + k.origin // other settings may change, and the token is still good
		}
		if k.oauth2 != nil {
			c.redactor.Learn("auth "+name+" as configured", k.oauth2.ClientSecret, k.oauth2.Basic())
		}
		made.keepers = append(made.keepers, auth.New(o))
	}
	return made, nil
}

// Access is whether the refresh token of credentials is still good.
type Access struct {
	Auth    string   // name in auth; "": they stand in the request of the source
	Sources []string // that use them, in the order of their making
	Setting string   // where a new refresh token goes
	Expired bool     // the API takes it no longer: a person must allow access again
}

// tellAccess tells how a refresh token fared.
func (c *Client) tellAccess(made *credential, expired bool) {
	made.mu.Lock()
	a := Access{Auth: made.name, Sources: slices.Clone(made.sources), Expired: expired}
	made.mu.Unlock()
	a.Setting = "auth." + a.Auth + ".oauth2.refresh_token"
	if strings.HasPrefix(a.Auth, inline) {
		a.Auth, a.Setting = "", "request.auth.oauth2.refresh_token"
	}
	if expired {
		c.log.Error("auth expired", "auth", made.name, "advice", "the API no longer takes the refresh token: allow access again, "+
			"put the new token into "+a.Setting+", and start again; until then its sources rest")
	}
	if c.access != nil {
		c.access(a)
	}
}

// signed is a request with its credentials.
type signed struct {
	*wire
	tokens []string // that were fetched, in the order of the keepers
}

// sign adds the credentials to w, which stays as it is.
func (c *credential) sign(ctx context.Context, w *wire) (*signed, error) {
	s := &signed{}
	for _, k := range c.keepers {
		token, err := k.Token(ctx)
		if err != nil {
			return nil, c.failure(ctx, err)
		}
		s.tokens = append(s.tokens, token)
	}
	s.wire = c.apply(w, s.tokens)
	return s, nil
}

// renew signs w anew after a 401 to before. It gives nil where no token was
// renewed.
func (c *credential) renew(ctx context.Context, w *wire, before *signed) (*signed, error) {
	s := &signed{tokens: slices.Clone(before.tokens)}
	for i, k := range c.keepers {
		if !c.fetched[i].on401 {
			continue
		}
		var err error
		if s.tokens[i], err = k.Renew(ctx, before.tokens[i]); err != nil {
			return nil, c.failure(ctx, err)
		}
	}
	if slices.Equal(s.tokens, before.tokens) {
		return nil, nil
	}
	s.wire = c.apply(w, s.tokens)
	return s, nil
}

// apply is w with credentials. They win over what the request's own headers
// say.
func (c *credential) apply(w *wire, tokens []string) *wire {
	made := *w
	made.header = w.header.Clone()
	made.secrets = slices.Clone(w.secrets)
	put := func(p place, value string) {
		made.secrets = append(made.secrets, value)
		switch {
		case p.query:
			u := *made.url
			u.RawQuery = setQuery(u.RawQuery, p.name, value) // a link to the next page may hold it already
			made.url = &u
		case p.prefix != "":
			made.header.Set(p.name, p.prefix+" "+value)
		default:
			made.header.Set(p.name, value)
		}
	}
	for _, s := range c.fixed {
		put(s.place, s.value)
	}
	for i, k := range c.fetched {
		put(k.place, tokens[i])
	}
	return &made
}

// failure is why there is no token.
func (c *credential) failure(ctx context.Context, err error) *Failure {
	if ctx.Err() != nil {
		err = fmt.Errorf("no token: %w", context.Cause(ctx))
	}
	f := &Failure{Class: ClassAuth, Err: err}
	if !strings.HasPrefix(c.name, inline) {
		f.Err = fmt.Errorf("%s: %w", c.name, err)
	}
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
	first, err := s.credential.sign(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	sent := first
	resp, at, err = s.exchange(ctx, sent.wire, given)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && at.atHome() {
		again, failed := s.credential.renew(ctx, w, first)
		if failed != nil {
			discard(resp.Body)
			return nil, nil, failed
		}
		if again != nil {
			discard(resp.Body)
			sending, ended, failed := s.spend(ctx)
			if failed != nil {
				return nil, nil, failed
			}
			defer ended()
			sent = again
			resp, at, err = s.exchange(sending, sent.wire, given)
		}
	}
	if at == sent.wire {
		at = w
	}
	return resp, at, err
}

// atHome reports whether w goes to the origin that the configuration names,
// and did not come back there from another one.
func (w *wire) atHome() bool { return w.home != "" && !w.away && origin(w.url) == w.home }

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

// basicValue is user and password as HTTP Basic has them.
func basicValue(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// identify gives the source its credentials and certificates.
func (s *Source) identify(q RequestSettings) (err error) {
	if s.transport, err = s.client.over(q.TLS); err != nil {
		return fmt.Errorf("tls.%w", err)
	}
	if s.credential, err = s.client.credential(q.Auth); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	s.request.bound = s.credential != nil || q.TLS != (TLSSettings{})
	if s.credential != nil {
		s.credential.mu.Lock()
		s.credential.sources = append(s.credential.sources, s.name)
		s.credential.mu.Unlock()
		s.judge.fingerprint += "\n" + s.credential.id // another account gets other answers
	}
	return nil
}

// preview adds to what is shown of a request where the credentials go.
func (c *credential) preview(header http.Header, u *url.URL) {
	for _, p := range c.places() {
		switch {
		case !p.query:
			header.Set(p.name, secret.Mask)
		case u.RawQuery == "":
			u.RawQuery = escapeQuery(p.name) + "=" + secret.Mask
		default:
			u.RawQuery += "&" + escapeQuery(p.name) + "=" + secret.Mask
		}
	}
}
