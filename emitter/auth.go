package emitter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/request"
)

// renewWait is how long an endpoint waits whose token was refused, where the
// one before was renewed so lately that another would not help.
const renewWait = time.Minute

// CheckAuth reports credentials that would take the place of what a webhook is
// signed with; r is where the endpoint names them.
func CheckAuth(r fault.Report, s credential.Settings) {
	for _, p := range s.Places() {
		if !p.Query && isReserved(p.Name) {
			r.Errorf("a credential in the header %s, which is set by deltahook itself", p.Name)
		}
	}
}

func isReserved(header string) bool { return slices.Contains(reserved, strings.ToLower(header)) }

// identify gives the endpoint its credentials.
func (e *Endpoint) identify(ref credential.Ref, book *credential.Book) (err error) {
	if ref == (credential.Ref{}) {
		return nil
	}
	if book == nil {
		return errors.New("there are no credentials to choose from")
	}
	e.credential, err = book.Credential(ref, credential.User{Endpoint: e.name})
	return err
}

// show adds proof of who sends to a request, over what its own headers say.
func show(r *http.Request, p *credential.Proof) {
	for _, v := range p.Values {
		if !v.Query {
			r.Header.Set(v.Name, v.Header())
			continue
		}
		u := *r.URL
		u.RawQuery = request.SetQuery(u.RawQuery, v.Name, v.Secret)
		r.URL = &u
	}
}

// identified is the answer to a request with the endpoint's credentials. A
// token that the receiver refuses is renewed, where the settings say so, and
// the request is sent again, once: a 401 says that nothing was taken. Where
// there is no token the error is a *noToken.
func (e *Endpoint) identified(ctx context.Context, d Delivery, now time.Time, a *Attempt) (*http.Response, error) {
	if e.credential == nil {
		return e.post(e.request(ctx, d, now), d.Body)
	}
	proof, err := e.credential.Proof(ctx)
	if err != nil {
		return nil, &noToken{err}
	}
	first := e.request(ctx, d, now)
	show(first, proof)
	answer, err := e.post(first, d.Body)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || !e.credential.Renews() {
		return answer, err
	}
	again, err := e.credential.Renew(ctx, proof)
	if err == nil && again == nil {
		a.RetryAfter = renewWait
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, answer.Body, maxRead) // so that its connection can be used again
	_ = answer.Body.Close()
	if err != nil {
		return nil, &noToken{err}
	}
	second := e.request(ctx, d, now)
	show(second, again)
	return e.post(second, d.Body)
}

// noToken is why there is nothing to show who sends.
type noToken struct{ error }

// Unwrap is what happened.
func (n *noToken) Unwrap() error { return n.error }

// after is how long the token endpoint asked to wait; 0: it didn't.
func (n *noToken) after() time.Duration {
	if refusal, ok := errors.AsType[*auth.Error](n.error); ok {
		return refusal.After
	}
	return 0
}
