package bolt

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// childFile names the file that a child process of TestKill writes.
const childFile = "DELTAHOOK_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if path := os.Getenv(childUpgrades); path != "" {
		if err := childUpgrade(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const childSources = 4

// child changes its sources and delivers what they tell, and says what it was
// told to be durable, until it is killed.
func child(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := make(chan error)
	for i := range childSources {
		go func() { failed <- childCommits(ctx, s, fmt.Sprintf("s%d", i)) }()
	}
	go func() { failed <- childSettles(ctx, s) }()
	return <-failed
}

func childCommits(ctx context.Context, s *Store, source string) error {
	var version uint64
	for state, err := range s.Load(ctx, source) {
		if err != nil {
			return err
		}
		version = state.Version
	}
	for ; ; version++ {
		if err := s.Commit(ctx, killCommit(source, version)); err != nil {
			return err
		}
		fmt.Printf("committed %s %d\n", source, version+1)
	}
}

// killCommit is the commit that takes a source from version to the next: two
// items and the bookmarks say its number, and each item is told to two
// endpoints.
func killCommit(source string, version uint64) *differ.Commit {
	n := version + 1
	c := &differ.Commit{Source: source, Version: version, Shape: fmt.Sprint(n)}
	c.Bookmarks.ETag = fmt.Sprint(n)
	c.Notes = []differ.Note{{Key: "a", Name: "last", Data: []byte(fmt.Sprint(n))}, {Key: "a", Name: fmt.Sprint(n % 3), Data: []byte{}}, {Key: "a", Name: fmt.Sprint((n + 1) % 3)}}
	for _, key := range []string{"a", "b"} {
		content := killContent(source, key, n)
		b := differ.Before{Item: len(c.Items), Change: differ.Created}
		if version > 0 {
			b.Change, b.Hash, b.Old = differ.Updated, differ.Hash{1}, killContent(source, key, version)
		}
		c.Before = append(c.Before, b)
		c.Items = append(c.Items, differ.Item{Key: key, Hash: differ.Hash{1}, Revision: n, Content: content})
		c.Events = append(c.Events, differ.Event{
			ID: killEvent(source, key, n), Source: source, Key: key, Revision: n,
			Bodies: []differ.Body{{Endpoint: "one", Payload: content}, {Endpoint: "two", Payload: content}},
		})
	}
	return c
}

func killContent(source, key string, n uint64) json.RawMessage {
	return fmt.Appendf(nil, `{"source":%q,"key":%q,"n":%d,"padding":%q}`, source, key, n, make([]byte, n%50*40))
}

func killEvent(source, key string, revision uint64) string {
	return fmt.Sprintf("%s-%s-%06d", source, key, revision)
}

func childSettles(ctx context.Context, s *Store) error {
	for {
		batch, err := s.Pending(ctx, "one", time.Now(), 3, nil)
		if err != nil {
			return err
		}
		var outcomes []emitter.Outcome
		for i, d := range batch.Due {
			v := emitter.Verdict{State: emitter.Delivered}
			switch (d.Number + uint64(i)) % 5 {
			case 0:
				v.State = emitter.Dead
			case 1:
				v.State, v.Due = emitter.Waiting, time.Now()
			}
			outcomes = append(outcomes, emitter.Outcome{Delivery: d, Verdict: v})
		}
		if err := s.Settle(ctx, outcomes); err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Verdict.State != emitter.Waiting {
				fmt.Printf("settled %s %d\n", o.Verdict.State, o.Delivery.Number)
			}
		}
	}
}

// acknowledged is what children said to be durable.
type acknowledged struct {
	versions map[string]uint64
	settled  map[uint64]emitter.State
}

// TestKill kills a process that writes, again and again on the same file, and
// finds each time all that was acknowledged, whole, and nothing half.
func TestKill(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "kill.db")
	ack := acknowledged{map[string]uint64{}, map[uint64]emitter.State{}}
	// Where the disk is slow, the children get longer, for as long as it takes
	// until each of their sources was committed and something was settled.
	done := func() bool { return len(ack.versions) == childSources && len(ack.settled) > 0 }
	for i := 0; i < kills || i < 10*kills && !done(); i++ {
		ack.runChild(t, path, time.Duration(rand.IntN(40_000*(1+i/kills)))*time.Microsecond)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		ack.verify(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", i)
		}
	}
	t.Logf("%d kills, %v committed, %d settled", kills, ack.versions, len(ack.settled))
	if !done() {
		t.Error("the children did next to nothing")
	}
}

