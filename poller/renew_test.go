package poller_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// TestShares: what a source has of its client stays the very same where its
// settings, and the files that they name, are equal.
func TestShares(t *testing.T) {
	cert, _, _ := identity(t, "deltahook")
	other, _, _ := identity(t, "another")
	settings := func() poller.ClientOptions {
		return poller.ClientOptions{
			Egress: egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			Auth:   map[string]credential.Settings{"shop": {Bearer: &credential.BearerSettings{Token: secret.New("t0ken")}}},
			Limits: map[string]poller.LimitSettings{"account": {Rate: rate(5, time.Second)}, "other": {Concurrency: 1}},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*poller.ClientOptions)
		want   map[string]bool // by source
	}{
		{"nothing", func(*poller.ClientOptions) {}, map[string]bool{"plain": true, "auth": true, "limit": true, "tls": true}},
		{"egress", func(o *poller.ClientOptions) { o.Egress.Allow = nil }, map[string]bool{}},
		{"credentials", func(o *poller.ClientOptions) {
			o.Auth = map[string]credential.Settings{"shop": {Bearer: &credential.BearerSettings{Token: secret.New("another")}}}
		}, map[string]bool{"plain": true, "limit": true, "tls": true}},
		{"a limit", func(o *poller.ClientOptions) { o.Limits["account"] = poller.LimitSettings{Rate: rate(6, time.Second)} },
			map[string]bool{"plain": true, "auth": true, "tls": true}},
		{"another limit", func(o *poller.ClientOptions) { delete(o.Limits, "other") },
			map[string]bool{"plain": true, "auth": true, "limit": true, "tls": true}},
		{"the file of a certificate", func(*poller.ClientOptions) {
			text, err := os.ReadFile(other)
			if err == nil {
				err = os.WriteFile(cert, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, map[string]bool{"plain": true, "auth": true, "limit": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := func(client *poller.Client) map[string]*poller.Source {
				ca := credential.TLSSettings{CA: cert}
				return map[string]*poller.Source{
					"plain": made(t, client, "plain", "@hourly", nil),
					"limit": made(t, client, "limit", "@hourly", func(s *poller.Settings) { s.Limit = "account" }),
					"auth":  made(t, client, "auth", "@hourly", func(s *poller.Settings) { s.Request.Auth.Name = "shop" }),
					"tls":   made(t, client, "tls", "@hourly", func(s *poller.Settings) { s.Request.TLS = ca }),
				}
			}
			before := poller.NewClient(settings())
			defer before.Close()
			were, o := all(before), settings()
			c.change(&o)
			after := before.Renew(o)
			defer after.Close()
			for name, is := range all(after) {
				if got := is.Shares(were[name]); got != c.want[name] {
					t.Errorf("%s shares: %t", name, got)
				}
			}
		})
	}
}

// listening is a server that knows its connections.
func listening(t *testing.T) (s *httptest.Server, open func() (now, ever int)) {
	t.Helper()
	var mu sync.Mutex
	known, ever := map[net.Conn]bool{}, 0
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			known[c] = true
			ever++
		case http.StateClosed:
			delete(known, c)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return len(known), ever
	}
}

// TestRenewedConnections are those from before where they may be, and closed
// where nobody uses them.
func TestRenewedConnections(t *testing.T) {
	server, open := listening(t)
	o := poller.ClientOptions{Egress: egress.Policy{AllowPrivate: true}}
	client := poller.NewClient(o)
	asks := func(c *poller.Client) {
		t.Helper()
		ask(t, source(t, c, poller.RequestSettings{URL: server.URL}, poller.ResponseSettings{}))
	}
	asks(client)
	for range 20 {
		dropped := client.Renew(o) // of a reload that fails later
		dropped.Close()
		next := client.Renew(o)
		client.Close()
		client.Close()
		asks(next)
		client = next
	}
	if now, ever := open(); now != 1 || ever != 1 {
		t.Errorf("%d connections, %d in all", now, ever)
	}
	o.Egress.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	next := client.Renew(o)
	asks(next)
	if now, _ := open(); now != 2 {
		t.Errorf("%d connections while both are there", now)
	}
	client.Close()
	closed(t, open, 1)
	next.Close()
	closed(t, open, 0)
}

// closed waits until a server has so many connections.
func closed(t *testing.T, open func() (now, ever int), want int) {
	t.Helper()
	for range 6000 { // a minute
		if now, _ := open(); now == want {
			return
		}
		time.Sleep(10 * time.Millisecond) // it hears of it over the network
	}
	now, _ := open()
	t.Errorf("%d connections, want %d", now, want)
}

// TestRenewedCertificates: connections with certificates of their own are
// closed with the last client that uses them.
func TestRenewedCertificates(t *testing.T) {
	server, open := listening(t)
	cert, _, _ := identity(t, "deltahook")
	with := poller.RequestSettings{URL: server.URL, TLS: credential.TLSSettings{CA: cert}}
	o := poller.ClientOptions{Egress: egress.Policy{AllowPrivate: true}}
	first := poller.NewClient(o)
	ask(t, source(t, first, with, poller.ResponseSettings{}))
	second := first.Renew(o)
	ask(t, source(t, second, with, poller.ResponseSettings{}))
	first.Close()
	if now, ever := open(); now != 1 || ever != 1 {
		t.Errorf("%d connections, %d in all", now, ever)
	}
	third := second.Renew(o) // nobody has the certificates any more
	defer third.Close()
	second.Close()
	closed(t, open, 0)
}

// TestRenewedTokens: equal credentials keep their token, whichever client is
// closed; others get another.
func TestRenewedTokens(t *testing.T) {
	a := newAccount(t)
	o := poller.ClientOptions{Egress: egress.Policy{AllowPrivate: true}}
	o.Auth = map[string]credential.Settings{"shop": {OAuth2: clientCredentials(a)}}
	client := poller.NewClient(o)
	asks := func(c *poller.Client) { ask(t, source(t, c, named(a.URL), poller.ResponseSettings{})) }
	asks(client)
	for range 3 {
		dropped := client.Renew(o)
		asks(dropped)
		dropped.Close()
		asks(client)
		next := client.Renew(o)
		asks(next)
		client.Close()
		client = next
		asks(client)
	}
	if len(a.asked) != 1 {
		t.Errorf("asked for %d tokens", len(a.asked))
	}
	changed := clientCredentials(a)
	changed.Scopes = []string{"another"}
	o.Auth = map[string]credential.Settings{"shop": {OAuth2: changed}}
	next := client.Renew(o)
	asks(next)
	if len(a.asked) != 2 {
		t.Errorf("asked for %d tokens", len(a.asked))
	}
	client.Close()
	next.Close()
}

// TestRenewedRefreshToken: where the credentials become others while their
// refresh token is exchanged, the new one is used.
func TestRenewedRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var used []string
		n := 0
		api := roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/token" {
				return reply(200, "{}")
			}
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			n++
			used = append(used, string(body))
			answer := fmt.Sprintf(`{"access_token":"token-%d","refresh_token":"refresh-number-%d","expires_in":3600,"token_type":"bearer"}`, n, n)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			return reply(200, answer)
		})
		store := &shelf{kept: map[string]auth.Record{}}
		with := func(scope string) poller.ClientOptions {
			return poller.ClientOptions{Tokens: store, Auth: map[string]credential.Settings{"shop": {OAuth2: &credential.OAuth2Settings{
				Grant: "refresh_token", TokenURL: "http://x.example/token", ClientID: "me", RefreshToken: secret.New("configured-refresh"), Scopes: []string{scope},
			}}}}
		}
		first := poller.NewClientOver(api, with("a"))
		was := source(t, first, named("http://x.example"), poller.ResponseSettings{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := was.Ask(ctx, poller.Bookmarks{}); err == nil {
			t.Error("answered before there was a token")
		}
		second := first.Renew(with("b"))
		defer second.Close()
		is := source(t, second, named("http://x.example"), poller.ResponseSettings{})
		var closing sync.WaitGroup
		closing.Go(first.Close)
		ask(t, is)
		closing.Wait()
		if diff := cmp.Diff([]string{
			"client_id=me&grant_type=refresh_token&refresh_token=configured-refresh&scope=a",
			"client_id=me&grant_type=refresh_token&refresh_token=refresh-number-1&scope=b",
		}, used); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAccessAfterARenewal is told of those who have the credentials now.
func TestAccessAfterARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/token" {
				return reply(400, `{"error":"invalid_grant"}`)
			}
			return reply(200, "{}")
		})
		var told []credential.Access
		o := poller.ClientOptions{
			Tokens: &shelf{kept: map[string]auth.Record{}}, Access: func(a credential.Access) { told = append(told, a) },
			Auth: map[string]credential.Settings{"shop": {OAuth2: &credential.OAuth2Settings{
				Grant: "refresh_token", TokenURL: "http://x.example/token", ClientID: "me", RefreshToken: secret.New("configured-refresh"),
			}}},
		}
		by := func(s *poller.Settings) { s.Request.Auth.Name = "shop" }
		first := poller.NewClientOver(api, o)
		made(t, first, "a", "@hourly", by)
		second := first.Renew(o)
		defer second.Close()
		b := made(t, second, "b", "@hourly", by)
		first.Close()
		_, _ = b.Ask(t.Context(), poller.Bookmarks{})
		want := []credential.Access{{Auth: "shop", Users: []credential.User{{Source: "b"}}, Setting: "auth.shop.oauth2.refresh_token", Expired: true}}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
}

