package poller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/retryafter"
	"github.com/deltahook/deltahook/internal/secret"
)

// largestGrant is the size in bytes of an answer with a token over which it is
// refused.
const largestGrant = 1 << 20

// exchangeOf is how a token of a kind is asked for.
func (c *Client) exchangeOf(k *tokenKind, over http.RoundTripper) auth.Exchange {
	if k.login != nil {
		return func(ctx context.Context, _ string) (auth.Grant, error) { return c.logIn(ctx, k, over) }
	}
	return func(ctx context.Context, refresh string) (auth.Grant, error) {
		u, err := parseURL(k.tokenURL)
		if err != nil {
			return auth.Grant{}, err
		}
		header, body := k.oauth2.Request(refresh)
		header["User-Agent"] = c.base["User-Agent"]
		w := &wire{method: http.MethodPost, url: u, header: header, body: body}
		status, answer, after, err := c.tokenAnswer(ctx, w, over)
		if err != nil {
			return auth.Grant{}, err
		}
		g, err := auth.ReadGrant(status, answer)
		return g, fromEndpoint(w, after, err)
	}
}

// logIn asks for a token by a login.
func (c *Client) logIn(ctx context.Context, k *tokenKind, over http.RoundTripper) (auth.Grant, error) {
	w, err := k.request.wire(c.base, "", nil)
	if err != nil {
		return auth.Grant{}, fmt.Errorf("login.request.%w", err)
	}
	status, answer, after, err := c.tokenAnswer(ctx, w, over)
	if err != nil {
		return auth.Grant{}, err
	}
	g, err := k.login.Read(status, answer, time.Now())
	if g.Lifetime == 0 {
		g.Lifetime = k.lifetime
	}
	return g, fromEndpoint(w, after, err)
}

// tokenAnswer makes one exchange for a token. Redirects are not followed: the
// credentials would go along.
func (c *Client) tokenAnswer(ctx context.Context, w *wire, over http.RoundTripper) (status int, answer []byte, after time.Duration, err error) {
	resp, err := over.RoundTrip(w.request(ctx))
	if err != nil {
		return 0, nil, 0, fromEndpoint(w, 0, transportFailure(ctx, err))
	}
	defer resp.Body.Close()
	if redirects(resp) {
		return 0, nil, 0, fromEndpoint(w, 0, errors.New("it redirects, and the credentials are not sent on"))
	}
	err = c.inflate(resp, largestGrant+1, func(plain io.Reader) (err error) {
		answer, err = io.ReadAll(io.LimitReader(plain, largestGrant+1))
		return err
	})
	if err != nil {
		return 0, nil, 0, fromEndpoint(w, 0, transportFailure(ctx, err))
	}
	if len(answer) > largestGrant {
		return 0, nil, 0, fromEndpoint(w, 0, fmt.Errorf("an answer of over %d bytes", largestGrant))
	}
	after, _ = retryafter.Parse(resp.Header.Get("Retry-After"), time.Now())
	return resp.StatusCode, answer, after, nil
}

// fromEndpoint says where an error comes from.
func fromEndpoint(w *wire, after time.Duration, err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		refusal.After = after
	}
	return fmt.Errorf("no token from %s: %w", secret.Host(w.url.String()), err)
}
