package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/deltahook/deltahook/internal/auth"
)

func token(t *testing.T, s Store, name string) auth.Record {
	t.Helper()
	r, err := s.Token(t.Context(), name)
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return r
}

// testToken: the record that was saved last under a name is read back whole,
// after a crash too.
func testToken(t *testing.T, s Store) {
	equal(t, "token of nobody", token(t, s, "spotify"), auth.Record{})
	first := auth.Record{Origin: "o1", Refresh: "r/1\n\"<&ü", Since: at(1)}
	second := auth.Record{Origin: "o2", Refresh: "r2", Since: at(2)}
	save := func(name string, r auth.Record) {
		t.Helper()
		if err := s.SaveToken(t.Context(), name, r); err != nil {
			t.Fatal(err)
		}
		equal(t, "token", token(t, s, name), r)
	}
	save("spotify", first)
	save("inline/1", first)
	save("inline/1", second)
	equal(t, "token of another", token(t, s, "spotify"), first)

	if err := s.SaveToken(t.Context(), "", second); err == nil {
		t.Error("a token without a name was saved")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.SaveToken(ctx, "spotify", second); !errors.Is(err, context.Canceled) {
		t.Errorf("a save that was called off gave %v", err)
	}
	if used := usage(t, s); len(used) > 0 {
		t.Errorf("tokens made limits of themselves: %+v", used)
	}
	if r, ok := s.(Reopener); ok {
		s = r.Reopen(t, true)
	}
	equal(t, "token after all", token(t, s, "spotify"), first)
	equal(t, "token after all", token(t, s, "inline/1"), second)
}
