package web_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// holder is a web.Holds that holds something of source s.
type holder struct{ decided []string }

func (h *holder) Holds() []differ.HeldUnit {
	return []differ.HeldUnit{{Source: "s", Watch: "a/b", Hold: differ.Hold{State: differ.Held, Reason: "max_deletes", Deleted: 3, Keys: []string{"k"}}}}
}

func (h *holder) Decide(_ context.Context, source, watch string, state differ.HoldState) error {
	if source != "s" {
		return fmt.Errorf("%s: %w", source, web.ErrNotFound)
	}
	h.decided = append(h.decided, fmt.Sprintf("%s %s", watch, state))
	return nil
}

func TestHolds(t *testing.T) {
	h := &holder{}
	store := filepath.Join(t.TempDir(), "state.db")
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Holds: h, Token: secret.New("t0ken")})
	for _, c := range []struct {
		method, path, token string
		status              int
		body                string
	}{
		{"GET", "/api/v1/holds", "", 401, "server.token"},
		{"GET", "/api/v1/holds", "t0ken", 200, `"deleted":3`},
		{"POST", "/api/v1/sources/s/release", "", 401, ""},
		{"POST", "/api/v1/sources/s/discard", "", 401, ""},
		{"GET", "/api/v1/sources/s/release", "t0ken", 405, ""},
		{"POST", "/api/v1/sources/s/release?silently=perhaps", "t0ken", 400, "perhaps"},
		{"POST", "/api/v1/sources/x/release", "t0ken", 404, "not found"},
		{"POST", "/api/v1/sources/s/release?watch=a%2Fb&silently=false", "t0ken", 204, ""},
	} {
		authorization := ""
		if c.token != "" {
			authorization = "Bearer " + c.token
		}
		resp, body := ask(t, c.method, "http://"+s.Addr()+c.path, authorization)
		status := resp.StatusCode
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.body)
		}
	}

	client, err := web.Dial(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := client.Holds(t.Context())
	if diff := cmp.Diff(h.Holds(), list); diff != "" || err != nil {
		t.Errorf("holds (-want +got):\n%s%v", diff, err)
	}
	for _, state := range []differ.HoldState{differ.Released, differ.ReleasedSilently, differ.Discarded} {
		if err := client.Decide(t.Context(), "s", "a/b", state); err != nil {
			t.Error(err)
		}
	}
	if err := client.Decide(t.Context(), "x", "", differ.Discarded); err == nil || !strings.Contains(err.Error(), "x: not found") {
		t.Errorf("of what is not there: %v", err)
	}
	want := []string{"a/b released", "a/b released", "a/b released_silently", "a/b discarded"}
	if diff := cmp.Diff(want, h.decided); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
}
