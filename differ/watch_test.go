package differ_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// crowd plays answers of several watch keys of a source called "s".
type crowd struct {
	t       *testing.T
	store   *mem.Store
	source  *differ.Source
	differ  *differ.Differ
	now     time.Time
	mu      sync.Mutex
	told    []string
	retired []string
}

func newCrowd(t *testing.T, w differ.WatchSettings) *crowd {
	c := &crowd{t: t, store: mem.New(), now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	c.set(differ.Settings{Watch: w}, "")
	return c
}

// set restarts with other settings.
func (c *crowd) set(s differ.Settings, absent string) {
	c.t.Helper()
	var err error
	c.source, err = differ.NewSource("s", s, differ.ResponseSettings{
		Items: "list", ID: differ.Paths{"id"}, ItemOK: "item.error == nil", Absent: absent,
		Pick: ordered.Map[string]{{Key: "v", Value: "v"}},
	}, []string{"shop"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.restart()
}

func (c *crowd) restart() map[string]poller.Bookmarks {
	c.t.Helper()
	c.differ = differ.New([]*differ.Source{c.source}, c.store, c, differ.Options{})
	marks, err := c.differ.Load(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return marks
}

// Render notes what is told.
func (c *crowd) Render(e *differ.Event, _ string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, fmt.Sprintf("%s %s/%s@%d", e.Change, e.Watch, e.Key, e.Revision))
	return []byte(e.ID), nil
}

// take plays an answer for keys, with items written KEY/ID=V; V may be
// "error", which item_ok refuses.
func (c *crowd) take(keys, items string) error {
	c.now = c.now.Add(time.Minute)
	var list []string
	for item := range strings.FieldsSeq(items) {
		at, v, _ := strings.Cut(item, "=")
		key, id, _ := strings.Cut(at, "/")
		text := fmt.Sprintf(`{"key":%q,"id":%q,"v":%q}`, key, id, v)
		if v == "error" {
			text = fmt.Sprintf(`{"key":%q,"error":1}`, key)
		}
		list = append(list, text)
	}
	return c.differ.Take(c.t.Context(), &poller.Answer{
		Source: "s", Keys: strings.Fields(keys), Status: 200, Received: c.now,
		Pages: [][]byte{[]byte(`{"list":[` + strings.Join(list, ",") + `]}`)},
		Retire: func(key string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.retired = append(c.retired, key)
		},
	})
}

func (c *crowd) expect(keys, items string, want ...string) {
	c.t.Helper()
	c.told = nil
	if err := c.take(keys, items); err != nil {
		c.t.Fatalf("%s: %v", items, err)
	}
	slices.Sort(c.told)
	if diff := cmp.Diff(want, c.told); diff != "" {
		c.t.Errorf("events of %s (-want +got):\n%s", items, diff)
	}
}

// TestWatchBatch: each key of a batch has a baseline of its own, one that the
// answer lacks is unknown, what was not asked for is passed over, and an item
// goes only where its key has another.
func TestWatchBatch(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{ID: "key"})
	c.expect("a b", "a/1=x a/2=x")
	c.expect("a b", "a/1=y a/2=x b/1=x z/1=x", "updated a/1@1")
	c.expect("a b", "a/1=y a/2=x b/1=y", "updated b/1@1")
	for range 3 {
		c.expect("a b", "b/1=y")
	}
	c.restart()
	c.expect("a b", "a/1=y b/1=y")
	c.expect("a b", "a/1=y b/error=error", "deleted a/2@1") // its second absence: the answers without a don't count
	c.expect("b a c", "a/1=y b/1=z c/1=x", "updated b/1@2")
	if err := c.take("a b", "a/1=q b/1=q c/1=q b/1=q"); err == nil {
		t.Error("an id that is there twice was taken in")
	}
	if err := c.take("a b", "a/1=q /1=q"); err == nil {
		t.Error("an item of no key was taken in")
	}
	c.expect("a b c", "a/1=q b/1=z c/1=x", "updated a/1@2")
	c.expect("a b c", "a/1=q b/1=z c/1=y", "updated c/1@1")
}

// TestWatchUntil: a key retires when until holds for all its items; its events
// are told, and the end outlives a restart until the key is forgotten.
func TestWatchUntil(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{ID: "key", Until: `new.v == "DL"`})
	c.expect("a b c", "a/1=x a/2=DL b/1=DL c/1=x")
	if !slices.Equal(c.retired, []string{"b"}) {
		t.Errorf("retired are %q, want b: it was done from the start", c.retired)
	}
	c.expect("a c", "a/1=DL a/error=error a/2=DL", "updated a/1@1")
	c.expect("a c", "a/1=DL c/1=x")
	if len(c.retired) != 1 {
		t.Errorf("retired are %q: of a something is unknown, or missing", c.retired)
	}
	c.expect("a c", "a/1=DL a/2=DL c/1=DL", "updated c/1@1")
	slices.Sort(c.retired)
	if !slices.Equal(c.retired, []string{"a", "b", "c"}) {
		t.Errorf("retired are %q, want all", c.retired)
	}
	for unit, m := range c.restart() {
		if m.Retired.IsZero() {
			t.Errorf("%q is not retired after a restart", unit)
		}
	}
	if err := c.differ.Forget(t.Context(), "s", "a"); err != nil {
		t.Fatal(err)
	}
	if marks := c.restart(); len(marks) != 2 || !marks[poller.Unit("s", "a")].Retired.IsZero() {
		t.Errorf("bookmarks are %v, want those of b and c", marks)
	}
	c.expect("a", "a/1=x a/2=x")
	c.expect("a", "a/1=y a/2=x", "updated a/1@1")
}

// TestWatchMaxAge: a key retires so long after its first answer, answered or
// not, and a restart does not make it younger.
func TestWatchMaxAge(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{ID: "key", MaxAge: units.Duration(5 * time.Minute)})
	c.expect("a b", "a/1=x")
	if err := c.differ.Enrol(t.Context(), "s", "b"); err != nil {
		t.Fatal(err)
	}
	c.expect("a b", "a/1=x")
	c.restart()
	for range 3 {
		c.expect("a b", "a/1=x")
	}
	if len(c.retired) != 0 {
		t.Errorf("retired are %q after 4 minutes", c.retired)
	}
	c.expect("a b", "a/1=y", "updated a/1@1")
	slices.Sort(c.retired)
	if !slices.Equal(c.retired, []string{"a", "b"}) {
		t.Errorf("retired are %q after 5 minutes, want both", c.retired)
	}
	if m := c.restart()[poller.Unit("s", "b")]; m.Retired.IsZero() || !m.Enrolled {
		t.Errorf("bookmarks of b are %+v", m)
	}
}

