package bolt

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/poller"
)

var update = flag.Bool("update", false, "write the fixture of the current schema anew; only while it is not released")

// fixture is what an earlier build of the current schema wrote.
const fixture = "testdata/v6.db"

// fixtureDay is when the fixtures' records were made: a bubble's first moment.
var fixtureDay = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestFixture reads, from the files that earlier builds wrote, a record of each
// kind.
func TestFixture(t *testing.T) {
	if *update {
		writeFixture(t)
	}
	t.Run("1", func(t *testing.T) { testFixture(t, copyFixture(t, "testdata/v1.db"), nil, fixtureDay) })
	t.Run("2", func(t *testing.T) { testFixture(t, copyFixture(t, "testdata/v2.db"), fixtureNotes, time.Time{}) })
	t.Run("3", func(t *testing.T) {
		path := copyFixture(t, "testdata/v3.db")
		testFixture(t, path, fixtureNotes, time.Time{})
		testUpgradedTimeline(t, path)
	})
	t.Run("4", func(t *testing.T) {
		path := copyFixture(t, "testdata/v4.db")
		testToldOf(t, path, Options{ReadOnly: true})
		testFixture(t, path, fixtureNotes, time.Time{})
		testToldOf(t, path, Options{})
	})
	for version, name := range map[string]string{"5": "testdata/v5.db", "6": fixture} {
		t.Run(version, func(t *testing.T) { testRecentFixture(t, copyFixture(t, name)) })
	}
}

// testRecentFixture reads what files have since schema 5.
func testRecentFixture(t *testing.T, path string) {
	testToldOf(t, path, Options{ReadOnly: true})
	testFixture(t, path, fixtureNotes, time.Time{})
	s, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	token, err := s.Token(t.Context(), "spotify")
	if token != fixtureToken || err != nil {
		t.Errorf("token is %+v, %v", token, err)
	}
	at := differ.Place{Key: "a/1", Type: "shop.updated", Endpoint: "calm"}
	waits, err := s.Untried(t.Context(), "shop", []differ.Place{at})
	if diff := cmp.Diff(map[differ.Place]differ.Untried{at: {Delivery: 6, Old: json.RawMessage(`{"n": 1.0}`)}}, waits); diff != "" || err != nil {
		t.Errorf("updates that wait (-want +got):\n%s, %v", diff, err)
	}
	if was, err := s.Delivery(t.Context(), 5); was.State != emitter.StateSuperseded || was.SupersededByEvent != "evt_5" || was.SupersededBy != 6 || err != nil {
		t.Errorf("what was superseded: %+v, %v", was, err)
	}
	list, err := s.Revisions(t.Context(), "shop", "a/1", 0, 0)
	if diff := cmp.Diff([]differ.Revision{{
		Revision: 1, Change: differ.Created, Seen: fixtureDay, New: fixtureItems[0].Content,
	}}, list); diff != "" || err != nil {
		t.Errorf("revisions (-want +got):\n%s, %v", diff, err)
	}
	list, err = s.Revisions(t.Context(), "shop", "b", 0, 0)
	if diff := cmp.Diff([]differ.Revision{{
		Revision: 9, Change: differ.Deleted, Seen: fixtureDay, Old: json.RawMessage(`{"n": 0}`),
	}}, list); diff != "" || err != nil {
		t.Errorf("revisions of b (-want +got):\n%s, %v", diff, err)
	}
	if state, _, err := s.Snapshot(t.Context(), "renamed"); state.Bookmarks != fixtureBookmarks || err != nil {
		t.Errorf("what was renamed is %+v, %v", state, err)
	}
	if left, err := s.Left(t.Context(), func(string) bool { return true }); len(left) != 0 || !errors.Is(err, ErrReadOnly) {
		t.Errorf("those that left are %q, %v", left, err)
	}
}

