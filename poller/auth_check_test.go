package poller_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

// TestAuthOfASource: credentials within a request are checked there, and a
// name that is none makes no source.
func TestAuthOfASource(t *testing.T) {
	s := poller.Settings{Schedule: "@hourly", Request: poller.RequestSettings{
		URL: "https://x.example", Auth: credential.Ref{Own: &credential.Settings{Basic: &credential.BasicSettings{}}},
	}}
	r := fault.New()
	s.Check(r, poller.ResponseSettings{})
	if len(r.All()) != 1 {
		t.Fatalf("got %+v, want one fault", r.All())
	}
	if diff := cmp.Diff([]string{"request", "auth", "basic"}, r.All()[0].Path); diff != "" {
		t.Error(diff)
	}
	s.Request.Auth = credential.Ref{Name: "nobody"}
	if _, err := poller.NewSource("a", s, poller.ResponseSettings{}, client(t)); err == nil || !strings.Contains(err.Error(), `no auth is called "nobody"`) {
		t.Errorf("got %v", err)
	}
}
