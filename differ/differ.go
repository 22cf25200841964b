// Package differ decides what changed: it takes an answer, reads its items,
// compares each with what is remembered, evaluates the rules, and commits what
// was seen together with what must be told, all or nothing.
//
// The flow of one answer:
//
//	Answer -> items -> compare by hash -> changes -> rules -> events -> Commit
//
// It does not know how an event is sent.
package differ

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// Store is what the differ needs of an engine. All methods may be called
// concurrently. What they return is the caller's to keep.
type Store interface {
	// Load streams the state of the named sources, or of all there are
	// where none is named. A source that was never committed has none. The
	// sequence ends at the first error.
	Load(ctx context.Context, sources ...string) iter.Seq2[State, error]

	// Items gives the remembered content of some items of a source. Keys
	// that are not there are left out.
	Items(ctx context.Context, source string, keys []string) ([]Item, error)

	// Commit applies c, all of it or nothing, and returns when it is
	// durable. ErrConflict: the source is not at c.Version; nothing was
	// applied. ErrFenced: the source is no longer this process's to write;
	// nothing was applied. Any other error: the outcome is unknown, and the
	// caller must load again before it compares again.
	Commit(ctx context.Context, c *Commit) error

	// Keep stores bookmarks of sources that have state, leaves their
	// version alone, and returns when they are durable. A source without
	// state gets one that has bookmarks and Version 0.
	Keep(ctx context.Context, marks map[string]poller.Bookmarks) error
}

// States of a commit that did not happen.
var (
	ErrConflict = errors.New("the source was changed by somebody else")
	ErrFenced   = errors.New("the source belongs to another process now")
)

// State is what is remembered of a source, without the items' contents.
type State struct {
	Source    string
	Version   uint64    // 0: nothing but bookmarks; +1 at each commit
	Shape     string    // fingerprint of the settings that the items were read with
	Since     time.Time // when the baseline was taken
	Bookmarks poller.Bookmarks
	Items     map[string]Mark // by key; items that are gone are among them
}

// Mark is one item as the differ's cache holds it.
type Mark struct {
	Hash     Hash   // of the canonical content; zero: the item is gone
	Revision uint64 // changes told so far; 0: only the baseline
}

// Hash is the first 128 bits of SHA-256 over an item's canonical content.
type Hash [16]byte

// Item is one item as it is stored.
type Item struct {
	Key      string
	Hash     Hash // zero: the item is gone and Content is nil
	Revision uint64
	Content  json.RawMessage // the picked fields, as the API spelled them
	Seen     time.Time       // when this revision was seen
}

// Commit is one answer's effect: the write set that an engine applies.
type Commit struct {
	Source    string
	Version   uint64 // the version that it was computed from
	Shape     string
	Since     time.Time
	Bookmarks poller.Bookmarks
	Reset     bool    // true: what is remembered of items not in Items is dropped first
	Items     []Item  // created, changed and gone; never one key twice
	Events    []Event // in the order in which they are told
}

// Change is what happened to an item.
type Change string

// The kinds of change.
const (
	Created Change = "created"
	Updated Change = "updated"
	Deleted Change = "deleted"
)

// Event is something to be told. Its id and its bodies are fixed here, once.
type Event struct {
	ID       string // "evt_" and a UUIDv7
	Type     string // the rule's name
	Source   string
	Key      string // of the item
	Change   Change
	Revision uint64    // of the item; gapless from 1
	Time     time.Time // when the change was seen

	New  json.RawMessage // nil: deleted
	Old  json.RawMessage // nil: created
	Diff json.RawMessage // RFC 6902 from Old to New; nil unless updated

	// Bodies are the rendered payloads, one for each endpoint that the
	// event goes to. Equal bodies may share their bytes.
	Bodies []Body
}

// Body is an event as one endpoint gets it.
type Body struct {
	Endpoint string
	Payload  []byte
}

// Renderer makes the bodies of an event. The emitter is one.
type Renderer interface {
	// Render gives the payload of e for endpoint. It must be a pure
	// function of the two.
	Render(e *Event, endpoint string) ([]byte, error)
}
