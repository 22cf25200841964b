package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/web"
)

// reader is a store of one source; hook runs before each reading of items.
type reader struct {
	mu    sync.Mutex
	state differ.State
	items map[string]differ.Item
	hook  func(r *reader) error
}

func (r *reader) Load(_ context.Context, sources ...string) iter.Seq2[differ.State, error] {
	return func(yield func(differ.State, error) bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.state.Version > 0 && sources[0] == r.state.Source {
			yield(r.state, nil)
		}
	}
}

func (r *reader) Items(_ context.Context, _ string, keys []string) ([]differ.Item, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hook != nil {
		if err := r.hook(r); err != nil {
			return nil, err
		}
	}
	var found []differ.Item
	for _, key := range keys {
		if item, ok := r.items[key]; ok {
			found = append(found, item)
		}
	}
	return found, nil
}

// put changes an item as a commit does: nothing that was given out before is
// touched.
func (r *reader) put(item differ.Item) {
	r.state.Items = maps.Clone(r.state.Items)
	r.state.Items[item.Key] = differ.Mark{Hash: item.Hash, Revision: item.Revision, Seen: item.Seen}
	r.state.Version++
	r.items[item.Key] = item
}

// filled is a reader with n items, one of them gone.
func filled(n int) *reader {
	r := &reader{state: differ.State{Source: "a/b?c", Watch: "k", Shape: "shape", Since: time.Unix(1e9, 5).UTC(), Items: map[string]differ.Mark{}}, items: map[string]differ.Item{}}
	r.state.Bookmarks.ETag = `W/"<1>"`
	r.state.Bookmarks.Failures = 3
	for i := range n {
		r.put(differ.Item{
			Key: fmt.Sprintf("%05d", i), Hash: differ.Hash{1, byte(i), byte(i >> 8)}, Revision: uint64(i),
			Content: json.RawMessage(fmt.Sprintf(`{"n":%d,"big":9007199254740993,"d":1.10,"t":"<é\u2028>"}`, i)),
			Seen:    time.Unix(2e9, int64(i)).UTC(),
		})
	}
	r.put(differ.Item{Key: "gone", Revision: 9})
	r.state.Notes = []differ.Note{{Name: "hold", Data: []byte{}}, {Key: "00001", Name: "rule/x", Data: []byte("\x00\xff")}}
	return r
}

func dial(t *testing.T, store string) *web.Client {
	t.Helper()
	c, err := web.Dial(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSnapshotArrivesWhole(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	r := filled(2500) // more than two chunks
	start(t, web.Options{Store: store, Snapshots: r})

	state, items, err := dial(t, store).Snapshot(t.Context(), "a/b?c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.state, state); diff != "" {
		t.Errorf("state (-stored +read):\n%s", diff)
	}
	if len(items) != 2500 {
		t.Fatalf("%d items, want 2500: the gone one is in the state only", len(items))
	}
	for i, item := range items {
		if diff := cmp.Diff(r.items[fmt.Sprintf("%05d", i)], item); diff != "" {
			t.Fatalf("item %d (-stored +read):\n%s", i, diff)
		}
	}
}

func TestSnapshotOfASourceThatIsNotThere(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	start(t, web.Options{Store: store, Snapshots: &reader{}})
	state, items, err := dial(t, store).Snapshot(t.Context(), "never")
	if err != nil || state.Source != "never" || state.Version != 0 || items != nil {
		t.Errorf("Snapshot = %+v, %v, %v; want a state of version 0", state, items, err)
	}
}

func TestSnapshotIsOfOneVersion(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	r := filled(1500)
	commits := 0
	r.hook = func(r *reader) error {
		if commits++; commits <= 3 {
			r.put(differ.Item{Key: "01499", Hash: differ.Hash{2, byte(commits)}, Revision: 2000 + uint64(commits), Content: json.RawMessage(`{}`)})
		}
		return nil
	}
	start(t, web.Options{Store: store, Snapshots: r})
	state, items, err := dial(t, store).Snapshot(t.Context(), "a/b?c")
	if err != nil {
		t.Fatal(err)
	}
	last := items[len(items)-1]
	if last.Revision != 2003 || state.Items["01499"].Revision != 2003 || state.Version != r.state.Version {
		t.Errorf("version %d, mark %+v, item %+v; want what the third commit left", state.Version, state.Items["01499"], last)
	}

	r.hook = func(r *reader) error {
		commits++
		r.put(differ.Item{Key: "00000", Hash: differ.Hash{3, byte(commits)}, Revision: uint64(commits), Content: json.RawMessage(`{}`)})
		return nil
	}
	if _, _, err := dial(t, store).Snapshot(t.Context(), "a/b?c"); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("Snapshot = %v, want an error: the source never holds still", err)
	}
}

func TestSnapshotCutIsAnError(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	r := filled(1500)
	reads := 0
	r.hook = func(*reader) error {
		if reads++; reads == 2 {
			return errors.New("items record of source a/b?c is damaged")
		}
		return nil
	}
	start(t, web.Options{Store: store, Snapshots: r})
	if _, items, err := dial(t, store).Snapshot(t.Context(), "a/b?c"); err == nil || items != nil {
		t.Errorf("Snapshot = %d items, %v; want an error and no items", len(items), err)
	}
}

func TestSnapshotsAreNotServedOverTCP(t *testing.T) {
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Store: filepath.Join(t.TempDir(), "state.db"), Snapshots: filled(1)})
	if resp, _ := ask(t, "GET", "http://"+s.Addr()+"/api/v1/sources/a%2Fb%3Fc/snapshot", ""); resp.StatusCode != 404 {
		t.Errorf("status %d, want 404", resp.StatusCode)
	}
}

