package poller_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// TestTokensHaveTheirPollsPlace: the request for a token stands in the place of
// the poll that waits for it, so a host is not asked more at once for it; of
// rate and quota it takes nothing.
func TestTokensHaveTheirPollsPlace(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit poller.LimitSettings
		most  int
	}{
		{"a host", poller.LimitSettings{}, 8},
		{"a limit", poller.LimitSettings{Concurrency: 2, Quota: rate(200, 24*time.Hour)}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &requests{answer: func(n int, r *http.Request) (*http.Response, error) {
					time.Sleep(5 * time.Second)
					if r.URL.Path == "/token" {
						return reply(200, `{"access_token":"`+fmt.Sprint(n)+`-token","expires_in":60,"token_type":"bearer"}`)
					}
					return reply(200, "{}")
				}}
				o := poller.ClientOptions{Auth: map[string]credential.Settings{}}
				if c.limit != (poller.LimitSettings{}) {
					o.Limits = map[string]poller.LimitSettings{"account": c.limit}
				}
				for i := range 4 {
					o.Auth[fmt.Sprint("a", i)] = credential.Settings{OAuth2: &credential.OAuth2Settings{
						Grant: "client_credentials", TokenURL: "http://x.example/token", ClientID: fmt.Sprint(i), ClientSecret: secret.New("s3cret-of-it"),
					}}
				}
				client := poller.NewClientOver(q, o)
				defer client.Close()
				var sources []*poller.Source
				for i := range 20 {
					name := fmt.Sprint("s", i)
					s := poller.Settings{Schedule: "*/2 * * * *", Request: poller.RequestSettings{URL: "http://x.example/" + name, Auth: credential.Ref{Name: fmt.Sprint("a", i%4)}}}
					if o.Limits != nil {
						s.Limit = "account"
					}
					made, err := poller.NewSource(name, s, poller.ResponseSettings{}, client)
					if err != nil {
						t.Fatal(err)
					}
					sources = append(sources, made)
				}
				p := poller.New(sources, nil, &sink{}, poller.Options{})
				run(t, p, 19*time.Minute+50*time.Second) // ten times: 200 polls
				polls := len(q.at) - len(q.of["token"])
				if q.most > c.most {
					t.Errorf("%d at once, at most %d are allowed", q.most, c.most)
				}
				if polls != 200 || len(q.of["token"]) < 40 {
					t.Errorf("%d polls and %d requests for tokens, want 200 and 4 each time", polls, len(q.of["token"]))
				}
			})
		})
	}
}
