package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/secret"
)

// endpoint gives token-1, token-2, …, and notes with which refresh tokens.
type endpoint struct {
	mu     sync.Mutex
	asked  []string
	takes  time.Duration
	life   time.Duration
	rotate bool
	err    error
}

func (e *endpoint) exchange(ctx context.Context, refresh string) (auth.Grant, error) {
	e.mu.Lock()
	e.asked = append(e.asked, refresh)
	n, err, rotate := len(e.asked), e.err, e.rotate
	e.mu.Unlock()
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return auth.Grant{}, context.Cause(ctx)
	}
	g := auth.Grant{Token: fmt.Sprintf("token-%d", n), Lifetime: e.life}
	if rotate {
		g.Refresh = fmt.Sprintf("refresh-%d", n)
	}
	return g, err
}

// shelf is a store in memory.
type shelf struct {
	mu    sync.Mutex
	takes time.Duration
	err   error
	kept  map[string]auth.Record
}

func (s *shelf) Token(_ context.Context, name string) (auth.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[name], nil
}

func (s *shelf) SaveToken(ctx context.Context, name string, r auth.Record) error {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		if s.kept == nil {
			s.kept = map[string]auth.Record{}
		}
		s.kept[name] = r
	}
	return s.err
}

// bubble runs a test under synctest with a keeper, which it closes.
func bubble(t *testing.T, o auth.Options, test func(t *testing.T, k *auth.Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := auth.New(o)
		defer k.Close()
		test(t, k)
	})
}

func token(t *testing.T, k *auth.Keeper, want string) {
	t.Helper()
	if got, err := k.Token(t.Context()); err != nil || got != want {
		t.Errorf("after %s: got %q, %v, want %q", time.Since(epoch), got, err, want)
	}
}

// epoch is a bubble's first moment.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func refused(t *testing.T, k *auth.Keeper, want string) error {
	t.Helper()
	got, err := k.Token(t.Context())
	if err == nil || got != "" || !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, %v, want an error with %q", got, err, want)
	}
	return err
}

func TestManyAskOnce(t *testing.T) {
	e := &endpoint{takes: time.Second, life: time.Hour}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { token(t, k, "token-1") })
		}
		wg.Wait()
		// A poll that gives up takes nothing from the others.
		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(2 * time.Hour)
		wg.Go(func() {
			if _, err := k.Token(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { token(t, k, "token-2") })
		cancel()
		wg.Wait()
		if len(e.asked) != 2 {
			t.Errorf("the endpoint was asked %d times, want 2", len(e.asked))
		}
	})
}

// TestRenewal: ahead of the end by the slack, but never before half the life;
// and where that fails the old token serves to its end.
func TestRenewal(t *testing.T) {
	e := &endpoint{life: 10 * time.Minute}
	bubble(t, auth.Options{Exchange: e.exchange, Slack: time.Minute}, func(t *testing.T, k *auth.Keeper) {
		token(t, k, "token-1")
		time.Sleep(9*time.Minute - 1)
		token(t, k, "token-1")
		time.Sleep(time.Nanosecond)
		token(t, k, "token-2")

		e.life = 30 * time.Second
		time.Sleep(9 * time.Minute)
		token(t, k, "token-3")
		time.Sleep(15*time.Second - 1)
		token(t, k, "token-3")
		time.Sleep(time.Nanosecond)
		e.err = errors.New("the endpoint is down")
		token(t, k, "token-3")
		token(t, k, "token-3")
		if len(e.asked) != 4 {
			t.Errorf("the endpoint was asked %d times, want 4", len(e.asked))
		}
		time.Sleep(15 * time.Second)
		refused(t, k, "down")
	})
}

func TestLifetimeThatIsNotTold(t *testing.T) {
	e := &endpoint{}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		token(t, k, "token-1")
		time.Sleep(time.Hour - 1)
		token(t, k, "token-1")
		time.Sleep(time.Nanosecond)
		token(t, k, "token-2")
		e.life = 1 // a nanosecond is taken for a second
		time.Sleep(time.Hour)
		token(t, k, "token-3")
		token(t, k, "token-3")
	})
}

