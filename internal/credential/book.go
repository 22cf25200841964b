// Package credential is how requests show who asks: the settings of
// credentials, and a Book in which those who name the same ones share them,
// with the tokens that are fetched for them.
package credential

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/decode"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/secret"
)

// inline begins the names of credentials that stand where they are used; no
// name in `auth` has a slash.
const inline = "inline/"

// Options is what a Book is made of.
type Options struct {
	Named    map[string]Settings // credentials that may be named
	Base     http.Header         // of every request for a token; not changed
	Over     func(TLSSettings) (http.RoundTripper, error)
	Tokens   auth.Store       // where refresh tokens are kept; nil: none is exchanged
	Redactor *secret.Redactor // learns secrets and tokens; nil: nobody does
	Logger   *slog.Logger     // where credentials are told of that a person must renew; nil: nowhere
	Access   func(Access)     // told when a refresh token was exchanged or refused; waits for nothing; nil: nobody is told
}

// Book is the process's credentials. It is safe for concurrent use. Make it
// with NewBook and end it with Close.
type Book struct {
	o        Options
	inflater decode.Inflater

	mu    sync.Mutex
	known map[string]*Credential

	users sync.Mutex // guards Credential.users
}

// NewBook makes the book. No token is asked for yet.
func NewBook(o Options) *Book {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Book{o: o, known: map[string]*Credential{}}
}

// Credential gives the shared credential of a reference, by whom it is used;
// nil: there is none. Credentials that stand where they are used are shared by
// those that are equal.
func (b *Book) Credential(ref Ref, by User) (*Credential, error) {
	settings, name := ref.Own, ref.Name
	switch {
	case settings == nil && name == "":
		return nil, nil
	case settings == nil:
		named, ok := b.o.Named[name]
		if !ok {
			return nil, fmt.Errorf("no auth is called %q", name)
		}
		settings = &named
	default:
		name = inline + settings.fingerprint()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	made := b.known[name]
	if made == nil {
		var err error
		if made, err = b.make(name, settings); err != nil {
			return nil, err
		}
		b.known[name] = made
	}
	b.use(made, by)
	return made, nil
}

func (b *Book) make(name string, s *Settings) (*Credential, error) {
	r := fault.New()
	compiled := s.compile(r)
	for _, f := range r.All() {
		if !f.Warning {
			return nil, fmt.Errorf("%s: %s", strings.Join(f.Path, "."), f.Text)
		}
	}
	over, err := b.o.Over(s.TLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	made := &Credential{credentials: compiled, name: name}
	learn := func(secrets ...string) { b.o.Redactor.Learn("auth "+name+" as configured", secrets...) }
	for _, v := range compiled.fixed {
		learn(v.Secret)
	}
	for i, k := range compiled.fetched {
		o := auth.Options{
			Name: name, Slack: k.slack, Refresh: k.refresh, Origin: k.origin, Store: b.o.Tokens,
			Exchange: b.exchangeOf(k, over),
			Learn:    func(tokens ...string) { b.o.Redactor.Learn(fmt.Sprintf("auth %s %d", name, i), tokens...) },
			Expired:  func() { b.tellAccess(made, true) },
			Renewed:  func() { b.tellAccess(made, false) },
		}
		if strings.HasPrefix(name, inline) {
			o.Name = inline + k.origin // other settings may change, and the token is still good
		}
		if k.oauth2 != nil {
			learn(k.oauth2.ClientSecret, k.oauth2.Basic())
		}
		made.keepers = append(made.keepers, auth.New(o))
	}
	return made, nil
}

// Close waits for refresh tokens that are being exchanged, at most 30 s. After
// it no token is fetched.
func (b *Book) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var closing sync.WaitGroup
	for _, c := range b.known {
		for _, k := range c.keepers {
			closing.Go(k.Close)
		}
	}
	closing.Wait()
}
