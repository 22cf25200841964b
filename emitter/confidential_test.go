package emitter_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
)

// A user without a password is a token, as of many APIs.
func TestSendUserThatIsAToken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+" "+r.Header.Get("Authorization"))
	}))
	defer server.Close()
	for _, user := range []string{"sk-t0k3n-of-ours@", "sk-t0k3n-of-ours:@"} {
		e := endpoint(t, emitter.Settings{URL: strings.Replace(server.URL, "//", "//"+user, 1)}, emitter.EndpointOptions{Egress: loopback})
		a := e.Send(t.Context(), hello)
		if want := "<secret> Basic <secret>"; string(a.Response) != want {
			t.Errorf("%s: kept %q, want %q", user, a.Response, want)
		}
	}
}

// The longest secret there can be is recognised across the cut too.
func TestSendKeepsNothingOfALongSecret(t *testing.T) {
	var b strings.Builder
	for i := range 16 << 10 {
		b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789"[i*i%37%36])
	}
	long := b.String()
	e := receiver(t, emitter.Settings{Headers: map[string]secret.Text{"X-Token": secret.New(long)}}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("-", 8000)+r.Header.Get("X-Token")+strings.Repeat("-", 8000))
	})
	if a := e.Send(t.Context(), hello); strings.Contains(string(a.Response), long[:20]) {
		t.Errorf("kept %q", a.Response[7990:])
	}
}
