package web_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// keeper is a web.Watches of one source called s.
type keeper struct {
	mu   sync.Mutex // of keys, which several are put into at once
	keys map[string]bool
	fail error
}

func (k *keeper) Watched(source string) ([]web.WatchKey, error) {
	if source != "s" {
		return nil, fmt.Errorf("source %s: %w", source, web.ErrNotFound)
	}
	var keys []web.WatchKey
	for key := range k.keys {
		keys = append(keys, web.WatchKey{Key: key, From: []string{"api"}})
	}
	return keys, k.fail
}

func (k *keeper) WatchedKey(_, key string) (web.WatchKey, error) {
	if !k.keys[key] {
		return web.WatchKey{}, fmt.Errorf("the source has no such watch key: %w", web.ErrNotFound)
	}
	return web.WatchKey{Key: key, From: []string{"api"}}, nil
}

func (k *keeper) Watch(_ context.Context, _, key string) (bool, error) {
	if k.fail != nil {
		return false, k.fail
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	there := k.keys[key]
	k.keys[key] = true
	return !there, nil
}

func (k *keeper) Unwatch(_ context.Context, _, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key)
	return k.fail
}

func TestWatches(t *testing.T) {
	k := &keeper{keys: map[string]bool{}}
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: filepath.Join(t.TempDir(), "state.db"), Snapshots: &reader{}, Watches: k, Token: secret.New("t0ken")})
	base := "http://" + s.Addr() + "/api/v1/sources/"
	for _, c := range []struct {
		method, path, token string
		fail                error
		status              int
		body                string
	}{
		{"PUT", "s/watches/a%2Fb", "", nil, 401, "server.token"},
		{"PUT", "s/watches/a%2Fb", "Bearer wrong", nil, 401, "server.token"},
		{"DELETE", "s/watches/a%2Fb", "", nil, 401, "server.token"},
		{"GET", "s/watches", "", nil, 401, "server.token"},
		{"PUT", "s/watches/a%2Fb", "Bearer t0ken", nil, 201, ""},
		{"PUT", "s/watches/a%2Fb", "Bearer t0ken", nil, 204, ""},
		{"GET", "s/watches", "Bearer t0ken", nil, 200, `{"keys":[{"key":"a/b","from":["api"],"retired":false}]}`},
		{"GET", "s/watches/a%2Fb", "Bearer t0ken", nil, 200, `{"key":"a/b","from":["api"],"retired":false}`},
		{"PUT", "s/watches/%2E%2E", "Bearer t0ken", nil, 201, ""},
		{"GET", "s/watches/%2E%2E", "Bearer t0ken", nil, 200, `"key":".."`},
		{"PUT", "s/watches/a%2F%2Fb%25%3F%23%20%2B+%22%5C%C3%BC", "Bearer t0ken", nil, 201, ""},
		{"GET", "s/watches/a%2F%2Fb%25%3F%23%20%2B+%22%5C%C3%BC", "Bearer t0ken", nil, 200, `"key":"a//b%?# ++\"\\ü"`},
		{"GET", "s/watches/b", "Bearer t0ken", nil, 404, "no such watch key"},
		{"GET", "t/watches", "Bearer t0ken", nil, 404, "not found"},
		{"PUT", "s/watches/c", "Bearer t0ken", web.ErrInvalid, 400, "not valid"},
		{"PUT", "s/watches/c", "Bearer t0ken", web.ErrConflict, 409, "not possible"},
		{"PUT", "s/watches/c", "Bearer t0ken", errors.New("disk full"), 500, "disk full"},
		{"DELETE", "s/watches/a%2Fb", "Bearer t0ken", nil, 204, ""},
		{"DELETE", "s/watches/a%2Fb", "Bearer t0ken", web.ErrNotFound, 404, "not found"},
		{"PUT", "s/watches", "Bearer t0ken", nil, 405, ""},
	} {
		k.fail = c.fail
		resp, body := ask(t, c.method, base+c.path, c.token)
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s with token %q: %d %s, want %d %s", c.method, c.path, c.token, resp.StatusCode, body, c.status, c.body)
		}
	}
}
