package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/retryafter"
	"github.com/deltahook/deltahook/internal/secret"
)

// largestGrant is the size in bytes of an answer with a token over which it is
// refused.
const largestGrant = 1 << 20

// exchangeOf is how a token of a kind is asked for.
func (b *Book) exchangeOf(k *tokenKind, over http.RoundTripper) auth.Exchange {
	if k.login != nil {
		return func(ctx context.Context, _ string) (auth.Grant, error) { return b.logIn(ctx, k, over) }
	}
	return func(ctx context.Context, refresh string) (auth.Grant, error) {
		u, err := request.ParseURL(k.tokenURL)
		if err != nil {
			return auth.Grant{}, err
		}
		header, body := k.oauth2.Request(refresh)
		header["User-Agent"] = b.o.Base["User-Agent"]
		w := &request.Request{Method: http.MethodPost, URL: u, Header: header, Body: body}
		status, answer, after, err := b.tokenAnswer(ctx, w, over)
		if err != nil {
			return auth.Grant{}, err
		}
		g, err := auth.ReadGrant(status, answer)
		return g, fromEndpoint(w, after, err)
	}
}

// logIn asks for a token by a login.
func (b *Book) logIn(ctx context.Context, k *tokenKind, over http.RoundTripper) (auth.Grant, error) {
	w, err := k.request.Make(b.o.Base, nil)
	if err != nil {
		return auth.Grant{}, fmt.Errorf("login.request.%w", err)
	}
	status, answer, after, err := b.tokenAnswer(ctx, w, over)
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
func (b *Book) tokenAnswer(ctx context.Context, w *request.Request, over http.RoundTripper) (status int, answer []byte, after time.Duration, err error) {
	resp, err := over.RoundTrip(w.HTTP(ctx))
	if err != nil {
		return 0, nil, 0, fromEndpoint(w, 0, explain(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 && resp.Header.Get("Location") != "" {
		return 0, nil, 0, fromEndpoint(w, 0, errors.New("it redirects, and the credentials are not sent on"))
	}
	wire := io.LimitReader(resp.Body, largestGrant+1) // of what is compressed there may be no end
	err = b.inflater.Read(wire, strings.Join(resp.Header["Content-Encoding"], ","), func(plain io.Reader) (err error) {
		answer, err = io.ReadAll(io.LimitReader(plain, largestGrant+1))
		return err
	})
	if err != nil {
		return 0, nil, 0, fromEndpoint(w, 0, explain(ctx, err))
	}
	if len(answer) > largestGrant {
		return 0, nil, 0, fromEndpoint(w, 0, fmt.Errorf("an answer of over %d bytes", largestGrant))
	}
	after, _ = retryafter.Parse(resp.Header.Get("Retry-After"), time.Now())
	return resp.StatusCode, answer, after, nil
}

// explain says what an error of sending or reading means. The transport itself
// shows no URL.
func explain(ctx context.Context, err error) error {
	refused, isRefused := errors.AsType[*egress.Refused](err)
	switch {
	case isRefused:
		return refused
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return errors.New("the connection was closed without an answer")
	}
	return err
}

// fromEndpoint says where an error comes from.
func fromEndpoint(w *request.Request, after time.Duration, err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		refusal.After = after
	}
	return fmt.Errorf("no token from %s: %w", secret.Host(w.URL.String()), err)
}
