// Package mem keeps the state in memory: for tests, and for dry runs that must
// leave no trace. It keeps the contract of an engine except that nothing
// outlives the process. Nothing is ever swept: it grows with what is told.
//
// It is written to be plainly right rather than fast, so that other engines can
// be compared with it.
package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/budget"
	"github.com/deltahook/deltahook/poller"
)

// Store is a state in memory: a differ.Store, a differ.Archive, an emitter.Queue, a poller.Ledger,
// an auth.Store and an emitter.Archive. All methods may be called concurrently.
type Store struct {
	mu         sync.Mutex
	sources    map[string]*source
	events     map[string]*event    // by id
	deliveries map[uint64]*delivery // all there were
	last       uint64               // number of the latest delivery
	waiting    map[uint64]*delivery
	lanes      map[lane][]*delivery // those that wait, first come first
	updates    map[place]update
	endpoints  map[string]*endpoint
	used       map[string]budget.Usage // of limits
	tokens     map[string]auth.Record
	stems      map[string]string    // see Rename
	left       map[string]time.Time // sources that left, since when
}

// source is a source's state; the marks of State.Items are in items.
type source struct {
	state differ.State
	items map[string]differ.Item
	notes map[noteName][]byte
	past  map[string]map[uint64]revision // changes by key, by revision
}

type noteName struct{ key, name string }

// note puts and removes notes.
func (s *source) note(notes []differ.Note) {
	for _, n := range notes {
		if n.Data == nil {
			delete(s.notes, noteName{n.Key, n.Name})
		} else {
			s.notes[noteName{n.Key, n.Name}] = append([]byte{}, n.Data...)
		}
	}
}

func checkNotes(notes []differ.Note) error {
	for i := range notes {
		if err := notes[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

// New makes an empty store.
func New() *Store {
	return &Store{
		sources: map[string]*source{}, events: map[string]*event{}, deliveries: map[uint64]*delivery{},
		waiting: map[uint64]*delivery{}, lanes: map[lane][]*delivery{},
		updates:   map[place]update{},
		endpoints: map[string]*endpoint{},
		used:      map[string]budget.Usage{}, tokens: map[string]auth.Record{},
		stems: map[string]string{}, left: map[string]time.Time{},
	}
}

// Load streams states in the order of their names. See differ.Store.
func (s *Store) Load(ctx context.Context, sources ...string) iter.Seq2[differ.State, error] {
	return func(yield func(differ.State, error) bool) {
		names := sources
		if len(names) == 0 {
			names = s.names()
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				yield(differ.State{}, fmt.Errorf("load source %s: %w", name, err))
				return
			}
			s.mu.Lock()
			state, found := s.state(name)
			s.mu.Unlock()
			if found && !yield(state, nil) {
				return
			}
		}
	}
}

func (s *Store) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.sources))
}

func (s *Store) state(name string) (state differ.State, found bool) {
	src := s.sources[name]
	if src == nil {
		return differ.State{}, false
	}
	state = src.state
	state.Items = make(map[string]differ.Mark, len(src.items))
	for key, it := range src.items {
		state.Items[key] = differ.Mark{Hash: it.Hash, Revision: it.Revision, Seen: it.Seen}
	}
	for n, data := range src.notes {
		state.Notes = append(state.Notes, differ.Note{Key: n.key, Name: n.name, Data: append([]byte{}, data...)})
	}
	slices.SortFunc(state.Notes, differ.CompareNotes)
	return state, true
}

// Items gives the content of items. See differ.Store.
func (s *Store) Items(ctx context.Context, name string, keys []string) ([]differ.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]differ.Item, 0, len(keys))
	if src := s.sources[name]; src != nil {
		for _, key := range keys {
			if it, there := src.items[key]; there {
				items = append(items, clone(it))
			}
		}
	}
	return items, nil
}

// Snapshot gives the state of one source and all its items that are there, in
// the order of their keys. A source that was never committed has the state of
// its name alone.
func (s *Store) Snapshot(ctx context.Context, name string) (differ.State, []differ.Item, error) {
	if err := ctx.Err(); err != nil {
		return differ.State{}, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state, found := s.state(name)
	if !found {
		source, watch := poller.CutUnit(name)
		return differ.State{Source: source, Watch: watch}, nil, nil
	}
	var items []differ.Item
	for _, key := range slices.Sorted(maps.Keys(s.sources[name].items)) {
		if it := s.sources[name].items[key]; it.Hash != (differ.Hash{}) {
			items = append(items, clone(it))
		}
	}
	return state, items, nil
}

// Commit applies c. See differ.Store. An event whose id is there already is
// refused, and all of c with it.
func (s *Store) Commit(ctx context.Context, c *differ.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(c); err != nil {
		return fmt.Errorf("commit source %s: %w", c.Source, err)
	}
	src := s.source(c.Unit())
	src.state.Version, src.state.Shape = c.Version+1, c.Shape
	src.state.Since, src.state.Bookmarks = c.Since, c.Bookmarks
	if c.Reset {
		clear(src.items)
		s.spendAll(c.Unit(), func(string) bool { return true })
		clear(src.past)
	}
	for _, it := range c.Items {
		src.items[it.Key] = clone(it)
		if it.Hash == (differ.Hash{}) {
			s.spendAll(c.Unit(), func(key string) bool { return key == it.Key })
		}
	}
	src.keepChanges(c)
	src.note(c.Notes)
	now := time.Now()
	for i := range c.Events {
		s.tell(c.Unit(), &c.Events[i], now)
	}
	return nil
}

func (s *Store) check(c *differ.Commit) error {
	if c.Source == "" {
		return errors.New("it has no name")
	}
	var version uint64
	if src := s.sources[c.Unit()]; src != nil {
		version = src.state.Version
	}
	if version != c.Version {
		return differ.ErrConflict
	}
	for _, e := range c.Events {
		if e.ID == "" || s.events[e.ID] != nil {
			return fmt.Errorf("event %q is there already, or has no id", e.ID)
		}
		endpoints := map[string]bool{}
		for _, b := range e.Bodies {
			if b.Endpoint == "" || endpoints[b.Endpoint] {
				return fmt.Errorf("event %s: endpoint %q has no name or stands twice", e.ID, b.Endpoint)
			}
			endpoints[b.Endpoint] = true
		}
	}
	return errors.Join(c.Check(), checkNotes(c.Notes))
}

// source gives a source's state, a new one where there is none.
func (s *Store) source(name string) *source {
	src := s.sources[name]
	if src == nil {
		of, watch := poller.CutUnit(name)
		src = &source{
			state: differ.State{Source: of, Watch: watch},
			items: map[string]differ.Item{}, notes: map[noteName][]byte{}, past: map[string]map[uint64]revision{},
		}
		s.sources[name] = src
	}
	return src
}

// Keep stores bookmarks and notes. See differ.Store.
func (s *Store) Keep(ctx context.Context, kept map[string]differ.Kept) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := kept[""]; there {
		return errors.New("keep bookmarks: a source has no name")
	}
	for _, k := range kept {
		if err := checkNotes(k.Notes); err != nil {
			return err
		}
	}
	for name, k := range kept {
		s.source(name).state.Bookmarks = k.Bookmarks
		s.source(name).note(k.Notes)
	}
	return nil
}

// Forget removes what is remembered of units. See differ.Forgetter.
func (s *Store) Forget(ctx context.Context, units ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, unit := range units {
		delete(s.sources, unit)
		s.spendAll(unit, func(string) bool { return true })
	}
	return nil
}

func clone(it differ.Item) differ.Item {
	it.Content = bytes.Clone(it.Content)
	return it
}
