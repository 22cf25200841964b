package credential

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/auth"
)

// Credential is credentials with the tokens that belong to them. All who name
// the same ones share it. It is safe for concurrent use.
type Credential struct {
	*credentials
	name    string
	over    http.RoundTripper // of requests for tokens
	keepers []*auth.Keeper    // of each that is fetched
	books   []*Book           // that hold it, the oldest first; guarded by shelf.mu
}

// Proof is what one request carries to show who asks.
type Proof struct {
	Values []Value
	tokens []string // that were fetched, in the order of the keepers
}

// Proof is the credentials as they are now; tokens are fetched where that must
// be. All who wait for a token get the same error, in which there may be an
// *auth.Error.
func (c *Credential) Proof(ctx context.Context) (*Proof, error) {
	tokens := make([]string, len(c.keepers))
	for i, k := range c.keepers {
		var err error
		if tokens[i], err = k.Token(ctx); err != nil {
			return nil, c.failed(ctx, err)
		}
	}
	return c.with(tokens), nil
}

// Renew is other proof after a 401 to refused. It is nil where no token was
// renewed: the settings don't say so, or one was within the last minute.
func (c *Credential) Renew(ctx context.Context, refused *Proof) (*Proof, error) {
	tokens := slices.Clone(refused.tokens)
	for i, k := range c.keepers {
		if !c.fetched[i].on401 {
			continue
		}
		var err error
		if tokens[i], err = k.Renew(ctx, refused.tokens[i]); err != nil {
			return nil, c.failed(ctx, err)
		}
	}
	if slices.Equal(tokens, refused.tokens) {
		return nil, nil
	}
	return c.with(tokens), nil
}

func (c *Credential) with(tokens []string) *Proof {
	p := &Proof{Values: slices.Clone(c.fixed), tokens: tokens}
	for i, k := range c.fetched {
		p.Values = append(p.Values, Value{k.Place, tokens[i]})
	}
	return p
}

// failed is why there is no token.
func (c *Credential) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("no token: %w", context.Cause(ctx))
	}
	if strings.HasPrefix(c.name, inline) {
		return err
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// Renews reports whether a 401 renews any token.
func (c *Credential) Renews() bool {
	return slices.ContainsFunc(c.fetched, func(k *tokenKind) bool { return k.on401 })
}

// Places is where the credentials are sent.
func (c *Credential) Places() []Place { return c.places() }

// ID is equal for equal settings, and shows none of them.
func (c *Credential) ID() string { return c.id }
