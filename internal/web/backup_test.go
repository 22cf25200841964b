package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// copier is a web.Backups. Each of its copies must be closed.
type copier struct {
	data  []byte
	fail  error
	cut   bool // reading breaks off before the end
	wrong bool // the checksum is another's
	open  atomic.Int64
}

func (c *copier) Backup(context.Context) (*web.Backup, error) {
	if c.fail != nil {
		return nil, c.fail
	}
	c.open.Add(1)
	b := &web.Backup{ReadCloser: &copied{c, bytes.NewReader(c.data)}, Size: int64(len(c.data)), Sum: sha256.Sum256(c.data), Taken: shelfTime}
	if c.wrong {
		b.Sum[0]++
	}
	return b, nil
}

type copied struct {
	of *copier
	r  *bytes.Reader
}

func (c *copied) Read(p []byte) (int, error) {
	if c.of.cut && c.r.Len() < len(c.of.data)/2 {
		return 0, errors.New("a sector")
	}
	return c.r.Read(p)
}

func (c *copied) Close() error { c.of.open.Add(-1); return nil }

func TestBackup(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	c := &copier{data: bytes.Repeat([]byte("store "), 600_000)}
	s, stop := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Backups: c, Token: secret.New("t0ken")})
	remote, err := web.Connect("http://"+s.Addr(), "t0ken")
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	local := dial(t, store)
	for name, client := range map[string]*web.Client{"socket": local, "TCP": remote} {
		var got bytes.Buffer
		var told, of int64
		err := client.Backup(t.Context(), &got, func(done, all int64) { told, of = done, all })
		if err != nil || !bytes.Equal(got.Bytes(), c.data) || told != of || of != int64(len(c.data)) {
			t.Errorf("%s: %d bytes, told %d of %d: %v", name, got.Len(), told, of, err)
		}
	}
	if stop() != nil || c.open.Load() != 0 {
		t.Errorf("%d copies were not closed", c.open.Load())
	}
}

func TestBackupThatFails(t *testing.T) {
	for want, c := range map[string]*copier{
		"broke off": {cut: true},
		"checksum":  {wrong: true},
		"no room":   {fail: errors.New("no room")},
		"another":   {fail: fmt.Errorf("another: %w", web.ErrConflict)},
	} {
		store := filepath.Join(t.TempDir(), "state.db")
		c.data = make([]byte, 3<<20)
		_, stop := start(t, web.Options{Store: store, Snapshots: &reader{}, Backups: c})
		if err := dial(t, store).Backup(t.Context(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if stop() != nil || c.open.Load() != 0 {
			t.Errorf("%s: %d copies were not closed", want, c.open.Load())
		}
	}
}

// TestBackupIsGuarded gives a backup, which holds refresh tokens, to nobody
// without a token, and to no GET.
func TestBackupIsGuarded(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	c := &copier{data: []byte("store")}
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: store, Snapshots: &reader{}, Backups: c})
	if resp, body := ask(t, http.MethodPost, "http://"+s.Addr()+"/api/v1/backup", ""); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "server.token") {
		t.Errorf("over TCP without a token: %d %s", resp.StatusCode, body)
	}
	if err := dial(t, store).Backup(t.Context(), io.Discard, nil); err != nil {
		t.Errorf("on the socket: %v", err)
	}
	guarded, _ := start(t, web.Options{Listen: "127.0.0.1:0", Backups: c, Token: secret.New("t0ken")})
	for _, play := range []struct {
		method, authorization string
		status                int
	}{
		{http.MethodPost, "", 401},
		{http.MethodPost, "Bearer wrong", 401},
		{http.MethodGet, "Bearer t0ken", 405},
		{http.MethodPost, "Bearer t0ken", 200},
	} {
		if resp, _ := ask(t, play.method, "http://"+guarded.Addr()+"/api/v1/backup", play.authorization); resp.StatusCode != play.status {
			t.Errorf("%s with %q: %d, want %d", play.method, play.authorization, resp.StatusCode, play.status)
		}
	}
	// The token that is asked for now counts, not that of the start.
	guarded.SetToken(secret.Text{})
	if resp, _ := ask(t, http.MethodPost, "http://"+guarded.Addr()+"/api/v1/backup", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("after the token was taken away: %d, want 403", resp.StatusCode)
	}
	s.SetToken(secret.New("t0ken"))
	if resp, _ := ask(t, http.MethodPost, "http://"+s.Addr()+"/api/v1/backup", "Bearer t0ken"); resp.StatusCode != http.StatusOK {
		t.Errorf("after there was a token: %d", resp.StatusCode)
	}
	// Who answers, and drops what is needed to know that all came.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("store")) }))
	defer proxy.Close()
	through, err := web.Connect(proxy.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer through.Close()
	if err := through.Backup(t.Context(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), "no checksum") {
		t.Errorf("without a checksum: %v", err)
	}
}
