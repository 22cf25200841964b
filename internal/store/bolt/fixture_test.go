package bolt

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/poller"
)

var update = flag.Bool("update", false, "write testdata/v1.db anew; only while version 1 is not released")

const fixture = "testdata/v1.db"

// fixtureDay is when the fixture's records were made: a bubble's first moment.
var fixtureDay = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestFixture reads, from a file that an earlier build wrote, a record of each
// kind.
func TestFixture(t *testing.T) {
	if *update {
		writeFixture(t)
	}
	data, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "v1.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	for state, err := range s.Load(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		equal("state", state, differ.State{
			Source: "shop", Version: 1, Shape: "shape 1", Since: fixtureDay, Bookmarks: fixtureBookmarks,
			Items: map[string]differ.Mark{"a/1": {Hash: differ.Hash{1, 2, 3}, Revision: 1, Seen: fixtureDay}, "b": {Revision: 9, Seen: fixtureDay}},
		})
	}
	items, err := s.Items(t.Context(), "shop", []string{"a/1", "b"})
	equal("items", items, fixtureItems)
	equal("items error", err, nil)

	batch, err := s.Pending(t.Context(), "hook", fixtureDay.Add(time.Hour), 10, nil)
	want := emitter.Delivery{
		Number: 3, Endpoint: "hook", Event: "evt_2", Type: "shop.deleted", Source: "shop", Key: "b", Revision: 9,
		Body: []byte("{ }"), Created: fixtureDay, Due: fixtureDay.Add(time.Minute), Attempts: 1,
	}
	equal("pending", batch, emitter.Batch{Due: []emitter.Delivery{want}})
	equal("pending error", err, nil)
	endpoint, err := s.Endpoint(t.Context(), "hook")
	equal("endpoint", endpoint, emitter.EndpointState{Hold: fixtureDay.Add(time.Hour), Paused: true, Reason: "gone", Waiting: 2, Dead: 1})
	equal("endpoint error", err, nil)
	if err := s.view(checkFixture); err != nil {
		t.Error(err)
	}

	// It can be worked on with.
	if err := s.Settle(t.Context(), []emitter.Outcome{{Delivery: want, Verdict: emitter.Verdict{State: emitter.Delivered}}}); err != nil {
		t.Error(err)
	}
	if batch, err = s.Pending(t.Context(), "hook", time.Now(), 10, nil); err != nil || len(batch.Due) != 1 || batch.Due[0].Event != "evt_3" {
		t.Errorf("the delivery behind it: %+v, %v", batch, err)
	}
}

// checkFixture reads what no method gives yet.
func checkFixture(t *tx) error {
	e, err := t.event("evt_1")
	if err != nil {
		return err
	}
	if want := (storedEvent{
		typ: "shop.updated", unit: "shop", key: "a/1", change: differ.Updated, revision: 1,
		seen: fixtureDay.Add(-time.Second), created: fixtureDay, bodies: 2, first: 1, deliveries: 2,
	}); e != want {
		return errors.New("event evt_1 is another")
	}
	d, _, err := t.delivery(1)
	if err != nil {
		return err
	}
	if want := (storedDelivery{
		event: "evt_1", endpoint: "hook", state: stateDead, due: fixtureDay, attempts: 1, settled: fixtureDay,
	}); d != want {
		return errors.New("delivery 1 is another")
	}
	key := attemptKey(1, 1)
	a, err := readAttempt(key, t.get(bucketAttempts, key))
	if err != nil {
		return err
	}
	if diff := cmp.Diff(fixtureAttempt, a); diff != "" {
		return errors.New("attempt (-want +got):\n" + diff)
	}
	body, err := t.payload("evt_1", 1)
	if err == nil && !bytes.Equal(body, []byte("other")) {
		err = errors.New("payload 1 of evt_1 is another")
	}
	return err
}

var (
	fixtureBookmarks = poller.Bookmarks{
		Request: "r1", ETag: `W/"1"`, LastModified: "Sat, 01 Jan 2000 00:00:00 GMT", Next: fixtureDay.Add(time.Minute),
		Failures: 2, FailingSince: fixtureDay.Add(-time.Minute), LastError: "status: 503",
	}
	fixtureItems = []differ.Item{
		{Key: "a/1", Hash: differ.Hash{1, 2, 3}, Revision: 1, Content: json.RawMessage(`{"n": 1.10}`), Seen: fixtureDay},
		{Key: "b", Revision: 9, Seen: fixtureDay},
	}
	fixtureAttempt = emitter.Attempt{
		At: fixtureDay, Took: 1500 * time.Millisecond, Status: 410, Error: emitter.ErrorTimeout,
		Reason: "status 410", Response: []byte("go away"),
	}
)

func writeFixture(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(fixture), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(fixture); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(fixture, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Commit(t.Context(), &differ.Commit{
			Source: "shop", Shape: "shape 1", Since: fixtureDay, Bookmarks: fixtureBookmarks, Items: fixtureItems,
			Events: []differ.Event{{
				ID: "evt_1", Type: "shop.updated", Source: "shop", Key: "a/1", Change: differ.Updated, Revision: 1,
				Time: fixtureDay.Add(-time.Second),
				Bodies: []differ.Body{
					{Endpoint: "hook", Payload: []byte(`{"type": "shop.updated"}`)},
					{Endpoint: "other", Payload: []byte("other")},
				},
			}, {
				ID: "evt_2", Type: "shop.deleted", Source: "shop", Key: "b", Change: differ.Deleted, Revision: 9,
				Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("{ }")}},
			}, {
				ID: "evt_3", Type: "shop.created", Source: "shop", Key: "b", Change: differ.Created, Revision: 10,
				Bodies: []differ.Body{{Endpoint: "hook", Payload: []byte("{}")}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		settle := func(number uint64, v emitter.Verdict) emitter.Outcome {
			return emitter.Outcome{Delivery: emitter.Delivery{Number: number}, Attempt: fixtureAttempt, Verdict: v}
		}
		err = s.Settle(t.Context(), []emitter.Outcome{
			settle(1, emitter.Verdict{State: emitter.Dead, Hold: fixtureDay.Add(time.Hour), Paused: true, Reason: "gone"}),
			settle(2, emitter.Verdict{State: emitter.Delivered}),
			settle(3, emitter.Verdict{State: emitter.Waiting, Due: fixtureDay.Add(time.Minute)}),
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	})
	trim(t, fixture)
}
