package emitter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
)

// book is credentials whose tokens are fetched over the default transport.
func book(t *testing.T, r *secret.Redactor, named map[string]credential.Settings) *credential.Book {
	t.Helper()
	transport := &http.Transport{}
	b := credential.NewBook(credential.Options{
		Named: named, Redactor: r,
		Over: func(credential.TLSSettings) (http.RoundTripper, error) { return transport, nil },
	})
	t.Cleanup(func() { b.Close(); transport.CloseIdleConnections() })
	return b
}

// Each kind of credentials arrives in its place, over what the endpoint's own
// headers and URL say, at the endpoint that names it only.
func TestCredentialsArrive(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	defer server.Close()
	b := book(t, nil, map[string]credential.Settings{
		"several": {Bearer: &credential.BearerSettings{Token: secret.New("t0ken")}, APIKey: &credential.APIKeySettings{Query: "key", Value: secret.New("a b&c")}},
	})
	basic := &credential.Settings{Basic: &credential.BasicSettings{User: "me", Password: secret.New("pw")}}
	header := &credential.Settings{APIKey: &credential.APIKeySettings{Header: "x-api-key", Value: secret.New("k")}}
	for _, c := range []struct {
		name       string
		ref        credential.Ref
		auth, key  string
		requestURI string
	}{
		{"named", credential.Ref{Name: "several"}, "Bearer t0ken", "old", "/?a=1&key=a%20b%26c&z=%2f"},
		{"basic", credential.Ref{Own: basic}, "Basic bWU6cHc=", "old", "/?a=1&key=0&z=%2f"},
		{"header", credential.Ref{Own: header}, "own", "k", "/?a=1&key=0&z=%2f"},
		{"none", credential.Ref{}, "own", "old", "/?a=1&key=0&z=%2f"},
	} {
		e := endpoint(t, emitter.Settings{
			URL: server.URL + "?a=1&key=0&z=%2f", Auth: c.ref,
			Headers: map[string]secret.Text{"authorization": secret.New("own"), "X-Api-Key": secret.New("old")},
		}, emitter.EndpointOptions{Egress: loopback, Auth: b})
		if a := e.Send(t.Context(), hello); a.Status != http.StatusOK {
			t.Fatalf("%s: %+v", c.name, a)
		}
		if got.Header.Get("Authorization") != c.auth || got.Header.Get("X-Api-Key") != c.key || got.RequestURI != c.requestURI {
			t.Errorf("%s: %q, %q, %s", c.name, got.Header.Get("Authorization"), got.Header.Get("X-Api-Key"), got.RequestURI)
		}
	}
	if _, err := emitter.NewEndpoint("x", emitter.Settings{URL: server.URL, Auth: credential.Ref{Name: "absent"}}, emitter.EndpointOptions{Auth: b}); err == nil {
		t.Error("an endpoint was made without its credentials")
	}
}

// tokens is a token endpoint, and a receiver that takes its latest token.
type tokens struct {
	mu      sync.Mutex
	issued  int
	refuse  int // status of the token endpoint; 0: it gives tokens
	after   string
	posts   int
	refused int // 401 of the receiver
	expired bool
}

func (s *tokens) serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path == "/token" {
			if s.refuse != 0 {
				w.Header().Set("Retry-After", s.after)
				w.WriteHeader(s.refuse)
				fmt.Fprint(w, `{"error":"invalid_client","error_description":"`+r.Header.Get("Authorization")+`"}`)
				return
			}
			s.issued++
			s.expired = false
			fmt.Fprintf(w, `{"access_token":"granted-token-%d","expires_in":3600}`, s.issued)
			return
		}
		s.posts++
		if s.expired || r.Header.Get("Authorization") != fmt.Sprintf("Bearer granted-token-%d", s.issued) {
			s.refused++
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server
}

func (s *tokens) set(f func(*tokens)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func oauth2(url string) credential.Settings {
	return credential.Settings{OAuth2: &credential.OAuth2Settings{
		Grant: "client_credentials", TokenURL: url + "/token", ClientID: "me", ClientSecret: secret.New("client-s3cret"), RefreshOn401: true,
	}}
}

// Endpoints that name the same credentials share a token, which is fetched
// once, renewed once where it is refused, and shown in no attempt.
func TestTokenIsSharedAndRenewed(t *testing.T) {
	state := &tokens{}
	server := state.serve(t)
	redactor := secret.NewRedactor()
	b := book(t, redactor, map[string]credential.Settings{"shop": oauth2(server.URL)})
	var endpoints []*emitter.Endpoint
	for range 2 {
		endpoints = append(endpoints, endpoint(t, emitter.Settings{URL: server.URL, Auth: credential.Ref{Name: "shop"}},
			emitter.EndpointOptions{Egress: loopback, Auth: b, Redactor: redactor}))
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			a := endpoints[i%2].Send(t.Context(), hello)
			if a.Status != 200 || string(a.Response) != "Bearer <secret>" {
				t.Errorf("%+v", a)
			}
		})
	}
	wg.Wait()
	if state.issued != 1 || state.posts != 20 {
		t.Errorf("%d tokens for %d posts", state.issued, state.posts)
	}
	state.set(func(s *tokens) { s.expired = true })
	for range 4 {
		wg.Go(func() {
			if a := endpoints[0].Send(t.Context(), hello); a.Status != 200 {
				t.Errorf("after the token was refused: %+v", a)
			}
		})
	}
	wg.Wait()
	if state.issued != 2 {
		t.Errorf("%d tokens, want 2: one renewal for all", state.issued)
	}

	// A token is renewed once a minute; in between the endpoint waits, and
	// nothing becomes a dead letter by it.
	state.set(func(s *tokens) { s.expired = true })
	a := endpoints[0].Send(t.Context(), hello)
	v := emitter.Judge(a, emitter.RetrySettings{}.Policy(), 1, time.Now(), 0)
	if a.Status != 401 || state.issued != 2 || v.State != emitter.Waiting || time.Until(v.Hold) < 50*time.Second {
		t.Errorf("%+v: %+v", a, v)
	}
	checkHidden(t, a, "granted-token")
}

