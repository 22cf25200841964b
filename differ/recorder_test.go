package differ_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/poller"
)

// renderer makes payloads that a test can read.
type renderer struct{}

func (renderer) Render(e *differ.Event, endpoint string) ([]byte, error) {
	return []byte(e.ID + " for " + endpoint), nil
}

// recorder is a store that remembers what was committed, and fails on demand.
type recorder struct {
	differ.Store
	commits []*differ.Commit
	kept    atomic.Int64 // bookmarks that a flush wrote
	before  error        // returned by Commit, which then does nothing
	after   error        // returned by Commit, which has then done it
	unread  error        // given by Load
}

func (r *recorder) Load(ctx context.Context, units ...string) iter.Seq2[differ.State, error] {
	if r.unread != nil {
		return func(yield func(differ.State, error) bool) { yield(differ.State{}, r.unread) }
	}
	return r.Store.Load(ctx, units...)
}

func (r *recorder) Units(ctx context.Context, source string) ([]string, error) {
	return r.Store.(differ.Lister).Units(ctx, source)
}

func (r *recorder) Rename(ctx context.Context, from, to string) error {
	return r.Store.(differ.Renamer).Rename(ctx, from, to)
}

func (r *recorder) Commit(ctx context.Context, c *differ.Commit) error {
	if r.before != nil {
		return r.before
	}
	if err := r.Store.Commit(ctx, c); err != nil {
		return err
	}
	r.commits = append(r.commits, c)
	return r.after
}

func (r *recorder) Keep(ctx context.Context, kept map[string]differ.Kept) error {
	r.kept.Add(int64(len(kept)))
	return r.Store.Keep(ctx, kept)
}

// bench plays answers to one source called "s".
type bench struct {
	t        testing.TB
	store    *recorder
	source   *differ.Source
	differ   *differ.Differ
	options  differ.Options
	seen     int // events seen so far
	received time.Time
}

func newBench(t testing.TB, s differ.Settings, r differ.ResponseSettings) *bench {
	t.Helper()
	b := &bench{t: t, store: &recorder{Store: mem.New()}, received: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	b.configure(s, r)
	return b
}

// configure starts a new differ over the same store, as a restart does.
func (b *bench) configure(s differ.Settings, r differ.ResponseSettings) map[string]poller.Bookmarks {
	b.t.Helper()
	source, err := differ.NewSource("s", s, r, []string{"shop"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.source = source
	return b.restart()
}

func (b *bench) restart() map[string]poller.Bookmarks {
	b.t.Helper()
	b.differ = differ.New([]*differ.Source{b.source}, b.store, renderer{}, b.options)
	marks, err := b.differ.Load(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return marks
}

func (b *bench) answer(body string) *poller.Answer {
	b.received = b.received.Add(time.Minute)
	return &poller.Answer{Source: "s", Status: 200, Pages: [][]byte{[]byte(body)}, Received: b.received}
}

// take plays one answer and gives the events that it made, as
// "type key@revision".
func (b *bench) take(body string) []string {
	b.t.Helper()
	if err := b.differ.Take(b.t.Context(), b.answer(body)); err != nil {
		b.t.Fatalf("taking %.60s: %v", body, err)
	}
	return b.events()
}

// events gives the events committed since it was asked last.
func (b *bench) events() []string {
	var all []differ.Event
	for _, c := range b.store.commits {
		all = append(all, c.Events...)
	}
	var out []string
	for _, e := range all[b.seen:] {
		out = append(out, fmt.Sprintf("%s %s@%d", e.Type, e.Key, e.Revision))
	}
	b.seen = len(all)
	return out
}

func (b *bench) expect(body string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.take(body)); diff != "" {
		b.t.Errorf("events of %.80s (-want +got):\n%s", body, diff)
	}
}

// refused plays an answer that must not be taken in, and gives the failure.
func (b *bench) refused(body string) *poller.Failure {
	b.t.Helper()
	before := len(b.store.commits)
	err := b.differ.Take(b.t.Context(), b.answer(body))
	var failure *poller.Failure
	if !errors.As(err, &failure) {
		b.t.Fatalf("taking %.60s: got %v, want a failure", body, err)
	}
	if len(b.store.commits) != before {
		b.t.Errorf("%.60s was refused, and something was committed", body)
	}
	return failure
}
