package poller

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/retryafter"
	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of a limit's settings, and of waits.
const (
	mostRequests    = 100_000 // of a rate: their times are remembered, 8 bytes each
	shortestPeriod  = time.Second
	longestPeriod   = 24 * time.Hour
	mostConcurrency = 256
	hostConcurrency = 8 // at one host, of sources without a limit

	// longestTurn is how long a poll that has begun waits for one more
	// request: it holds a worker meanwhile.
	longestTurn = time.Minute
)

// LimitSettings is a budget that sources share: it belongs to an account, not
// to a source.
type LimitSettings struct {
	// Requests in any span of so long, evenly spaced: 5/s, 1400/10s. From
	// 1s to a day, at most 100,000.
	Rate units.Rate `yaml:"rate" json:"rate,omitempty"`
	// Requests in a calendar day in UTC: 100000/day. What is used outlives a
	// restart. Once it is spent, the sources rest until 00:00 UTC.
	Quota units.Rate `yaml:"quota" json:"quota,omitempty"`
	// Polls that run at once. 0: as many as the rate lets through.
	Concurrency int `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"minimum=0,maximum=256"`
}

// Check reports what is wrong with the settings; r is at limits.NAME.
func (s LimitSettings) Check(r fault.Report) {
	if !s.Rate.IsZero() {
		switch at := r.At("rate"); {
		case s.Rate.Per < shortestPeriod || s.Rate.Per > longestPeriod:
			at.Errorf("%s: expected so many in 1s to 24h", s.Rate)
		case s.Rate.N > mostRequests:
			at.Errorf("%s: expected at most %d", s.Rate, mostRequests)
		}
	}
	if !s.Quota.IsZero() && s.Quota.Per != 24*time.Hour {
		r.At("quota").Errorf("%s: expected so many a day, such as %d/day", s.Quota, s.Quota.N)
	}
	if s.Concurrency < 0 || s.Concurrency > mostConcurrency {
		r.At("concurrency").Errorf("expected a number from 0 to %d", mostConcurrency)
	}
	if s == (LimitSettings{}) {
		r.Warnf("limits nothing: it has neither rate, quota nor concurrency")
	}
}

// limit is a LimitSettings at work, shared by the sources that name it.
type limit struct {
	name        string
	settings    LimitSettings
	concurrency int
	budget      *budget.Limit
	before      uint64 // requests made on those of its name that it took the place of; guarded by Poller.mu
}

func newLimit(name string, s LimitSettings) *limit {
	return &limit{name: name, settings: s, concurrency: s.Concurrency, budget: budget.New(budget.Terms{
		Requests: s.Rate.N, Per: s.Rate.Per, Quota: s.Quota.N,
	})}
}

// newLimits makes the limits of a configuration that has no fault. Those that
// are as they were before are the same.
func newLimits(settings map[string]LimitSettings, before map[string]*limit) map[string]*limit {
	limits := make(map[string]*limit, len(settings))
	for name, s := range settings {
		if was := before[name]; was != nil && was.settings == s {
			limits[name] = was
		} else {
			limits[name] = newLimit(name, s)
		}
	}
	return limits
}

// turn is what the dispatcher gave a poll to go with, and what the server said
// on it. It travels in the poll's context, because a request that uses it up
// may be made far below: a page's, or a redirect's.
type turn struct {
	grant *budget.Grant // of one request that is taken already; nil: it is used
	rest  time.Time     // until when the server asked to be left alone; zero: it didn't
}

type turnKey struct{}

func withTurn(ctx context.Context, t *turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// turnOf is the poll's turn. A request that belongs to no poll of the
// dispatcher's, as that of a dry run, has one of its own.
func turnOf(ctx context.Context) *turn {
	if t, ok := ctx.Value(turnKey{}).(*turn); ok {
		return t
	}
	return &turn{}
}

// spend takes one request of the source's limit, and waits for it as long as a
// poll that has begun may. Each request of the account must go through it: it
// is made with the context that spend gives, and sent is called when it has
// ended. A redirect to another origin is none of the account's, nor is the
// request for a token: credentials may be shared by sources of several limits.
// The error is a *Failure of ClassLimit, or that ctx ended.
func (s *Source) spend(ctx context.Context) (sending context.Context, sent func(), err error) {
	if s.limit == nil {
		return ctx, func() {}, nil
	}
	var grant budget.Grant
	if t := turnOf(ctx); t.grant != nil {
		grant, t.grant = *t.grant, nil
	} else if grant, err = s.limit.wait(ctx); err != nil {
		return ctx, func() {}, err
	}
	sent = func() { s.limit.budget.Sent(grant, time.Now()) }
	// A connection may take its time: what counts is when it is through.
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent() },
	}), sent, nil
}

// wait is for a request of a poll that has begun.
func (l *limit) wait(ctx context.Context) (budget.Grant, error) {
	now := time.Now()
	latest, ours := now.Add(longestTurn), false
	for g := (budget.Grant{}); ; now = time.Now() {
		if !ours {
			g, ours = l.budget.Reserve(now, latest)
		}
		at := g.At
		if rest := l.budget.Resting(); rest.After(at) { // it may have been told meanwhile
			at = rest
		}
		if ours && !at.After(now) {
			return g, nil
		}
		err := until(ctx, at, latest)
		if err == nil {
			continue
		}
		if ours {
			l.budget.Sent(g, time.Now())
		}
		if errors.Is(err, errTooLate) {
			err = Failf(ClassLimit, "limit %s lets no request through before %s", l.name, at.UTC().Format(time.RFC3339))
		}
		return g, err
	}
}

var errTooLate = errors.New("too late")

// until waits for a time that is not after latest.
func until(ctx context.Context, at, latest time.Time) error {
	if at.After(latest) {
		return errTooLate
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// unused gives up what a poll did not use of its turn.
func (j *job) unused() {
	if j.turn.grant != nil {
		j.source.limit.budget.Drop(*j.turn.grant)
		j.turn.grant = nil
	}
}

// heed notes what an answer says of the account's budget: it holds for all
// sources of the limit, or for the source alone where it has none.
func (s *Source) heed(ctx context.Context, resp *http.Response) {
	now := time.Now()
	wait := retryafter.Header(resp.Header, resp.StatusCode, now)
	if wait <= 0 {
		return
	}
	until := now.Add(wait)
	if s.limit != nil {
		s.limit.budget.Rest(until)
		return
	}
	if t := turnOf(ctx); until.After(t.rest) {
		t.rest = until
	}
}