// TestWatchUntilOfKeptItems: where items stay that an answer does not list,
// until must hold for them as well.
func TestWatchUntilOfKeptItems(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{})
	c.set(differ.Settings{Watch: differ.WatchSettings{ID: "key", Until: `new.v == "DL"`}}, "kept")
	c.expect("a", "a/1=x a/2=x")
	c.expect("a", "a/1=DL", "updated a/1@1")
	if len(c.retired) > 0 {
		t.Fatalf("retired are %q: until does not hold for a/2", c.retired)
	}
	c.restart()
	c.expect("a", "a/2=DL", "updated a/2@1")
	if !slices.Equal(c.retired, []string{"a"}) {
		t.Errorf("retired are %q, want a: until holds for what is listed and for what is kept", c.retired)
	}
}

// TestWatchUntilOfConfirmedChanges: the answer that confirms a change, or a
// deletion, is often the very same as the one before.
func TestWatchUntilOfConfirmedChanges(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{ID: "key", Until: `new.v == "DL"`})
	c.set(differ.Settings{Watch: differ.WatchSettings{ID: "key", Until: `new.v == "DL"`}, Changes: differ.ChangeSettings{Confirm: 2}}, "")
	c.expect("a b c", "a/1=x b/1=DL b/2=x c/1=x")
	c.expect("a b c", "a/1=DL b/1=DL c/1=x c/2=DL")
	if len(c.retired) > 0 {
		t.Fatalf("retired are %q: nothing is confirmed", c.retired)
	}
	c.expect("a b c", "a/1=DL b/1=DL c/1=x c/2=DL", "created c/2@1", "deleted b/2@1", "updated a/1@1")
	slices.Sort(c.retired)
	if !slices.Equal(c.retired, []string{"a", "b"}) {
		t.Errorf("retired are %q, want a and b", c.retired)
	}
}

// TestWatchUntilIsNew: until may have been put in after the last change. The
// answers say nothing new then, and may even have no body.
func TestWatchUntilIsNew(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{})
	c.expect("a", "a/1=DL")
	c.set(differ.Settings{Watch: differ.WatchSettings{Until: `new.v == "DL"`}}, "")
	err := c.differ.Take(t.Context(), &poller.Answer{
		Source: "s", Keys: []string{"a"}, Status: 304, Received: c.now.Add(time.Minute), Unmodified: true,
		Retire: func(key string) { c.retired = append(c.retired, key) },
	})
	if err != nil || !slices.Equal(c.retired, []string{"a"}) {
		t.Errorf("retired are %q, %v; want a", c.retired, err)
	}
}

// An answer that has nothing of a watch key neither ends what is held of it nor
// forgets what a person decided.
func TestAnAnswerWithoutAKeyLeavesItsHold(t *testing.T) {
	c := newCrowd(t, differ.WatchSettings{ID: "key"})
	s := differ.Settings{Watch: differ.WatchSettings{ID: "key"}}
	s.Changes.ConfirmDeletes, s.Changes.MaxDeletes = 1, differ.Share{Set: true}
	c.set(s, "")
	play := func(items string) {
		t.Helper()
		if err := c.take("A B", items); err != nil {
			t.Fatal(err)
		}
	}
	play("A/1=1 A/2=1 B/1=1")
	play("A/1=1 B/1=1")
	if err := c.differ.Decide(t.Context(), "s", "A", differ.Released); err != nil {
		t.Fatal(err)
	}
	play("B/1=1")
	if holds := c.differ.Holds(); len(holds) != 1 || holds[0].State != differ.Released {
		t.Fatalf("the holds are %+v", holds)
	}
	play("A/1=1 B/1=1")
	if len(c.differ.Holds()) != 0 || !slices.Contains(c.told, "deleted A/2@1") {
		t.Errorf("told %v, held %+v", c.told, c.differ.Holds())
	}
}
