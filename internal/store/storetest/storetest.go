// Package storetest is the contract of a storage engine, as a test. An engine
// is done when Run is green on it.
package storetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/poller"
)

// Store is an engine: what the stages need of it.
type Store interface {
	differ.Store
	differ.Archive
	differ.Forgetter
	differ.Coalescer
	differ.Renamer
	differ.Leaver
	differ.Lister
	emitter.Queue
	emitter.Archive
	poller.Ledger
	auth.Store
}

// Reopener is a Store that outlives its process. Its tests are run where the
// opened Store is one.
type Reopener interface {
	Store
	// Reopen ends the Store and gives what a new process finds. With
	// crash, the Store isn't closed: it ends where it stands.
	Reopen(t *testing.T, crash bool) Store
}

// Fencer is a Store whose sources can be taken away by another process. Its
// tests are run where the opened Store is one.
type Fencer interface {
	Store
	// Fence gives the source to somebody else.
	Fence(t *testing.T, source string)
}

// Run tests the engine that open opens. Each call of open gives an empty store,
// which is open's to close when the test ends. An engine may also have the
// method Snapshot that bolt.Store and mem.Store have; then it is tested too.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"an empty store has nothing", testEmpty},
		{"a commit is read back", testRoundTrip},
		{"a commit on another version changes nothing", testConflict},
		{"a commit that is refused changes nothing", testRefused},
		{"reset drops what the commit does not name", testReset},
		{"keep leaves the version", testKeep},
		{"notes are put, replaced and removed", testNotes},
		{"notes are of any key and name", testNoteNames},
		{"notes that are refused change nothing", testNotesRefused},
		{"reset leaves notes, and forget drops them", testNotesLeft},
		{"load gives one, some or all", testLoad},
		{"a load may stop and see commits in between", testLoadBetween},
		{"a snapshot has what is there", testSnapshot},
		{"contents and payloads keep every byte", testBytes},
		{"keys are any text", testKeys},
		{"names do not run into each other", testNames},
		{"watch keys are apart, and are forgotten", testWatch},
		{"items are listed by their keys", testListItems},
		{"items are found by what they contain", testFindItems},
		{"one item is given, also gone", testItem},
		{"changes of an item are listed", testRevisions},
		{"so many changes are kept", testRevisionsMany},
		{"contents that are large are left out", testRevisionsLarge},
		{"changes of before a reset count no more", testRevisionsReset},
		{"changes go with what they are of", testRevisionsForgotten},
		{"a change whose outcome is unknown is kept once", testRevisionsUnknown},
		{"changes that cannot be are refused", testRevisionsRefused},
		{"the units of a source are known", testUnits},
		{"a source gets another name", testRename},
		{"what waits under an old name comes first", testRenameWaiting},
		{"a name is taken or unknown", testRenameRefused},
		{"sources that left are known", testLeft},
		{"what is returned is the caller's", testOwnership},
		{"what is not settled comes again", testAgain},
		{"an item's second delivery waits for the first", testLane},
		{"a dead letter stays dead and blocks nothing", testDead},
		{"what was told is listed", testLists},
		{"Deltahook's own events are listed by the source", testListsOwn},
		{"dead letters are found by when they died", testDeaths},
		{"what is rare is on the first page", testListsRare},
		{"attempts are listed", testAttempts},
		{"what is no cursor is refused", testCursors},
		{"a replay keeps the id and the body", testReplay},
		{"a replay takes what its filter says", testReplayMany},
		{"the last replays are remembered", testReplayOften},
		{"a replay that ends half way is gone on with", testReplayReopen},
		{"what cannot be sent is a dead letter from the start", testDeadAtOnce},
		{"several events of a commit keep their order", testOrder},
		{"endpoints are independent", testEndpoints},
		{"a retry is due when its verdict says", testRetry},
		{"pending gives the earliest due first", testEarliest},
		{"unknown deliveries are passed over", testUnknownDelivery},
		{"what is settled again counts once", testSettledAgain},
		{"what was never tried waits for no clock", testClockBack},
		{"what the caller has in hand is skipped", testSkip},
		{"those who wait are known", testWhoWaits},
		{"how an endpoint fares is stored", testHealth},
		{"what has expired is no dead letter", testExpired},
		{"sources take turns", testTurns},
		{"what is due again takes turns with what was never tried", testTurnsOfRetries},
		{"the oldest is found whenever it is due", testOldest},
		{"one lane for an endpoint", testOrderEndpoint},
		{"a lane for each delivery", testOrderNone},
		{"what waits is put into the lanes of another order", testArrange},
		{"what waits for a time is made due", testHasten},
		{"what waits is dropped", testDrop},
		{"what was not sent is no attempt", testEnds},
		{"updates that wait become one", testCoalesce},
		{"what may be in hand is told by itself", testCoalesceInHand},
		{"what may have been sent before is told by itself", testCoalesceRestart},
		{"only updates of one item and type become one", testCoalesceNot},
		{"what changes all the time keeps nobody waiting", testCoalesceTurns},
		{"a replay leaves what is superseded alone", testCoalesceReplay},
		{"what is used of limits is stored", testUsage},
		{"a refresh token is read back", testToken},
		{"concurrent commits of many sources", testConcurrent},
		{"concurrent commits of one source", testRace},
		{"an unknown outcome makes one event", testUnknownOutcome},
		{"a waiting million does not slow pending", testBacklog},
		{"a restart changes nothing", testReopen},
		{"a fenced source takes nothing", testFence},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t)) })
	}
}

