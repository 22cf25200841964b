package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/web"
)

// frozen is the snapshot of one source as a differ.Store that refuses every
// write: what a dry run compares with.
type frozen struct {
	state differ.State
	items map[string]differ.Item
	from  string // where it was read, in words; "": nowhere
}

var errDryRun = errors.New("a dry run writes nothing")

// freeze reads the snapshot of a source: from the daemon that runs, from the
// store where none does, and of a store that isn't there an empty one.
func freeze(ctx context.Context, cfg *configs.Config, source string) (*frozen, error) {
	client, err := web.Dial(ctx, cfg.Store)
	if err == nil {
		defer client.Close()
		state, items, err := client.Snapshot(ctx, source)
		return newFrozen(state, items, "the running daemon"), err
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return nil, err
	}
	store, err := bolt.Open(cfg.Store, bolt.Options{ReadOnly: true, Version: version})
	if errors.Is(err, fs.ErrNotExist) {
		return newFrozen(differ.State{Source: source}, nil, ""), nil
	}
	if err != nil {
		return nil, err
	}
	state, items, err := store.Snapshot(ctx, source)
	return newFrozen(state, items, "the store"), errors.Join(err, store.Close())
}

func newFrozen(state differ.State, items []differ.Item, from string) *frozen {
	f := &frozen{state: state, items: map[string]differ.Item{}, from: from}
	for _, item := range items {
		f.items[item.Key] = item
	}
	return f
}

// String says what it is and where it comes from.
func (f *frozen) String() string {
	switch {
	case f.from == "":
		return "none: there is no store yet"
	case f.state.Version == 0:
		return "none of this source yet, in " + f.from
	default:
		return fmt.Sprintf("%s at version %d, in %s", count(len(f.items), "item"), f.state.Version, f.from)
	}
}

// Load gives the one state there is.
func (f *frozen) Load(context.Context, ...string) iter.Seq2[differ.State, error] {
	return func(yield func(differ.State, error) bool) {
		if f.state.Version > 0 {
			yield(f.state, nil)
		}
	}
}

// Items gives the asked items.
func (f *frozen) Items(_ context.Context, _ string, keys []string) ([]differ.Item, error) {
	var out []differ.Item
	for _, key := range keys {
		if item, ok := f.items[key]; ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// Commit is refused.
func (f *frozen) Commit(context.Context, *differ.Commit) error { return errDryRun }

// Keep is refused.
func (f *frozen) Keep(context.Context, map[string]differ.Kept) error { return errDryRun }