// A receiver that refuses a new token as well has the last word.
func TestSecondRefusalIsPermanent(t *testing.T) {
	state := &tokens{}
	server := state.serve(t)
	never := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer never.Close()
	own := oauth2(server.URL)
	e := endpoint(t, emitter.Settings{URL: never.URL, Auth: credential.Ref{Own: &own}}, emitter.EndpointOptions{Egress: loopback, Auth: book(t, nil, nil)})
	a := e.Send(t.Context(), hello)
	if v := emitter.Judge(a, emitter.RetrySettings{}.Policy(), 1, time.Now(), 0); a.Status != 401 || v.State != emitter.Dead || state.issued != 2 {
		t.Errorf("%+v: %+v, %d tokens", a, v, state.issued)
	}
}

// A token endpoint that fails is a failed attempt, which the schedule repeats,
// whatever its status; the receiver hears nothing. Its Retry-After holds the
// endpoint.
func TestTokenEndpointFails(t *testing.T) {
	for _, status := range []int{400, 401, 403, 500} {
		state := &tokens{refuse: status, after: "120"}
		server := state.serve(t)
		redactor := secret.NewRedactor("client-s3cret", credential.Basic("me", "client-s3cret"))
		b := book(t, redactor, map[string]credential.Settings{"shop": oauth2(server.URL)})
		e := endpoint(t, emitter.Settings{URL: server.URL + "/hook", Auth: credential.Ref{Name: "shop"}}, emitter.EndpointOptions{Egress: loopback, Auth: b, Redactor: redactor})
		a := e.Send(t.Context(), hello)
		if a.Status != 0 || a.Error != emitter.ErrorAuth || state.posts != 0 ||
			!strings.HasPrefix(a.Reason, fmt.Sprintf("shop: no token from %s: status %d, invalid_client", server.URL, status)) {
			t.Errorf("%d: %+v, %d posts", status, a, state.posts)
		}
		v := emitter.Judge(a, emitter.RetrySettings{}.Policy(), 1, time.Now(), 0)
		if v.State != emitter.Waiting || time.Until(v.Hold) < 100*time.Second {
			t.Errorf("%d: %+v", status, v)
		}
		checkHidden(t, a, "client-s3cret", credential.Basic("me", "client-s3cret"))
	}
}

// What a renewal cannot get is no word of the receiver.
func TestRenewalFails(t *testing.T) {
	state := &tokens{}
	server := state.serve(t)
	b := book(t, nil, map[string]credential.Settings{"shop": oauth2(server.URL)})
	e := endpoint(t, emitter.Settings{URL: server.URL, Auth: credential.Ref{Name: "shop"}}, emitter.EndpointOptions{Egress: loopback, Auth: b})
	if a := e.Send(t.Context(), hello); a.Status != 200 {
		t.Fatalf("%+v", a)
	}
	state.set(func(s *tokens) { s.expired, s.refuse = true, 401 })
	a := e.Send(t.Context(), hello)
	if v := emitter.Judge(a, emitter.RetrySettings{}.Policy(), 1, time.Now(), 0); a.Status != 0 || a.Error != emitter.ErrorAuth || v.State != emitter.Waiting {
		t.Errorf("%+v: %+v", a, v)
	}
}

// A token that is slow to come ends with the attempt's time, and the receiver
// hears nothing.
func TestTokenTakesTooLong(t *testing.T) {
	entered := make(chan struct{}, 1)
	release := make(chan struct{})
	var posts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			posts.Add(1)
			return
		}
		entered <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	b := book(t, nil, map[string]credential.Settings{"shop": oauth2(server.URL)})
	e := endpoint(t, emitter.Settings{URL: server.URL, Auth: credential.Ref{Name: "shop"}, Timeout: 50e6}, emitter.EndpointOptions{Egress: loopback, Auth: b})
	a := e.Send(t.Context(), hello)
	<-entered
	if a.Error != emitter.ErrorAuth || posts.Load() != 0 || !strings.Contains(a.Reason, "shop: no token: ") {
		t.Errorf("%+v, %d posts", a, posts.Load())
	}
}
