package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options is what a Keeper is made of.
type Options struct {
	Name     string        // of its record in the store
	Exchange Exchange      // is asked by one goroutine at a time
	Slack    time.Duration // a token is renewed this long before it expires, though not before half its life; 0: at its end
	Refresh  string        // the configured refresh token; "": a kind that has none
	Origin   string        // fingerprint of the configured grant, with Refresh
	Store    Store         // with Refresh; nil: none is exchanged

	// After are keepers of the same record that this one takes the place of,
	// with Refresh: they are closed before its first exchange, for theirs may
	// bring the refresh token that it needs.
	After []*Keeper

	// Learn is told of each token before it is used, so that it can be cut
	// out of what is shown. Nil: nobody wants to know.
	Learn func(tokens ...string)
	// Expired is called once where a person is needed. Nil: nobody is told.
	Expired func()
	// Renewed is called whenever a refresh token was exchanged. Nil: nobody
	// is told. Neither may wait for anything.
	Renewed func()
}

// Keeper keeps the token of one credential. It is safe for concurrent use.
// Make it with New and end it with Close.
type Keeper struct {
	o      Options
	alive  context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	token    string    // "": none
	renewAt  time.Time // when a new one is wanted
	expires  time.Time
	rejected time.Time // when one was renewed because of a 401
	flight   chan struct{}
	err      error     // of the last exchange; nil: it went well
	pause    time.Time // no exchange before
	failures int       // exchanges in a row that failed
	closed   bool

	// The following are the flight's, and Close's after the last.
	refresh string // that is good now; "": not known yet
	unsaved *Grant // whose refresh token could not be stored
}

// New makes a keeper without a token. Nothing is asked yet.
func New(o Options) *Keeper {
	k := &Keeper{o: o}
	k.alive, k.cancel = context.WithCancel(context.Background())
	k.learn(o.Refresh)
	return k
}

func (k *Keeper) learn(tokens ...string) {
	if k.o.Learn != nil {
		k.o.Learn(tokens...)
	}
}

// Token is a token that is good, as far as its lifetime says. All who ask
// while one is fetched wait for that one. Where a renewal ahead of time fails,
// the old one is given as long as it lives. After a failure all get its error,
// without another exchange, for 1, 2, 4 … 60 s or as long as the endpoint asked.
func (k *Keeper) Token(ctx context.Context) (string, error) {
	return k.get(ctx, func(now time.Time) bool { return k.token != "" && now.Before(k.renewAt) })
}

// Renew is a token in the place of one that the API refused with a 401. Where
// the keeper has another by now, that is given. Otherwise one is fetched, but
// not more than once a minute: after that the refused one is given back, for a
// new token doesn't help.
func (k *Keeper) Renew(ctx context.Context, refused string) (string, error) {
	k.mu.Lock()
	if k.token == refused && k.flight == nil {
		if now := time.Now(); now.Sub(k.rejected) >= rejectPause {
			k.rejected, k.token = now, ""
		}
	}
	k.mu.Unlock()
	return k.get(ctx, func(time.Time) bool { return k.token != "" && k.flight == nil })
}

