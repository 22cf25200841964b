package poller_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// account is an API with a token endpoint: it takes the token that it gave
// last, and notes what it is asked.
type account struct {
	*httptest.Server
	mu     sync.Mutex
	gave   int      // tokens
	now    string   // the token that is good
	asked  []string // requests for tokens: the form, and the header Authorization
	polls  []string // requests for /orders: query, Authorization, X-Key
	refuse func(w http.ResponseWriter) bool
	more   string // members of the token endpoint's answer
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{more: `,"expires_in":3600`}
	a.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if r.URL.Path == "/moved" {
			to(http.StatusMovedPermanently, "/orders")(w, r)
			return
		}
		if r.URL.Path == "/orders" {
			a.polls = append(a.polls, strings.Join([]string{r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("X-Key")}, "|"))
			if a.now != "" && r.Header.Get("Authorization") != "Bearer "+a.now {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("ETag", `"v1"`)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, `{}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		a.asked = append(a.asked, strings.Join([]string{string(body), r.Header.Get("Authorization")}, "|"))
		if a.refuse != nil && a.refuse(w) {
			return
		}
		a.gave++
		a.now = fmt.Sprintf("granted-token-%d", a.gave)
		fmt.Fprintf(w, `{"access_token":%q,"d":{"session":%q}%s}`, a.now, a.now, a.more)
	})
	return a
}

// expire makes the API refuse the token that it gave last.
func (a *account) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = "another"
}

// shelf keeps refresh tokens in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string]auth.Record
	err  error
}

func (s *shelf) Token(_ context.Context, name string) (auth.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[name], nil
}

func (s *shelf) SaveToken(_ context.Context, name string, r auth.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.kept[name] = r
	}
	return s.err
}

// clientWith is a client with credentials of the name "shop".
func clientWith(t *testing.T, s credential.Settings, o poller.ClientOptions) *poller.Client {
	t.Helper()
	o.Version, o.Egress = "test", egress.Policy{AllowPrivate: true}
	o.Auth = map[string]credential.Settings{"shop": s}
	if o.Redactor == nil {
		o.Redactor = secret.NewRedactor(hidden)
	}
	c := poller.NewClient(o)
	t.Cleanup(c.Close)
	return c
}

func named(url string) poller.RequestSettings {
	return poller.RequestSettings{URL: url + "/orders", Auth: credential.Ref{Name: "shop"}}
}

func ask(t *testing.T, s *poller.Source) {
	t.Helper()
	if _, err := s.Ask(t.Context(), poller.Bookmarks{}); err != nil {
		t.Error(err)
	}
}

// TestFixedCredentials: every kind, and several at once.
func TestFixedCredentials(t *testing.T) {
	for _, c := range []struct {
		name string
		s    credential.Settings
		want string // query|Authorization|X-Key
	}{
		{"bearer", credential.Settings{Bearer: &credential.BearerSettings{Token: secret.New("tok")}}, "a=1|Bearer tok|"},
		{"bearer by another word", credential.Settings{Bearer: &credential.BearerSettings{Token: secret.New("tok"), Prefix: "SSWS"}}, "a=1|SSWS tok|"},
		{"basic", credential.Settings{Basic: &credential.BasicSettings{User: "anystring", Password: secret.New("k-us1")}}, "a=1|Basic YW55c3RyaW5nOmstdXMx|"},
		{"key in a header", credential.Settings{APIKey: &credential.APIKeySettings{Header: "x-key", Value: secret.New("k")}}, "a=1||k"},
		{"key in the query", credential.Settings{APIKey: &credential.APIKeySettings{Query: "app id", Value: secret.New("k&")}}, "a=1&app%20id=k%26||"},
		{"two", credential.Settings{
			Basic:  &credential.BasicSettings{User: "u", Password: secret.New("p")},
			APIKey: &credential.APIKeySettings{Header: "X-Key", Value: secret.New("k")},
		}, "a=1|Basic dTpw|k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount(t)
			q := named(a.URL)
			q.URL += "?a=1"
			q.Headers = map[string]string{"X-Locale": "en"}
			ask(t, source(t, clientWith(t, c.s, poller.ClientOptions{}), q, poller.ResponseSettings{}))
			q.Auth = credential.Ref{Own: &c.s}
			ask(t, source(t, client(t), q, poller.ResponseSettings{}))
			if diff := cmp.Diff([]string{c.want, c.want}, a.polls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func clientCredentials(a *account) *credential.OAuth2Settings {
	return &credential.OAuth2Settings{
		Grant: "client_credentials", TokenURL: a.URL + "/token", ClientID: "me", ClientSecret: secret.New("client-secret"), Style: "body",
	}
}

// TestTokenIsShared: 200 polls of 50 sources at once ask the token endpoint
// once.
func TestTokenIsShared(t *testing.T) {
	a := newAccount(t)
	c := clientWith(t, credential.Settings{OAuth2: clientCredentials(a)}, poller.ClientOptions{})
	sources := make([]*poller.Source, 50)
	for i := range sources {
		sources[i] = source(t, c, named(a.URL), poller.ResponseSettings{})
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { ask(t, sources[i%len(sources)]) })
	}
	wg.Wait()
	if diff := cmp.Diff([]string{"client_id=me&client_secret=client-secret&grant_type=client_credentials|"}, a.asked); diff != "" {
		t.Error(diff)
	}
	if len(a.polls) != 200 {
		t.Errorf("%d polls came, want 200", len(a.polls))
	}
}

// TestEqualCredentialsAreShared though each source has its own copy.
func TestEqualCredentialsAreShared(t *testing.T) {
	a, c := newAccount(t), client(t)
	other := clientCredentials(a)
	other.Scopes = []string{"more"}
	for _, o := range []*credential.OAuth2Settings{clientCredentials(a), clientCredentials(a), other} {
		a.now = ""
		q := poller.RequestSettings{URL: a.URL + "/orders", Auth: credential.Ref{Own: &credential.Settings{OAuth2: o}}}
		s := source(t, c, q, poller.ResponseSettings{})
		_, _ = s.Ask(t.Context(), poller.Bookmarks{}) // a token that is not the last is refused
	}
	if len(a.asked) != 2 {
		t.Errorf("asked %q, want 2", a.asked)
	}
}

// TestTokenRefused: a 401 renews the token once and sends the request again,
// where that is configured; and it does not go on for ever.
func TestTokenRefused(t *testing.T) {
	a := newAccount(t)
	o := clientCredentials(a)
	ask(t, source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{}))
	a.expire()
	s := source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
	ask(t, s)
	a.expire()
	failure(t, s, poller.ClassStatus, "status: 401")
	if len(a.asked) != 2 {
		t.Errorf("asked %d times without refresh_on_401, want 2", len(a.asked))
	}

	o.RefreshOn401 = true
	s = source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
	ask(t, s)
	a.expire()
	a.asked, a.polls = nil, nil
	ask(t, s)
	if len(a.asked) != 1 || len(a.polls) != 2 {
		t.Errorf("asked %q, polls %q", a.asked, a.polls)
	}
	a.expire()
	failure(t, s, poller.ClassStatus, "status: 401")
	if len(a.asked) != 1 {
		t.Errorf("a second 401 within a minute renewed the token again: %q", a.asked)
	}
}

// TestTokenRefusedAfterARedirect: within the origin it makes no difference.
func TestTokenRefusedAfterARedirect(t *testing.T) {
	a := newAccount(t)
	o := clientCredentials(a)
	o.RefreshOn401 = true
	q := named(a.URL)
	q.URL = a.URL + "/moved"
	s := source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), q, poller.ResponseSettings{})
	ask(t, s)
	a.expire()
	ask(t, s)
	if len(a.asked) != 2 || len(a.polls) != 3 {
		t.Errorf("asked %q, polls %q", a.asked, a.polls)
	}
}

// TestValidatorsOutliveTokens: another token of the same account leaves a
// request conditional; another account does not.
func TestValidatorsOutliveTokens(t *testing.T) {
	a := newAccount(t)
	o := clientCredentials(a)
	first, err := source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{}).Ask(t.Context(), poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	again := func(want bool) {
		t.Helper()
		s := source(t, clientWith(t, credential.Settings{OAuth2: o}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
		got, err := s.Ask(t.Context(), first.Bookmarks)
		if err != nil || got.Unmodified != want {
			t.Errorf("got %+v, %v, want unmodified: %v", got, err, want)
		}
	}
	again(true)
	o.ClientID = "somebody else"
	again(false)
}

// TestCredentialsStayHome: to another origin neither header nor key goes, nor
// a URL that a server put the key into; nor anything on the way back.
func TestCredentialsStayHome(t *testing.T) {
	both := credential.Settings{
		Bearer: &credential.BearerSettings{Token: secret.New("bearer/token")},
		APIKey: &credential.APIKeySettings{Query: "key", Value: secret.New("query key+")},
	}
	var asked []string
	var home, abroad *httptest.Server
	note := func(name string, r *http.Request) {
		asked = append(asked, name+" "+r.RequestURI+" "+r.Header.Get("Authorization"))
	}
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("home", r)
		switch r.URL.Path {
		case "/away":
			to(302, abroad.URL+"/end")(w, r)
		case "/back":
			to(302, abroad.URL+"/return")(w, r)
		case "/leak":
			to(302, abroad.URL+r.URL.RequestURI())(w, r)
		case "/leakpath":
			to(302, abroad.URL+"/x/bearer%2Ftoken")(w, r)
		case "/here":
			to(302, "/end")(w, r)
		default:
			answer(w, r)
		}
	})
	abroad = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("abroad", r)
		if r.URL.Path == "/return" {
			to(302, home.URL+"/end")(w, r)
			return
		}
		answer(w, r)
	})
	const with = "?key=query%20key%2B Bearer bearer/token"
	for path, want := range map[string][]string{
		"/away":     {"home /away" + with, "abroad /end "},
		"/back":     {"home /back" + with, "abroad /return ", "home /end "},
		"/here":     {"home /here" + with, "home /end Bearer bearer/token"},
		"/leak":     {"home /leak" + with},
		"/leakpath": {"home /leakpath" + with},
	} {
		asked = nil
		s := source(t, clientWith(t, both, poller.ClientOptions{}), poller.RequestSettings{URL: home.URL + path, Auth: credential.Ref{Name: "shop"}}, poller.ResponseSettings{})
		if strings.HasPrefix(path, "/leak") {
			failure(t, s, poller.ClassRedirect, "its URL holds a credential")
		} else {
			ask(t, s)
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// TestCredentialsAndPages: the next page at home gets them, one elsewhere is
// not asked for.
func TestCredentialsAndPages(t *testing.T) {
	var asked atomic.Int64
	abroad := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	var next string
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer tok" || r.URL.Query()["key"] == nil || len(r.URL.Query()["key"]) != 1 {
			w.WriteHeader(401)
			return
		}
		if r.URL.Query().Get("p") == "" {
			w.Header().Set("Link", "<"+next+">; rel=next")
		}
		io.WriteString(w, `{"items":[{"id":"`+r.URL.Query().Get("p")+`"}]}`)
	})
	s := source(t, clientWith(t, credential.Settings{
		Bearer: &credential.BearerSettings{Token: secret.New("tok")},
		APIKey: &credential.APIKeySettings{Query: "key", Value: secret.New("k")},
	}, poller.ClientOptions{}), poller.RequestSettings{
		URL: home.URL, Auth: credential.Ref{Name: "shop"}, Paginate: poller.PaginateSettings{Link: true},
	}, poller.ResponseSettings{Items: "items"})
	next = "/?p=2&key=k"
	a, err := s.Ask(t.Context(), poller.Bookmarks{})
	if err != nil || len(a.Pages) != 2 {
		t.Fatalf("got %+v, %v, want 2 pages", a, err)
	}
	next = abroad.URL + "/?p=2"
	failure(t, s, poller.ClassPages, "not sent to another host")
	if asked.Load() > 0 {
		t.Error("the other host was asked")
	}
}

// TestCredentialsAreNotShown in what is shown of a request, though their names
// tell nothing, nor in errors.
func TestCredentialsAreNotShown(t *testing.T) {
	a := newAccount(t)
	s := source(t, clientWith(t, credential.Settings{
		Bearer: &credential.BearerSettings{Token: secret.New("tok")},
		APIKey: &credential.APIKeySettings{Query: "appid", Value: secret.New("k")},
		Login: &credential.LoginSettings{
			Request: credential.LoginRequestSettings{URL: a.URL + "/login"}, Token: "d.session", Name: "X-Plain",
		},
	}, poller.ClientOptions{}), named(a.URL), poller.ResponseSettings{})
	got, err := s.Preview(poller.Bookmarks{})
	if err != nil {
		t.Fatal(err)
	}
	want := poller.Preview{Method: "GET", URL: a.URL + "/orders?appid=<secret>", Header: http.Header{
		"Accept": got.Header["Accept"], "User-Agent": {"Deltahook/test"}, "Authorization": {secret.Mask}, "X-Plain": {secret.Mask},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(a.asked) > 0 {
		t.Error("a token was fetched to be hidden")
	}

	repeats := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/"+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		io.WriteString(w, "no JSON")
	})
	c := clientWith(t, credential.Settings{OAuth2: clientCredentials(a)}, poller.ClientOptions{})
	failure(t, source(t, c, named(repeats.URL), poller.ResponseSettings{}), poller.ClassFormat, "text/<secret>")
}
