package credential

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/jsonpath"
	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/units"
)

// Defaults and bounds of credentials.
const (
	defaultSlack    = units.Duration(time.Minute)
	longestSlack    = units.Duration(time.Hour)
	longestLifetime = units.Duration(10 * 365 * 24 * time.Hour)
)

// Check reports what is wrong with the settings; r is where they stand.
func (s Settings) Check(r fault.Report) { s.compile(r) }

// Places is where the credentials are sent.
func (s Settings) Places() []Place { return s.compile(fault.New()).places() }

// tokenKind is a credential that must be fetched.
type tokenKind struct {
	Place
	on401    bool
	slack    time.Duration
	oauth2   *auth.OAuth2 // or
	tokenURL string
	login    *auth.Login // of
	request  *request.Template
	lifetime time.Duration // of a login's token where the answer doesn't tell

	refresh, origin string // refresh token and fingerprint of the grant
}

// credentials is an Settings, compiled.
type credentials struct {
	fixed   []Value
	fetched []*tokenKind
	tls     TLSSettings
	id      string // fingerprint of all settings; shows none of them
}

// compile makes of the settings what requests need of them. Where it reports
// faults the result is of no use.
func (s Settings) compile(r fault.Report) *credentials {
	c := &credentials{tls: s.TLS, id: s.fingerprint()}
	s.TLS.compile(r.At("tls"))
	if b := s.Bearer; b != nil {
		checkValue(r.At("bearer", "token"), b.Token.Reveal())
		checkPrefix(r.At("bearer", "prefix"), b.Prefix)
		c.add(r.At("bearer"), Value{Place{Name: authorization, Prefix: orElse(b.Prefix, "Bearer")}, b.Token.Reveal()})
	}
	if b := s.Basic; b != nil {
		switch {
		case b.User == "" && b.Password.IsZero():
			r.At("basic").Errorf("neither user nor password is given")
		case strings.Contains(b.User, ":"):
			r.At("basic", "user").Errorf("a user with a colon cannot be sent: the password would begin there")
		}
		c.add(r.At("basic"), Value{Place{Name: authorization, Prefix: "Basic"}, Basic(b.User, b.Password.Reveal())})
	}
	if k := s.APIKey; k != nil {
		c.addKey(r.At("api_key"), k)
	}
	if o := s.OAuth2; o != nil {
		c.addOAuth2(r.At("oauth2"), o)
	}
	if l := s.Login; l != nil {
		c.addLogin(r.At("login"), l)
	}
	if s.Bearer == nil && s.Basic == nil && s.APIKey == nil && s.OAuth2 == nil && s.Login == nil {
		r.At("bearer").Errorf("is missing, and so are basic, api_key, oauth2 and login: there are no credentials")
	}
	return c
}

// add adds what is sent as it is.
func (c *credentials) add(r fault.Report, s Value) {
	c.claim(r, s.Place)
	c.fixed = append(c.fixed, s)
}

// fetch adds what must be fetched.
func (c *credentials) fetch(r fault.Report, k *tokenKind) {
	c.claim(r, k.Place)
	c.fetched = append(c.fetched, k)
}

// claim reports a second credential in one place.
func (c *credentials) claim(r fault.Report, p Place) {
	for _, other := range c.places() {
		if other.Name == p.Name && other.Query == p.Query {
			r.Errorf("two credentials for one place: %s is sent once", p.Name)
		}
	}
}

// places is where credentials are sent.
func (c *credentials) places() (all []Place) {
	for _, s := range c.fixed {
		all = append(all, s.Place)
	}
	for _, k := range c.fetched {
		all = append(all, k.Place)
	}
	return all
}

func (c *credentials) addKey(r fault.Report, k *APIKeySettings) {
	checkValue(r.At("value"), k.Value.Reveal())
	switch {
	case (k.Header == "") == (k.Query == ""):
		r.Errorf("expected header or query: the name of the one that the key is sent in")
	case k.Query != "":
		c.add(r.At("query"), Value{Place{Name: k.Query, Query: true}, k.Value.Reveal()})
	default:
		c.add(r.At("header"), Value{Place{Name: headerName(r.At("header"), k.Header)}, k.Value.Reveal()})
	}
}

