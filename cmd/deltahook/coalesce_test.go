package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/poller"
)

// calm is a source, its store, and an endpoint at which updates coalesce, with
// what its receiver makes of what it gets.
type calm struct {
	t      test
	dir    string
	files  int
	store  *bolt.Store
	differ *differ.Differ

	truth map[string]string // what the API says
	seen  map[string]string // what the receiver believes
	ids   map[string][]byte // what arrived, by id
}

// test is one of testing or of rapid.
type test interface {
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newCalm(t test, dir string) *calm {
	c := &calm{t: t, dir: dir, truth: map[string]string{"a": `{"id":"a","v":0}`, "b": `{"id":"b","v":0}`}, seen: map[string]string{}, ids: map[string][]byte{}}
	c.open(filepath.Join(dir, "0.db"))
	c.poll()
	maps.Copy(c.seen, c.truth) // the silent baseline
	return c
}

func (c *calm) open(path string) {
	var err error
	if c.store, err = bolt.Open(path, bolt.Options{}); err != nil {
		c.t.Fatal(err)
	}
	settings := differ.Settings{}
	settings.Changes.ConfirmDeletes = 1
	source, err := differ.NewSource("s", settings, differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}, []string{"hook"})
	if err != nil {
		c.t.Fatal(err)
	}
	endpoint, err := emitter.NewEndpoint("hook", emitter.Settings{URL: "https://shop.example/", Signature: "none", Coalesce: true}, emitter.EndpointOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	telling := emitter.New([]*emitter.Endpoint{endpoint}, c.store, emitter.Options{})
	c.differ = differ.New([]*differ.Source{source}, c.store, telling, differ.Options{Coalesce: telling.Coalesces})
	if _, err := c.differ.Load(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// crash goes on with the file as it stands, and forgets all else.
func (c *calm) crash() {
	data, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprint(c.files, ".db")))
	if err != nil {
		c.t.Fatal(err)
	}
	c.close()
	c.files++
	path := filepath.Join(c.dir, fmt.Sprint(c.files, ".db"))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.open(path)
}

func (c *calm) close() {
	if err := c.store.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// poll takes in what the API says.
func (c *calm) poll() {
	var items []string
	for _, id := range slices.Sorted(maps.Keys(c.truth)) {
		items = append(items, c.truth[id])
	}
	body := `{"items":[` + strings.Join(items, ",") + `]}`
	if err := c.differ.Take(c.t.Context(), &poller.Answer{Source: "s", Received: time.Now(), Pages: [][]byte{[]byte(body)}}); err != nil {
		c.t.Fatal(err)
	}
}

// pending is what is due, as the emitter gets it.
func (c *calm) pending(n int) []emitter.Delivery {
	batch, err := c.store.Pending(c.t.Context(), "hook", time.Now().Add(time.Hour), n, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return batch.Due
}

// arrive is what the receiver makes of a delivery: what the event says that the
// item was is what the receiver believes.
func (c *calm) arrive(d emitter.Delivery) {
	if body, again := c.ids[d.Event]; again {
		if string(body) != string(d.Body) {
			c.t.Fatalf("%s came again with another body", d.Event)
		}
		return
	}
	c.ids[d.Event] = d.Body
	var e struct {
		Data struct {
			Key      string
			Change   differ.Change
			Old, New json.RawMessage
			Diff     json.RawMessage
		}
	}
	if err := json.Unmarshal(d.Body, &e); err != nil {
		c.t.Fatal(err)
	}
	was, there := c.seen[e.Data.Key]
	old, now := string(e.Data.Old), string(e.Data.New)
	if there != (old != "null") || there && old != was {
		c.t.Fatalf("%s: %s from %s to %s, and the receiver has %q", d.Event, e.Data.Change, old, now, was)
	}
	if diff := string(differ.Diff(e.Data.Old, e.Data.New)); e.Data.Change == differ.Updated && diff != string(e.Data.Diff) {
		c.t.Fatalf("%s: diff %s, want %s", d.Event, e.Data.Diff, diff)
	}
	if c.seen[e.Data.Key] = now; now == "null" {
		delete(c.seen, e.Data.Key)
	}
}

func (c *calm) settle(d emitter.Delivery, v emitter.Verdict) {
	o := emitter.Outcome{Delivery: d, Attempt: emitter.Attempt{At: time.Now()}, Verdict: v}
	if err := c.store.Settle(c.t.Context(), []emitter.Outcome{o}); err != nil {
		c.t.Fatal(err)
	}
}

// TestCoalescedTellsAll plays changes, failures, crashes and other orders, and
// holds what a receiver makes of it against the truth: each event goes on from
// what the one before left, and the last one leaves what is so.
func TestCoalescedTellsAll(t *testing.T) {
	t.Parallel()
	merged := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := newCalm(rt, t.TempDir())
		defer func() { c.close() }()
		c.play(rt)
		for due := c.pending(1); len(due) > 0; due = c.pending(1) {
			c.arrive(due[0])
			c.settle(due[0], emitter.Verdict{State: emitter.Delivered})
		}
		if diff := cmp.Diff(c.truth, c.seen); diff != "" {
			rt.Fatalf("what the receiver ends with (-want +got):\n%s", diff)
		}
		if err := c.store.Check(t.Context()); err != nil {
			rt.Fatal(err)
		}
		list, err := c.store.Deliveries(t.Context(), emitter.Filter{State: emitter.StateSuperseded}, emitter.Page{Limit: emitter.MaxPage})
		if err != nil {
			rt.Fatal(err)
		}
		for _, d := range list.Deliveries {
			if c.ids[d.Event.ID] != nil {
				rt.Fatalf("%s was superseded, and arrived", d.Event.ID)
			}
		}
		merged += len(list.Deliveries)
	})
	if merged == 0 {
		t.Error("nothing was superseded")
	}
}

// TestCoalescedInTurns has more items change with each poll than are sent
// between two: each is told as often as the others, none left behind.
func TestCoalescedInTurns(t *testing.T) {
	t.Parallel()
	c := newCalm(t, t.TempDir())
	defer func() { c.close() }()
	const n = 6
	waited := map[string]int{} // since how many events it was not told, by key
	for round := range 4 * n {
		for i := range n {
			id := fmt.Sprint("k", i)
			c.truth[id] = fmt.Sprintf(`{"id":%q,"v":%d}`, id, round)
			waited[id]++
		}
		c.poll()
		for _, d := range c.pending(1) {
			c.arrive(d)
			c.settle(d, emitter.Verdict{State: emitter.Delivered})
			waited[d.Key] = 0
		}
	}
	for id, events := range waited {
		if events >= n {
			t.Errorf("of %d items that changed all the time %s was not told with the last %d events", n, id, events)
		}
	}
}

func (c *calm) play(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"change": c.change,
		"send":   c.send,
		"crash":  func(*rapid.T) { c.crash() },
		"begin":  func(*rapid.T) { c.begin() },
	})
}