// testUpgradedTimeline holds that items of an older file have changes from the
// first one on that is seen with this schema.
func testUpgradedTimeline(t *testing.T, path string) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if list, err := s.Revisions(t.Context(), "shop", "a/1", 0, 0); len(list) != 0 || err != nil {
		t.Errorf("revisions of an older file are %+v, %v", list, err)
	}
	next := differ.Item{Key: "a/1", Hash: differ.Hash{7}, Revision: 2, Content: json.RawMessage(`2`), Seen: fixtureDay}
	err = s.Commit(t.Context(), &differ.Commit{
		Source: "shop", Version: 1, Items: []differ.Item{next},
		Before: []differ.Before{{Change: differ.Updated, Old: fixtureItems[0].Content}},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Revisions(t.Context(), "shop", "a/1", 0, 0)
	if diff := cmp.Diff([]differ.Revision{{
		Revision: 2, Change: differ.Updated, Seen: fixtureDay, Old: fixtureItems[0].Content, New: next.Content,
	}}, list); diff != "" || err != nil {
		t.Errorf("revisions (-want +got):\n%s, %v", diff, err)
	}
}

// testToldOf holds that the events of a source are all there are that say so.
func testToldOf(t *testing.T, path string, o Options) {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all, err := s.Events(t.Context(), emitter.Filter{}, emitter.Page{})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(all.Events, func(e emitter.EventRecord) bool { return e.Source != "shop" })
	of, err := s.Events(t.Context(), emitter.Filter{Source: "shop"}, emitter.Page{})
	if diff := cmp.Diff(want, of.Events); diff != "" || len(want) == 0 || err != nil {
		t.Errorf("%d events of shop (-want +got):\n%s, %v", len(want), diff, err)
	}
}

func copyFixture(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fixture.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUpgrade opens a file of version 1: to read only, which leaves it as it
// is, and then to write, which upgrades it once.
func TestUpgrade(t *testing.T) {
	path := copyFixture(t, "testdata/v1.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	state, items, err := r.Snapshot(t.Context(), "shop")
	if len(items) != 1 || len(state.Items) != 2 || state.Notes != nil || err != nil {
		t.Errorf("read only: %d items, notes %v, %v", len(items), state.Notes, err)
	}
	if err := errors.Join(r.Check(t.Context()), r.Close()); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("reading changed the file, %v", err)
	}

	for i, want := range []string{"the store is upgraded", ""} {
		var log strings.Builder
		s, err := Open(path, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if said := log.String(); (want == "") != (said == "") || !strings.Contains(said, want) {
			t.Errorf("open %d logged %q, want %q", i, said, want)
		}
		if i == 0 {
			err = s.Keep(t.Context(), map[string]differ.Kept{"shop": {Notes: fixtureNotes}})
		} else if state, _, err = s.Snapshot(t.Context(), "shop"); err == nil {
			if diff := cmp.Diff(fixtureNotes, state.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		}
		if err := errors.Join(err, s.Check(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// testFixture reads the records that the files of all versions have. due is that
// of a delivery that died at its first attempt.
func testFixture(t *testing.T, path string, notes []differ.Note, due time.Time) {
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
		if state.Source == "renamed" { // of a file of this schema
			equal("renamed", state.Bookmarks, fixtureBookmarks)
			continue
		}
		equal("state", state, differ.State{
			Source: "shop", Version: 1, Shape: "shape 1", Since: fixtureDay, Bookmarks: fixtureBookmarks,
			Items: map[string]differ.Mark{"a/1": {Hash: differ.Hash{1, 2, 3}, Revision: 1, Seen: fixtureDay}, "b": {Revision: 9, Seen: fixtureDay}},
			Notes: notes,
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
	if !endpoint.Last.IsZero() {
		equal("last attempt", endpoint.Last, fixtureDay) // of a file of this schema
	}
	endpoint.Last = time.Time{}
	equal("endpoint", endpoint, emitter.EndpointState{
		Health:  emitter.Health{Hold: fixtureDay.Add(time.Hour), Pause: emitter.PauseGone, Reason: "gone"},
		Waiting: 2, Dead: 1,
	})
	equal("endpoint error", err, nil)
	if err := s.view(func(tx *tx) error { return checkFixture(tx, due) }); err != nil {
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
func checkFixture(t *tx, due time.Time) error {
	e, err := t.event("evt_1")
	if err != nil {
		return err
	}
	if want := (storedEvent{
		typ: "shop.updated", unit: "shop", stem: "shop", key: "a/1", change: differ.Updated, revision: 1,
		seen: fixtureDay.Add(-time.Second), created: fixtureDay, bodies: 2, first: 1, deliveries: 2,
	}); e != want {
		return errors.New("event evt_1 is another")
	}
	d, _, err := t.delivery(1)
	if err != nil {
		return err
	}
	if want := (storedDelivery{
		event: "evt_1", endpoint: "hook", state: stateDead, due: due, attempts: 1, settled: fixtureDay,
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
	fixtureNotes = []differ.Note{
		{Name: "hold", Data: []byte{}},
		{Key: "a/1", Name: "rule/shop.cheap", Data: []byte{0, 1, 0xff}},
		{Key: "gone long ago", Name: "rule/shop.cheap", Data: []byte("x")},
	}
	fixtureToken   = auth.Record{Origin: "o", Refresh: "a refresh token", Since: fixtureDay}
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
			Source: "shop", Shape: "shape 1", Since: fixtureDay, Bookmarks: fixtureBookmarks, Items: fixtureItems, Notes: fixtureNotes,
			Before: []differ.Before{{Change: differ.Created}, {Item: 1, Change: differ.Deleted, Old: json.RawMessage(`{"n": 0}`)}},
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
			}, {
				ID: "evt_4", Type: "shop.updated", Source: "shop", Key: "a/1", Change: differ.Updated, Revision: 1, Old: json.RawMessage(`{"n": 1.0}`),
				Bodies: []differ.Body{{Endpoint: "calm", Payload: []byte("{}"), Coalesce: true}},
			}, {
				ID: "evt_5", Type: "shop.updated", Source: "shop", Key: "a/1", Change: differ.Updated, Revision: 1, Old: json.RawMessage(`{"n": 1.1}`),
				Bodies: []differ.Body{{Endpoint: "calm", Payload: []byte("{}"), Coalesce: true, Merged: &differ.Merged{Delivery: 5, Payload: []byte("{ }")}}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		settle := func(number uint64, v emitter.Verdict) emitter.Outcome {
			return emitter.Outcome{Delivery: emitter.Delivery{Number: number}, Attempt: fixtureAttempt, Verdict: v}
		}
		died := settle(1, emitter.Verdict{State: emitter.Dead, Reason: "gone"})
		died.Delivery.Endpoint = "hook"
		died.Health = &emitter.Health{Hold: fixtureDay.Add(time.Hour), Pause: emitter.PauseGone, Reason: "gone"}
		err = s.Settle(t.Context(), []emitter.Outcome{
			died,
			settle(2, emitter.Verdict{State: emitter.Delivered}),
			settle(3, emitter.Verdict{State: emitter.Waiting, Due: fixtureDay.Add(time.Minute)}),
		})
		saved := errors.Join(
			s.SaveToken(t.Context(), "spotify", fixtureToken),
			s.Rename(t.Context(), "shop", "store"), s.Rename(t.Context(), "store", "shop"), // to and fro
			s.Keep(t.Context(), map[string]differ.Kept{"old": {Bookmarks: fixtureBookmarks}}),
			s.Rename(t.Context(), "old", "renamed"),
		)
		_, noted := s.Left(t.Context(), func(source string) bool { return source == "shop" })
		if err := errors.Join(err, saved, noted, s.Close()); err != nil {
			t.Fatal(err)
		}
	})
	trim(t, fixture)
}