// TestPause: a failing endpoint is asked again after 1, 2, 4 … 60 s, and not
// before the time that it asked for, however often a token is wanted.
func TestPause(t *testing.T) {
	e := &endpoint{err: &auth.Error{Status: 503}}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		var at []time.Duration
		for seen := 0; time.Since(epoch) < 5*time.Minute; time.Sleep(100 * time.Millisecond) {
			refused(t, k, "status 503")
			if len(e.asked) > seen {
				seen, at = len(e.asked), append(at, time.Since(epoch).Truncate(time.Second))
			}
		}
		want := []time.Duration{0, 1e9, 3e9, 7e9, 15e9, 31e9, 63e9, 123e9, 183e9, 243e9}
		if len(at) < len(want) || !slices.Equal(at[:5], want[:5]) || len(at) > len(want)+1 {
			t.Errorf("asked at %v, want %v", at, want)
		}
		e.err = &auth.Error{Status: 429, After: time.Hour}
		time.Sleep(time.Minute)
		refused(t, k, "status 429")
		e.err = nil
		time.Sleep(time.Hour - 1)
		refused(t, k, "status 429")
		time.Sleep(time.Nanosecond)
		if _, err := k.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestRenewOn401: once for all who were refused, and at most once a minute.
func TestRenewOn401(t *testing.T) {
	e := &endpoint{life: time.Hour, takes: time.Second}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		token(t, k, "token-1")
		renew := func(refused, want string) {
			t.Helper()
			if got, err := k.Renew(t.Context(), refused); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { renew("token-1", "token-2") })
		}
		wg.Wait()
		renew("token-1", "token-2") // late: there is another one already
		renew("token-2", "token-2") // it doesn't help
		time.Sleep(time.Minute)
		renew("token-2", "token-3")
		if len(e.asked) != 3 {
			t.Errorf("the endpoint was asked %d times, want 3", len(e.asked))
		}
		e.err = errors.New("the endpoint is down")
		time.Sleep(time.Minute)
		if got, err := k.Renew(t.Context(), "token-3"); err == nil {
			t.Errorf("got %q after a failure", got)
		}
	})
}

// TestRotation: the new refresh token is stored before the token that came
// with it is used, and a restart goes on from it.
func TestRotation(t *testing.T) {
	e, s := &endpoint{life: time.Hour, rotate: true}, &shelf{}
	var learned []string
	o := auth.Options{
		Name: "spotify", Exchange: e.exchange, Refresh: "configured", Origin: "o1", Store: s,
		Learn: func(tokens ...string) { learned = append(learned, tokens...) },
	}
	bubble(t, o, func(t *testing.T, k *auth.Keeper) {
		token(t, k, "token-1")
		want := auth.Record{Origin: "o1", Refresh: "refresh-1", Since: epoch}
		if diff := cmp.Diff(want, s.kept["spotify"]); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Hour)
		token(t, k, "token-2")
		e.rotate = false
		time.Sleep(time.Hour)
		token(t, k, "token-3")
	})
	bubble(t, o, func(t *testing.T, k *auth.Keeper) { token(t, k, "token-4") })
	o.Refresh, o.Origin = "allowed anew", "o2"
	bubble(t, o, func(t *testing.T, k *auth.Keeper) { token(t, k, "token-5") })
	if diff := cmp.Diff([]string{"configured", "refresh-1", "refresh-2", "refresh-2", "allowed anew"}, e.asked); diff != "" {
		t.Errorf("asked with (-want +got):\n%s", diff)
	}
	for _, v := range []string{"configured", "refresh-1", "refresh-2", "token-5"} {
		if !slices.Contains(learned, v) {
			t.Errorf("%s was not learned", v)
		}
	}
}

// TestStoreFails: a refresh token that could not be stored is not used, nor is
// the one that was exchanged for it; when the store works again it is.
func TestStoreFails(t *testing.T) {
	e, s := &endpoint{life: time.Hour, rotate: true}, &shelf{err: errors.New("the disk is full")}
	bubble(t, auth.Options{Exchange: e.exchange, Refresh: "configured", Store: s}, func(t *testing.T, k *auth.Keeper) {
		refused(t, k, "the disk is full")
		time.Sleep(time.Minute)
		refused(t, k, "the disk is full")
		if len(e.asked) != 1 {
			t.Errorf("the endpoint was asked %d times without a store, want 1", len(e.asked))
		}
		s.err = nil
		time.Sleep(time.Minute)
		token(t, k, "token-2")
		if diff := cmp.Diff([]string{"configured", "refresh-1"}, e.asked); diff != "" {
			t.Error(diff)
		}
		if s.kept[""].Refresh != "refresh-2" {
			t.Errorf("stored is %+v", s.kept)
		}
	})
}

func TestNoStore(t *testing.T) {
	e := &endpoint{}
	bubble(t, auth.Options{Exchange: e.exchange, Refresh: "configured"}, func(t *testing.T, k *auth.Keeper) {
		if err := refused(t, k, "could not be stored"); !errors.Is(err, auth.ErrNoStore) || len(e.asked) > 0 {
			t.Errorf("got %v, asked %v", err, e.asked)
		}
	})
}