// A daemon that isn't ready lives.
func TestAliveOverTheSocket(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	start(t, web.Options{Store: store, Snapshots: &reader{}, Ready: func() error { return errors.New("starting") }})
	if err := dial(t, store).Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

// A socket of another user is believed by nobody, and the error says whose it
// is. Only root can make one.
func TestSocketOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give the socket away")
	}
	store := filepath.Join(t.TempDir(), "state.db")
	start(t, web.Options{Store: store, Snapshots: &reader{}})
	if err := os.Chown(web.SocketPath(store), 54321, 0); err != nil {
		t.Fatal(err)
	}
	_, err := web.Dial(t.Context(), store)
	if err == nil || errors.Is(err, web.ErrNoDaemon) || !strings.Contains(err.Error(), "it belongs to uid 54321") {
		t.Errorf("Dial = %v, want the owner", err)
	}
}

func TestSnapshotTooLarge(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	start(t, web.Options{Store: store, Snapshots: filled(5000)})
	c := dial(t, store)
	c.Bound(100_000)
	if _, _, err := c.Snapshot(t.Context(), "a/b?c"); err == nil || !strings.Contains(err.Error(), "larger than 100000 bytes") {
		t.Errorf("Snapshot = %v, want the bound", err)
	}
}

func TestRunLetsAnswersFinish(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	r := filled(10)
	asked, goOn := make(chan struct{}), make(chan struct{})
	r.hook = func(*reader) error {
		close(asked)
		<-goOn
		return nil
	}
	_, stop := start(t, web.Options{Store: store, Snapshots: r})
	c := dial(t, store)
	got := make(chan error, 1)
	go func() {
		_, _, err := c.Snapshot(context.Background(), "a/b?c")
		got <- err
	}()
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for { // until nobody new is let in
		if _, err := web.Dial(t.Context(), store); err != nil {
			break
		}
	}
	close(goOn)
	if err := errors.Join(<-got, <-ended); err != nil {
		t.Error(err)
	}
}

func TestNoDaemon(t *testing.T) {
	store := filepath.Join(t.TempDir(), "state.db")
	if _, err := web.Dial(t.Context(), store); !errors.Is(err, web.ErrNoDaemon) {
		t.Errorf("no socket: %v, want ErrNoDaemon", err)
	}
	leaveSocket(t, web.SocketPath(store))
	if _, err := web.Dial(t.Context(), store); !errors.Is(err, web.ErrNoDaemon) {
		t.Errorf("a socket that nobody serves: %v, want ErrNoDaemon", err)
	}
	_, stop := start(t, web.Options{Store: store, Snapshots: &reader{}})
	dial(t, store)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(web.SocketPath(store)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end the socket is still there: %v", err)
	}
}

// leaveSocket leaves a socket behind as a killed daemon does.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