// TestUpdateOfALimit: however often a limit becomes another, no span has more
// requests than it may, and a quota is not used twice.
func TestUpdateOfALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, q, book := time.Now(), &requests{}, &ledger{}
		terms := []poller.LimitSettings{
			{Rate: rate(10, 10*time.Second), Quota: rate(200, 24*time.Hour)},
			{Rate: rate(10, 10*time.Second), Quota: rate(200, 24*time.Hour), Concurrency: 3},
		}
		options := func(i int) poller.ClientOptions {
			return poller.ClientOptions{Limits: map[string]poller.LimitSettings{"account": terms[i%len(terms)]}}
		}
		all := func(c *poller.Client, n int) (made []*poller.Source) {
			for i := range n {
				name := fmt.Sprint("s", i)
				s, err := poller.NewSource(name, poller.Settings{
					Schedule: "@every 1s", Limit: "account", Request: poller.RequestSettings{URL: "http://x.example/" + name},
				}, poller.ResponseSettings{}, c)
				if err != nil {
					t.Fatal(err)
				}
				made = append(made, s)
			}
			return made
		}
		client := poller.NewClientOver(q, options(0))
		p := poller.New(all(client, 5), nil, &sink{}, poller.Options{Ledger: book})
		while(t, p, 10*time.Minute, func() {
			for i := 1; time.Since(start) < 150*time.Second; i++ {
				time.Sleep(1700 * time.Millisecond)
				next := client.Renew(options(i))
				n := 5
				if i%7 == 0 {
					n = 0 // nobody names it
				}
				if err := p.Update(t.Context(), all(next, n), nothing); err != nil {
					t.Error(err)
				}
				client.Close()
				client = next
			}
		})
		defer client.Close()
		if n := q.window(10 * time.Second); n > 10 {
			t.Errorf("%d in 10 s", n)
		}
		if n := len(q.at); n != 200 {
			t.Errorf("%d requests of a quota of 200", n)
		}
		if used := book.used["account"]; used.Used != 200 {
			t.Errorf("stored is %+v", used)
		}
	})
}