// change has the API say something else.
func (c *calm) change(r *rapid.T) {
	for range rapid.IntRange(1, 2).Draw(r, "times") {
		id := rapid.SampledFrom([]string{"a", "a", "b"}).Draw(r, "id")
		if c.truth[id] = fmt.Sprintf(`{"id":%q,"v":%d}`, id, rapid.IntRange(0, 3).Draw(r, "v")); rapid.IntRange(0, 9).Draw(r, "gone") == 0 {
			delete(c.truth, id)
		}
		c.poll()
	}
}

// send has deliveries in hand while more changes, and then one way or another
// not.
func (c *calm) send(r *rapid.T) {
	due := c.pending(rapid.IntRange(1, 3).Draw(r, "n"))
	if rapid.Bool().Draw(r, "meanwhile") {
		c.change(r)
	}
	unknown := false
	for _, d := range due {
		what := rapid.SampledFrom([]string{"arrives", "arrives", "fails", "its answer is lost", "its end is not known"}).Draw(r, "what")
		if what != "fails" {
			c.arrive(d)
		}
		switch what {
		case "arrives":
			c.settle(d, emitter.Verdict{State: emitter.Delivered})
		case "its end is not known":
			unknown = true
		default:
			c.settle(d, emitter.Verdict{State: emitter.Waiting, Due: time.Now()})
		}
	}
	if unknown { // what else would forget it
		rapid.SampledFrom([]func(){c.crash, c.begin}).Draw(r, "end")()
	}
}

// begin is an outlet that begins, as at a start or a reload.
func (c *calm) begin() {
	if err := c.store.Arrange(c.t.Context(), "hook", emitter.OrderItem); err != nil {
		c.t.Fatal(err)
	}
}
