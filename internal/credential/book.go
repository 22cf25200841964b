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

// Book is the credentials of one configuration. Those of several that follow
// each other share what is equal in them. It is safe for concurrent use. Make it
// with NewBook or Renew, and end it with Close.
type Book struct {
	o        Options
	inflater decode.Inflater
	shelf    *shelf

	mu     sync.Mutex
	known  map[string]*Credential
	closed bool

	users map[*Credential][]User // guarded by shelf.mu
}

// NewBook makes the book. No token is asked for yet.
func NewBook(o Options) *Book { return newBook(o, &shelf{}) }

// Renew makes the book of another configuration. What it gives is the same as
// b gives, with the tokens, where name and settings are, and Over gives the
// same for them. Closing either leaves alone what the other one has given.
func (b *Book) Renew(o Options) *Book { return newBook(o, b.shelf) }

func newBook(o Options, on *shelf) *Book {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Book{o: o, shelf: on, known: map[string]*Credential{}, users: map[*Credential][]User{}}
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
		if made, err = b.take(name, settings); err != nil {
			return nil, err
		}
		b.known[name] = made
	}
	b.shelf.mu.Lock()
	defer b.shelf.mu.Unlock()
	b.users[made] = append(b.users[made], by)
	return made, nil
}

// take gives a credential that another book has, or makes it.
func (b *Book) take(name string, s *Settings) (*Credential, error) {
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
	b.shelf.mu.Lock()
	defer b.shelf.mu.Unlock()
	made := b.shelf.find(name, compiled.id, over)
	if made == nil {
		made = b.make(name, compiled, over)
		b.shelf.all = append(b.shelf.all, made)
	}
	made.books = append(made.books, b)
	return made, nil
}

func (b *Book) make(name string, compiled *credentials, over http.RoundTripper) *Credential {
	made := &Credential{credentials: compiled, name: name, over: over}
	learn := func(secrets ...string) { b.o.Redactor.Learn("auth "+name+" as configured", secrets...) }
	for _, v := range compiled.fixed {
		learn(v.Secret)
	}
	for i, k := range compiled.fetched {
		o := auth.Options{
			Name: name, Slack: k.slack, Refresh: k.refresh, Origin: k.origin, Store: b.o.Tokens,
			Exchange: b.exchangeOf(k, over),
			Learn:    func(tokens ...string) { b.o.Redactor.Learn(fmt.Sprintf("auth %s %d", name, i), tokens...) },
			Expired:  func() { made.tellAccess(b.shelf, true) },
			Renewed:  func() { made.tellAccess(b.shelf, false) },
		}
		if strings.HasPrefix(name, inline) {
			o.Name = inline + k.origin // other settings may change, and the token is still good
		}
		if k.oauth2 != nil {
			learn(k.oauth2.ClientSecret, k.oauth2.Basic())
		}
		if k.refresh != "" {
			o.After = b.shelf.keepers(o.Name)
		}
		made.keepers = append(made.keepers, auth.New(o))
	}
	return made
}

// Close waits for refresh tokens that are being exchanged, at most 30 s, for
// credentials that no other book has. After it no token is fetched for these.
func (b *Book) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	var closing sync.WaitGroup
	left := b.shelf.leave(b)
	for _, c := range left {
		for _, k := range c.keepers {
			closing.Go(k.Close)
		}
	}
	closing.Wait()
	b.shelf.drop(left)
}