// get waits for exchanges until the token is good; good is called under the
// lock.
func (k *Keeper) get(ctx context.Context, good func(now time.Time) bool) (string, error) {
	for waited := false; ; waited = true {
		k.mu.Lock()
		now := time.Now()
		switch {
		case good(now), waited && k.token != "" && (k.err == nil || now.Before(k.expires)):
			token := k.token
			k.mu.Unlock()
			return token, nil
		case k.flight != nil:
		case waited && k.err != nil, errors.Is(k.err, ErrExpired), now.Before(k.pause):
			token, err := k.token, k.err
			if token != "" && now.Before(k.expires) {
				err = nil
			}
			k.mu.Unlock()
			if err != nil {
				token = ""
			}
			return token, err
		case k.closed:
			k.mu.Unlock()
			return "", context.Canceled
		default:
			k.flight = make(chan struct{})
			go k.fly()
		}
		flight := k.flight
		k.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// fly makes one exchange. It does not end with the poll that began it: others
// wait for it too, and a refresh token that the endpoint gave must be stored.
func (k *Keeper) fly() {
	ctx, cancel := context.WithTimeoutCause(k.alive, exchangeTimeout, fmt.Errorf("no token within %s", exchangeTimeout))
	defer cancel()
	g, err := k.exchange(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.err = err
	close(k.flight)
	k.flight = nil
	if err != nil {
		k.failed(now)
		return
	}
	if k.o.Refresh != "" && k.o.Renewed != nil {
		k.o.Renewed()
	}
	k.failures, k.pause = 0, time.Time{}
	k.token = g.Token
	life := g.Lifetime
	if life <= 0 {
		life = unknownLifetime
	}
	life = max(shortestLifetime, min(life, longestLifetime))
	k.expires = now.Round(0).Add(life) // of the wall clock: the other one rests while the machine sleeps
	k.renewAt = k.expires.Add(-min(k.o.Slack, life/2))
}

// failed decides when an exchange may be tried again.
func (k *Keeper) failed(now time.Time) {
	if errors.Is(k.err, ErrExpired) {
		if k.o.Expired != nil {
			k.o.Expired()
		}
		return
	}
	wait := longestPause
	if k.failures < 6 {
		wait = min(wait, firstPause<<k.failures)
	}
	k.failures++
	if refusal, ok := errors.AsType[*Error](k.err); ok {
		wait = max(wait, refusal.After)
	}
	k.pause = now.Add(wait)
}

// exchange gets a grant that may be used: whose refresh token, where it has a
// new one, is stored.
func (k *Keeper) exchange(ctx context.Context) (Grant, error) {
	if k.o.Refresh == "" {
		return k.ask(ctx, "")
	}
	if k.o.Store == nil {
		return Grant{}, ErrNoStore
	}
	k.succeed()
	if g := k.unsaved; g != nil {
		// The one before may be dead: it was exchanged for this one. The token
		// that came with it may be old by now.
		if err := k.save(ctx, *g); err != nil {
			return Grant{}, err
		}
	}
	if k.refresh == "" {
		r, err := k.o.Store.Token(ctx, k.o.Name)
		if err != nil {
			return Grant{}, fmt.Errorf("the stored token: %w", err)
		}
		k.refresh = k.o.Refresh
		if r.Origin == k.o.Origin && r.Refresh != "" {
			k.refresh = r.Refresh
			k.learn(r.Refresh)
		}
	}
	g, err := k.ask(ctx, k.refresh)
	if err != nil || g.Refresh == "" || g.Refresh == k.refresh {
		return g, err
	}
	return g, k.save(ctx, g)
}

// succeed ends the keepers that this one comes after, and takes over what they
// could not store.
func (k *Keeper) succeed() {
	for _, was := range k.o.After {
		was.Close()
		was.mu.Lock()
		if was.unsaved != nil && was.o.Origin == k.o.Origin {
			k.unsaved, was.unsaved = was.unsaved, nil
		}
		was.mu.Unlock()
	}
	k.o.After = nil
}

// Name is that of its record in the store.
func (k *Keeper) Name() string { return k.o.Name }

// ask exchanges. The refresh token is learned each time: of what was learned
// only the latest is known.
func (k *Keeper) ask(ctx context.Context, refresh string) (Grant, error) {
	k.learn(refresh)
	g, err := k.o.Exchange(ctx, refresh)
	if err != nil {
		var refusal *Error
		if refresh != "" && errors.As(err, &refusal) && refusal.Code == "invalid_grant" {
			err = fmt.Errorf("%w: %w", ErrExpired, err)
		}
		return Grant{}, err
	}
	k.learn(g.Token, g.Refresh)
	return g, nil
}

// save stores a grant's refresh token, in a time of its own: the exchange may
// have taken all of ctx's. Until that has succeeded the grant is not used; it
// is not thrown away either.
func (k *Keeper) save(ctx context.Context, g Grant) error {
	k.unsaved = &g
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	r := Record{Origin: k.o.Origin, Refresh: g.Refresh, Since: time.Now().UTC()}
	if err := k.o.Store.SaveToken(ctx, k.o.Name, r); err != nil {
		return fmt.Errorf("the new refresh token could not be stored, and is not used before it is: %w", err)
	}
	k.unsaved, k.refresh = nil, g.Refresh
	return nil
}

// Close ends the keeper, after which it fetches no token. An exchange that
// runs is cut off, but one of a refresh token is waited for, at most 30 s: its
// answer may be a new one. One that could not be stored is tried once more;
// each try has 5 s.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	flight := k.flight
	k.mu.Unlock()
	if k.o.Refresh == "" {
		k.cancel()
	}
	if flight != nil {
		<-flight
	}
	k.cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.o.After = nil // no flight begins any more
	if g := k.unsaved; g != nil {
		k.err = k.save(context.Background(), *g)
	}
}