func (c *credentials) addOAuth2(r fault.Report, o *OAuth2Settings) {
	k := &tokenKind{
		Place: Place{Name: authorization, Prefix: "Bearer"}, on401: o.RefreshOn401, tokenURL: o.TokenURL,
		slack:  within(r.At("expiry_slack"), o.ExpirySlack, defaultSlack, longestSlack),
		oauth2: &auth.OAuth2{ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), InBody: o.Style == "body", Scopes: o.Scopes, Params: o.Params},
	}
	r.At("style").OneOf(o.Style, "basic", "body")
	if o.ClientID == "" && !o.ClientSecret.IsZero() && o.Grant != "client_credentials" { // which needs it anyway
		r.At("client_id").Errorf("is missing: client_secret needs it")
	}
	if o.TokenURL == "" {
		r.At("token_url").Errorf("no URL")
	} else if u, err := request.ParseURL(o.TokenURL); err != nil {
		r.At("token_url").Errorf("%v", err)
	} else if u.User != nil {
		r.At("token_url").Errorf("user and password belong in client_id and client_secret")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		if slices.Contains([]string{"grant_type", "client_id", "client_secret", "refresh_token", "scope"}, name) {
			r.At("params", name).Errorf("a parameter that Deltahook sets by itself")
		}
	}
	switch o.Grant {
	case "client_credentials":
		if o.ClientID == "" {
			r.At("client_id").Errorf("is missing: client_credentials needs it")
		}
		if !o.RefreshToken.IsZero() {
			r.At("refresh_token").Errorf("client_credentials has none: expected grant: refresh_token")
		}
	case "refresh_token":
		if o.RefreshToken.IsZero() {
			r.At("refresh_token").Errorf("is missing: the grant refresh_token needs it")
		}
		k.refresh = o.RefreshToken.Reveal()
		k.origin = o.grant()
	case "":
		r.At("grant").Errorf("is missing: expected client_credentials or refresh_token")
	default:
		r.At("grant").OneOf(o.Grant, "client_credentials", "refresh_token")
	}
	c.fetch(r, k)
}

func (c *credentials) addLogin(r fault.Report, l *LoginSettings) {
	k := &tokenKind{
		Place: Place{Name: orElse(l.Name, authorization), Query: l.In == "query", Prefix: l.Prefix}, on401: l.RefreshOn401,
		slack:    defaultSlack.Std(),
		login:    &auth.Login{Token: l.Token, ExpiresIn: l.ExpiresIn},
		lifetime: within(r.At("lifetime"), l.Lifetime, 0, longestLifetime),
	}
	r.At("in").OneOf(l.In, "header", "query")
	checkPrefix(r.At("prefix"), l.Prefix)
	switch {
	case k.Query && l.Name == "":
		r.At("name").Errorf("is missing: the query parameter that the token is sent in")
	case k.Query && l.Prefix != "":
		r.At("prefix").Errorf("stands before a token in a header only")
	case !k.Query:
		k.Name = headerName(r.At("name"), k.Name)
		if k.Name == authorization {
			k.Prefix = orElse(l.Prefix, "Bearer")
		}
	}
	if l.Token == "" {
		r.At("token").Errorf("is missing: the path of the token in the answer")
	} else if err := jsonpath.Check(l.Token); err != nil {
		r.At("token").Errorf("%v", err)
	}
	if l.ExpiresIn != "" {
		if err := jsonpath.Check(l.ExpiresIn); err != nil {
			r.At("expires_in").Errorf("%v", err)
		}
		if l.Lifetime != 0 {
			r.At("lifetime").Errorf("expires_in says it already: expected one of the two")
		}
	}
	k.request = l.Request.template().Compile(r.At("request"), nil)
	c.fetch(r, k)
}

// headerName is the canonical name of a header that a credential may be in.
func headerName(r fault.Report, name string) string {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !request.IsToken(name):
		r.Errorf("not the name of a header")
	case slices.Contains(request.OwnHeaders, canonical), canonical == "Host", canonical == "Content-Type":
		r.Errorf("a header that carries no credentials")
	}
	return canonical
}

// checkValue reports a secret that cannot be sent. It shows none.
func checkValue(r fault.Report, value string) {
	switch {
	case value == "":
		r.Errorf("is missing or empty")
	case !request.ValidValue(value):
		r.Errorf("the value holds a line break or another control character")
	case len(value) > auth.LongestToken:
		r.Errorf("the value has %d bytes; at most %d are sent", len(value), auth.LongestToken)
	}
}

func checkPrefix(r fault.Report, prefix string) {
	if prefix != "" && !request.IsToken(prefix) {
		r.Errorf("%q: expected one word such as Bearer", prefix)
	}
}

// within is d, or the default where d is zero; it reports a d out of bounds.
func within(r fault.Report, d, fallback, most units.Duration) time.Duration {
	if d == 0 {
		return fallback.Std()
	}
	if d < 0 || d > most {
		r.Errorf("%v: expected more than 0 and at most %v", d, most)
	}
	return d.Std()
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