// at is a time that all engines keep exactly.
func at(seconds int) time.Time {
	return time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// later is a time by which everything that was committed is due.
func later() time.Time { return time.Now().Add(time.Minute) }

func hashOf(content string) (h differ.Hash) {
	sum := sha256.Sum256([]byte(content))
	copy(h[:], sum[:])
	return h
}

func item(key string, revision uint64, content string) differ.Item {
	return differ.Item{
		Key: key, Hash: hashOf(content), Revision: revision,
		Content: json.RawMessage(content), Seen: at(int(revision)),
	}
}

// gone is what an item leaves behind.
func gone(key string, revision uint64) differ.Item {
	return differ.Item{Key: key, Revision: revision, Seen: at(int(revision))}
}

// event tells a change to endpoints. Its payload names it.
func event(id, key string, revision uint64, endpoints ...string) differ.Event {
	e := differ.Event{
		ID: id, Type: "shop.updated", Source: "shop", Key: key, Change: differ.Updated,
		Revision: revision, Time: at(int(revision)), New: json.RawMessage(`{"n":1}`),
	}
	for _, endpoint := range endpoints {
		e.Bodies = append(e.Bodies, differ.Body{Endpoint: endpoint, Payload: []byte("body of " + id)})
	}
	return e
}

// changes is a commit to the source shop.
func changes(version uint64, events ...differ.Event) *differ.Commit {
	return &differ.Commit{Source: "shop", Version: version, Shape: "s", Events: events}
}

func commit(t *testing.T, s Store, c *differ.Commit) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func settle(t *testing.T, s Store, outcomes ...emitter.Outcome) {
	t.Helper()
	if err := s.Settle(t.Context(), outcomes); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

func outcome(d emitter.Delivery, v emitter.Verdict) emitter.Outcome {
	return emitter.Outcome{Delivery: d, Attempt: emitter.Attempt{At: at(0), Status: 200}, Verdict: v}
}

func delivered(d emitter.Delivery) emitter.Outcome {
	return outcome(d, emitter.Verdict{State: emitter.Delivered})
}

func dead(d emitter.Delivery) emitter.Outcome {
	return outcome(d, emitter.Verdict{State: emitter.Dead})
}

func retry(d emitter.Delivery, due time.Time) emitter.Outcome {
	return outcome(d, emitter.Verdict{State: emitter.Waiting, Due: due})
}

func pending(t *testing.T, s Store, endpoint string, now time.Time, n int) emitter.Batch {
	t.Helper()
	batch, err := s.Pending(t.Context(), endpoint, now, n, nil)
	if err != nil {
		t.Fatalf("pending: %v", err)
	}
	return batch
}

// due is the ids of the events that are due at an endpoint.
func due(t *testing.T, s Store, endpoint string) []string {
	t.Helper()
	ids := []string{}
	for _, d := range pending(t, s, endpoint, later(), 1_000).Due {
		ids = append(ids, d.Event)
	}
	return ids
}

// first is the one delivery that is due at an endpoint.
func first(t *testing.T, s Store, endpoint string) emitter.Delivery {
	t.Helper()
	batch := pending(t, s, endpoint, later(), 10)
	if len(batch.Due) != 1 {
		t.Fatalf("%d deliveries are due at %s, want 1", len(batch.Due), endpoint)
	}
	return batch.Due[0]
}

// endpoint is the state of an endpoint, less when it was tried last.
func endpoint(t *testing.T, s Store, name string) emitter.EndpointState {
	t.Helper()
	e, err := s.Endpoint(t.Context(), name)
	if err != nil {
		t.Fatalf("endpoint %s: %v", name, err)
	}
	e.Last = time.Time{}
	return e
}

// load gives the states of sources by their names.
func load(t *testing.T, s Store, sources ...string) map[string]differ.State {
	t.Helper()
	states := map[string]differ.State{}
	for state, err := range s.Load(t.Context(), sources...) {
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		if _, twice := states[state.Source]; twice {
			t.Fatalf("load gave source %q twice", state.Source)
		}
		states[state.Source] = state
	}
	return states
}

func items(t *testing.T, s Store, source string, keys ...string) []differ.Item {
	t.Helper()
	found, err := s.Items(t.Context(), source, keys)
	if err != nil {
		t.Fatalf("items: %v", err)
	}
	return found
}

// equal compares; times by the instant, an empty map or list equals none.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func bookmarks(n int) poller.Bookmarks {
	return poller.Bookmarks{
		Request: fmt.Sprint("request ", n), ETag: fmt.Sprintf(`W/"%d"`, n), LastModified: "Mon, 23 Nov 2026 10:00:00 GMT",
		Next: at(n), Failures: n, FailingSince: at(-n), LastError: "status: <503> & ümlaut",
		Cursor: fmt.Sprintf(`{"since":"<%d>"}`, n),
	}
}