// TestExpired: a person is told once, and the endpoint is left alone.
func TestExpired(t *testing.T) {
	e := &endpoint{err: &auth.Error{Status: 400, Code: "invalid_grant"}}
	told, renewed := 0, 0
	o := auth.Options{Exchange: e.exchange, Refresh: "configured", Store: &shelf{}, Expired: func() { told++ }, Renewed: func() { renewed++ }}
	bubble(t, o, func(t *testing.T, k *auth.Keeper) {
		for range 100 {
			if err := refused(t, k, "invalid_grant"); !errors.Is(err, auth.ErrExpired) {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if told != 1 || len(e.asked) != 1 || renewed != 0 {
			t.Errorf("told %d times and asked %d times, want once each; renewed %d times", told, len(e.asked), renewed)
		}
	})
	e.err = nil
	bubble(t, o, func(t *testing.T, k *auth.Keeper) {
		token(t, k, "token-2")
		if told != 1 || renewed != 1 {
			t.Errorf("told %d times that it expired and %d times that it works, want once each", told, renewed)
		}
	})
}

// TestInvalidGrantOfAClient is a failure like others: there is no token that a
// person could renew.
func TestInvalidGrantOfAClient(t *testing.T) {
	e := &endpoint{err: &auth.Error{Status: 400, Code: "invalid_grant"}}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		refused(t, k, "invalid_grant")
		time.Sleep(time.Second)
		e.err = nil
		token(t, k, "token-2")
	})
}

// TestClose waits for the answer to a refresh token and stores it; an exchange
// that can be made again is cut off.
func TestClose(t *testing.T) {
	for refresh, want := range map[string]time.Duration{"configured": 20 * time.Second, "": 0} {
		synctest.Test(t, func(t *testing.T) {
			e, s := &endpoint{takes: 20 * time.Second, rotate: true}, &shelf{}
			k := auth.New(auth.Options{Exchange: e.exchange, Refresh: refresh, Store: s})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _, _ = k.Token(ctx) }()
			synctest.Wait()
			cancel()
			k.Close()
			if took := time.Since(epoch); took != want {
				t.Errorf("refresh token %q: closed after %s, want %s", refresh, took, want)
			}
			if refresh != "" && s.kept[""].Refresh != "refresh-1" {
				t.Errorf("stored is %+v", s.kept)
			}
			if _, err := k.Token(t.Context()); refresh == "" && err == nil {
				t.Error("a closed keeper gave a token")
			}
		})
	}
}

// TestCloseStores a refresh token that could not be stored before, and one that
// came at the last moment.
func TestCloseStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := &endpoint{rotate: true}, &shelf{err: errors.New("the disk is full")}
		k := auth.New(auth.Options{Exchange: e.exchange, Refresh: "configured", Store: s})
		refused(t, k, "the disk is full")
		s.err = nil
		k.Close()
		if s.kept[""].Refresh != "refresh-1" {
			t.Errorf("stored is %+v", s.kept)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e, s := &endpoint{rotate: true, takes: 30*time.Second - time.Millisecond}, &shelf{takes: time.Second}
		k := auth.New(auth.Options{Exchange: e.exchange, Refresh: "configured", Store: s})
		token(t, k, "token-1")
		k.Close()
		if s.kept[""].Refresh != "refresh-1" {
			t.Errorf("stored is %+v", s.kept)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a store that hangs is waited for, but not for ever
		e, s := &endpoint{rotate: true}, &shelf{takes: time.Hour}
		k := auth.New(auth.Options{Exchange: e.exchange, Refresh: "configured", Store: s})
		refused(t, k, "deadline exceeded")
		k.Close()
		if took := time.Since(epoch); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestRefreshTokenStaysKnown: of what was learned only the latest is known, and
// a refresh token that lives long must be among it.
func TestRefreshTokenStaysKnown(t *testing.T) {
	r, e := secret.NewRedactor(), &endpoint{life: time.Minute}
	s := &shelf{kept: map[string]auth.Record{"": {Origin: "o1", Refresh: "stored-refresh-token"}}}
	o := auth.Options{
		Exchange: func(ctx context.Context, refresh string) (auth.Grant, error) {
			g, err := e.exchange(ctx, refresh)
			g.Token = "long-enough-" + g.Token
			return g, err
		},
		Refresh: "configured", Origin: "o1", Store: s,
		Learn: func(tokens ...string) { r.Learn("", tokens...) },
	}
	bubble(t, o, func(t *testing.T, k *auth.Keeper) {
		for range 20 {
			if _, err := k.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if got := r.Text("stored-refresh-token"); got != secret.Mask {
			t.Errorf("it is shown as %s", got)
		}
	})
}

// TestExchangeThatHangs ends after 30 s.
func TestExchangeThatHangs(t *testing.T) {
	e := &endpoint{takes: time.Hour}
	bubble(t, auth.Options{Exchange: e.exchange}, func(t *testing.T, k *auth.Keeper) {
		refused(t, k, "no token within 30s")
		if took := time.Since(epoch); took != 30*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
