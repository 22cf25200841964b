package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/test/loopback"
)

// refusal gives what a client makes of an answer.
func refusal(t *testing.T, status int, kind, body string) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	c, err := web.Connect(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Status(t.Context())
	return err
}

// TestClientTellsRefusalsApart has a client answered in each way that calls for
// other words.
func TestClientTellsRefusalsApart(t *testing.T) {
	all := []error{web.ErrNotFound, web.ErrInvalid, web.ErrConflict, web.ErrToken, web.ErrNoOperation, web.ErrStrange, web.ErrUnreached}
	const problem = "application/problem+json"
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       error
		text       string
	}{
		"no such name":              {404, problem, `{"status":404,"detail":"no source is called x"}`, web.ErrNotFound, "no source is called x"},
		"a bad word":                {400, problem, `{"detail":"limit is 0"}`, web.ErrInvalid, "limit is 0"},
		"in the way":                {409, problem, `{"detail":"it is disabled"}`, web.ErrConflict, "it is disabled"},
		"no token":                  {401, problem, `{"detail":"send the token"}`, web.ErrToken, "send the token"},
		"no such method":            {405, problem, `{"detail":"POST is not possible here"}`, web.ErrNoOperation, "POST is not possible"},
		"another server":            {404, "text/html", "<h1>\n  Not here" + strings.Repeat("!", 1000), web.ErrStrange, "status 404: <h1> Not here!"},
		"no answer of this version": {200, "application/json", `{"sources": []}`, web.ErrStrange, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			err := refusal(t, c.status, c.kind, c.body)
			for _, one := range all {
				if errors.Is(err, one) != (one == c.want) { //nolint:errorlint // which of the list
					t.Errorf("%v is %v: %t", err, one, errors.Is(err, one))
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.text) || len(err.Error()) > 400 {
				t.Errorf("it says %v, want %q and not much more", err, c.text)
			}
		})
	}
}

// TestClientOfARealDaemon asks a server for what it does not have, without its
// token, and where nobody is.
func TestClientOfARealDaemon(t *testing.T) {
	s, stop := start(t, web.Options{Listen: loopback.Free(t), Token: secret.New("0123456789abcdef0123456789abcdef")})
	for token, want := range map[string]error{"": web.ErrToken, "0123456789abcdef0123456789abcdef": web.ErrNoOperation} {
		c, err := web.Connect("http://"+s.Addr(), token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Status(t.Context()); !errors.Is(err, want) { // it has no Daemon, and so no such path
			t.Errorf("with the token %q: %v, want %v", token, err, want)
		}
		c.Close()
	}
	c, err := web.Connect("http://"+s.Addr(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, web.ErrUnreached) {
		t.Errorf("after the end: %v, want %v", err, web.ErrUnreached)
	}
}
