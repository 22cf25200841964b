package poller

import (
	"context"
	"net/http"

	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/secret"
)

// exchange sends w and follows redirects; at is the request that resp answers:
// w, where there were none. http.Client isn't used for it: on the way to
// another host it takes along every header but a few, it names the URL that it
// comes from (Referer), and its errors show URLs with their queries.
func (s *Source) exchange(ctx context.Context, w *wire, given validators) (resp *http.Response, at *wire, err error) {
	req := w.request(ctx)
	if !given.none() {
		req.Header = req.Header.Clone()
		given.set(req.Header)
	}
	sent := func() {} // fetch knows of the first one
	for hops, home := 1, request.Origin(w.url); ; hops++ {
		over := s.transport
		if w.away {
			over = s.client.transport // a client's certificate is a credential, too
		}
		span := tracedRequest(ctx, req)
		resp, err = over.RoundTrip(req)
		tracedAnswer(ctx, span, resp, err)
		sent()
		if err != nil || !redirects(resp) {
			return resp, w, err
		}
		discard(resp.Body)
		if w, err = s.redirected(w, resp); err != nil {
			return nil, nil, err
		}
		if hops > s.redirects {
			return nil, nil, Failf(ClassRedirect, "%s to %s, and request.redirects allows %d",
				status(resp), secret.Host(w.url.String()), s.redirects)
		}
		sending := ctx
		if request.Origin(w.url) == home { // another one is no matter of this account
			if sending, sent, err = s.spend(ctx); err != nil {
				return nil, nil, err
			}
		}
		req = w.request(sending)
	}
}

// redirects reports whether resp names another place to request.
func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// redirected is the request that resp, the answer to w, redirects to. To another
// origin (scheme, host and port) no header of the configuration goes along and
// no body; since what follows is made of what went there, neither comes back
// on the way home.
func (s *Source) redirected(w *wire, resp *http.Response) (*wire, error) {
	target, err := w.url.Parse(resp.Header.Get("Location"))
	if err != nil || target.Host == "" {
		return nil, Failf(ClassRedirect, "%s to what is no URL", status(resp))
	}
	shown := secret.Host(target.String())
	switch {
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, Failf(ClassRedirect, "%s to %s: only http and https are followed", status(resp), shown)
	case w.url.Scheme == "https" && target.Scheme == "http":
		return nil, Failf(ClassRedirect, "%s to %s: a step down from https is not followed", status(resp), shown)
	}
	target.User, target.Fragment, target.RawFragment = nil, "", ""
	next := &wire{
		method: w.method, url: target, header: w.header, base: w.base, host: w.host, body: w.body,
		home: w.home, away: w.away, secrets: w.secrets,
	}
	if resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		// RFC 9110 lets 301 and 302 turn a POST into a GET, and everybody does.
		next.method, next.body = http.MethodGet, nil
		next.header = w.header.Clone()
		next.header.Del("Content-Type")
	}
	if request.Origin(target) != request.Origin(w.url) {
		if next.body != nil {
			return nil, Failf(ClassRedirect, "%s to %s: a body is not sent on to another host", status(resp), shown)
		}
		if s.leaks(w, target) {
			return nil, Failf(ClassRedirect, "%s to %s: its URL holds a credential, which is not sent to another host", status(resp), shown)
		}
		next.header, next.host, next.away = w.base, "", true
	}
	return next, nil
}