// runChild starts a child, reads what it says, and kills it after a while.
func (ack *acknowledged) runChild(t *testing.T, path string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	var timer *time.Timer
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break // a line without its end was not said
		}
		if err != nil {
			t.Fatal(err)
		}
		if timer == nil { // now it works
			timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		ack.read(t, line)
	}
	if err := cmd.Wait(); err == nil || timer == nil {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func (ack *acknowledged) read(t *testing.T, line string) {
	var what, name string
	var n uint64
	if _, err := fmt.Sscan(line, &what, &name, &n); err != nil {
		t.Fatalf("child said %q: %v", line, err)
	}
	if what == "committed" {
		ack.versions[name] = max(ack.versions[name], n)
		return
	}
	ack.settled[n] = emitter.State(name)
}

func (ack *acknowledged) verify(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	versions := map[string]uint64{}
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n := state.Version
		versions[state.Source] = n
		if n < ack.versions[state.Source] {
			t.Errorf("%s is at version %d, but %d was acknowledged", state.Source, n, ack.versions[state.Source])
		}
		want := killCommit(state.Source, n-1)
		if state.Shape != want.Shape || state.Bookmarks != want.Bookmarks {
			t.Errorf("%s at version %d has the shape %s, the tag %s", state.Source, n, state.Shape, state.Bookmarks.ETag)
		}
		notes := []differ.Note{want.Notes[1], want.Notes[0]}
		if n > 1 {
			notes = slices.Insert(notes, 0, differ.Note{Key: "a", Name: fmt.Sprint((n - 1) % 3), Data: []byte{}})
			slices.SortFunc(notes, differ.CompareNotes)
		}
		if diff := cmp.Diff(notes, state.Notes); diff != "" {
			t.Errorf("notes of %s at version %d (-want +got):\n%s", state.Source, n, diff)
		}
		items, err := s.Items(t.Context(), state.Source, []string{"a", "b"})
		if err != nil || len(items) != 2 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		for i, it := range items {
			if it.Revision != n || string(it.Content) != string(want.Items[i].Content) {
				t.Errorf("%s at version %d has item %s at revision %d", state.Source, n, it.Key, it.Revision)
			}
			ack.verifyRevisions(t, s, state.Source, it.Key, n)
		}
	}
	err := s.view(func(t2 *tx) error { return ack.verifyEvents(t, t2, versions) })
	if err != nil {
		t.Error(err)
	}
}

// verifyRevisions holds that the changes of an item are those of its versions,
// the last ones of them.
func (ack *acknowledged) verifyRevisions(t *testing.T, s *Store, source, key string, n uint64) {
	t.Helper()
	list, err := s.Revisions(t.Context(), source, key, 0, 0)
	if err != nil || len(list) != int(min(n, differ.MaxRevisions)) {
		t.Fatalf("%d revisions at version %d, %v", len(list), n, err)
	}
	for _, r := range list {
		old := ""
		if n > 1 {
			old = string(killContent(source, key, n-1))
		}
		if r.Revision != n || string(r.New) != string(killContent(source, key, n)) || string(r.Old) != old {
			t.Fatalf("revision %d of %s of %s is %+v", n, key, source, r)
		}
		n--
	}
}

// verifyEvents holds that the events are those of the versions, each once.
func (ack *acknowledged) verifyEvents(t *testing.T, tx *tx, versions map[string]uint64) error {
	want := map[string]bool{}
	for source, version := range versions {
		for n := range version {
			want[killEvent(source, "a", n+1)], want[killEvent(source, "b", n+1)] = true, true
		}
	}
	c := tx.cursor(bucketEvents)
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !want[string(k)] {
			t.Errorf("event %s is of no version", k)
		}
		delete(want, string(k))
	}
	for id := range maps.Keys(want) {
		t.Errorf("event %s is missing", id)
	}
	for number, as := range ack.settled {
		d, found, err := tx.delivery(number)
		if err != nil || !found {
			return fmt.Errorf("delivery %d: found %t, %w", number, found, err)
		}
		if want, _ := storedState(as); d.state != want {
			t.Errorf("delivery %d was acknowledged as %s, and is in state %d", number, as, d.state)
		}
	}
	return nil
}

// TestCloseAnswersAll closes while many write: who was told that it is durable
// finds it, and nobody waits for ever.
func TestCloseAnswersAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	durable := map[string]uint64{}
	for i := range 50 {
		source := fmt.Sprintf("s%02d", i)
		wg.Go(func() {
			for v := uint64(0); ; v++ {
				if s.Commit(context.Background(), killCommit(source, v)) != nil {
					return
				}
				mu.Lock()
				durable[source] = v + 1
				full := len(durable) == 50
				mu.Unlock()
				if full {
					wg.Go(func() { _ = s.Close() })
				}
			}
		})
	}
	wg.Wait()
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	ack := acknowledged{versions: durable}
	ack.verify(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
