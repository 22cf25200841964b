package poller

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
)

// Source is one source, compiled: how it is asked, when, and what makes its
// answer one. It is immutable and safe for concurrent use. Make it with
// NewSource.
type Source struct {
	name        string
	schedule    Schedule
	spec        spec
	skipMissed  bool
	disabled    bool
	timeout     time.Duration
	maxBody     int64
	redirects   int
	conditional bool
	request     *requests
	paging      *paging // nil: there is one page
	cursor      *cursor // nil: there is none
	items       string  // gjson path of the list in a page; "": the page is an item
	judge       *judge
	client      *Client
	transport   http.RoundTripper      // for the hosts that the configuration names
	credential  *credential.Credential // nil: none
	limit       *limit                 // nil: it names none
	watch       *watch                 // nil: it has no watch keys
	host        string                 // the origin that it asks; "": that is known only when it is polled
}

// spec is a schedule as it is configured. Equal ones of one source give the
// same times.
type spec struct {
	text, timezone string
	jitter         time.Duration
}

// NewSource compiles a source. The error is the first of the faults that
// Settings.Check and ResponseSettings.Check report.
func NewSource(name string, s Settings, resp ResponseSettings, c *Client) (*Source, error) {
	r := fault.New()
	src := s.compile(r, name)
	src.agree(r, resp)
	src.judge = resp.compile(r.At("response"))
	src.judge.reader.limit = growth * src.maxBody
	src.judge.graphQL = s.Request.GraphQL.given()
	for _, f := range r.All() {
		if !f.Warning {
			return nil, fmt.Errorf("source %s: %s: %s", name, strings.Join(f.Path, "."), f.Text)
		}
	}
	src.client, src.host = c, hostOf(s.Request.URL)
	if src.limit = c.limits[s.Limit]; src.limit == nil && s.Limit != "" {
		return nil, fmt.Errorf("source %s: no limit is called %q", name, s.Limit)
	}
	if err := src.identify(s.Request); err != nil {
		return nil, fmt.Errorf("source %s: request.%w", name, err)
	}
	if err := src.request.fix(c.base, src.judge.fingerprint); err != nil {
		return nil, fmt.Errorf("source %s: request.%w", name, err)
	}
	return src, nil
}

// Name is the source's name in the configuration.
func (s *Source) Name() string { return s.name }

// Shares reports whether s has the limit, the credentials and the connections of
// another source, which was made with a client that s's was renewed from. Where
// the settings of both are equal too, the other one may stay in s's place.
func (s *Source) Shares(o *Source) bool {
	return s.limit == o.limit && s.credential == o.credential && s.client.pool == o.client.pool && sameTransport(s.transport, o.transport)
}

// sameTransport reports whether two transports are one. A test's own may be of
// a kind that cannot be compared: all sources have it.
func sameTransport(a, b http.RoundTripper) bool {
	own, ok := a.(*http.Transport)
	return !ok || http.RoundTripper(own) == b
}

// Schedule is when the source is polled.
func (s *Source) Schedule() Schedule { return s.schedule }

// Ask makes one exchange and judges what came back. The marks are those of the
// last answer that was taken in; the new ones, in Answer.Bookmarks, have the
// request's fingerprint and the validators, and neither a next run nor
// failures. The error is always a *Failure, and so is a ctx that ends.
func (s *Source) Ask(ctx context.Context, marks Bookmarks) (*Answer, error) {
	return s.AskFor(ctx, marks, nil)
}

// AskFor is Ask for watch keys, of which there may be as many as go into one
// request. Without any, a source that has watch keys is asked for the first.
func (s *Source) AskFor(ctx context.Context, marks Bookmarks, keys []string) (*Answer, error) {
	if s.watch != nil && len(keys) == 0 {
		keys = s.watch.sample()
	}
	answer, err := s.ask(ctx, marks, keys)
	if err != nil {
		return nil, s.client.failure(err)
	}
	answer.Keys = keys
	return answer, nil
}

func (s *Source) ask(ctx context.Context, marks Bookmarks, keys []string) (*Answer, error) {
	w, before, err := s.first(marks, keys)
	if err != nil {
		return nil, err
	}
	var answer *Answer
	var last tail
	if s.paging != nil {
		answer, last, err = s.askPages(ctx, w)
	} else {
		answer, last.at, err = s.fetch(ctx, w, s.validators(w, marks), s.maxBody)
	}
	if err != nil {
		return nil, err
	}
	if err := s.moveCursor(answer, last, before, keys); err != nil {
		return nil, err
	}
	return answer, nil
}

// first is the request of a poll, or that of its first page, and the value of
// the cursor that it is made with.
func (s *Source) first(marks Bookmarks, keys []string) (w *wire, before string, err error) {
	w, before, err = s.render(marks, s.vars(keys))
	if err != nil {
		return nil, "", &Failure{Class: ClassRequest, Err: err}
	}
	if s.paging != nil {
		w, err = s.paging.first(w)
	}
	return w, before, err
}

// fetch makes one exchange and judges the page that came, of at most limit
// bytes. at is the request that it is the answer to: w, or where w was
// redirected to.
func (s *Source) fetch(ctx context.Context, w *wire, given validators, limit int64) (answer *Answer, at *wire, err error) {
	ctx, sent, err := s.spend(ctx)
	if err != nil {
		return nil, nil, transportFailure(ctx, err)
	}
	defer sent()
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("no complete answer within %s", s.timeout))
	defer cancel()

	resp, at, err := s.send(ctx, w, given)
	if err != nil {
		return nil, nil, transportFailure(ctx, err)
	}
	defer resp.Body.Close()
	s.heed(ctx, resp)
	if resp.StatusCode == http.StatusNotModified && !given.none() && at == w {
		return s.unmodified(resp, w, given), at, nil
	}
	if m, err := s.judge.status(resp, time.Now()); err != nil || m != meansOK {
		discard(resp.Body)
		if err != nil {
			return nil, nil, err
		}
		return s.nothing(resp, m), at, nil
	}
	body, err := s.client.read(resp, limit)
	if err != nil {
		return nil, nil, transportFailure(ctx, err)
	}
	answer = onePage()
	answer.Source, answer.Received = s.name, time.Now()
	answer.Status, answer.Header = resp.StatusCode, flatten(resp.Header)
	answer.Bookmarks.Request = w.fingerprint
	if answer.Pages[0], err = s.judge.body(answer, body); err != nil {
		return nil, nil, err
	}
	if at == w && s.mayValidate(w) {
		answer.Bookmarks.ETag, answer.Bookmarks.LastModified = validatorsOf(resp.Header)
	}
	return answer, at, nil
}

// flatten is a header as Answer has it.
func flatten(h http.Header) map[string]string {
	flat := make(map[string]string, len(h))
	for name, values := range h {
		flat[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return flat
}
