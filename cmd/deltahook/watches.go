package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

// watches is the poller as the admin address sees it: neither knows the other.
// The address answers before there is a poller.
type watches struct{ poller atomic.Pointer[poller.Poller] }

var errStarting = errors.New("starting")

// Watched gives the keys of a source.
func (w *watches) Watched(source string) ([]web.WatchKey, error) {
	p := w.poller.Load()
	if p == nil {
		return nil, errStarting
	}
	keys, err := p.Watched(source)
	if err != nil {
		return nil, watchError(source, err)
	}
	shown := make([]web.WatchKey, len(keys))
	for i, k := range keys {
		shown[i] = web.WatchKey(k)
	}
	return shown, nil
}

// WatchedKey gives one key of a source.
func (w *watches) WatchedKey(source, key string) (web.WatchKey, error) {
	p := w.poller.Load()
	if p == nil {
		return web.WatchKey{}, errStarting
	}
	k, err := p.WatchedKey(source, key)
	return web.WatchKey(k), watchError(source, err)
}

// follow has the poller look at the keys that items of another source name.
// What changes before there is one, it finds when it is made.
func (w *watches) follow(source string) {
	if p := w.poller.Load(); p != nil {
		p.Follow(source)
	}
}

// Watch adds a key.
func (w *watches) Watch(ctx context.Context, source, key string) (bool, error) {
	p := w.poller.Load()
	if p == nil {
		return false, errStarting
	}
	added, err := p.Watch(ctx, source, key)
	return added, watchError(source, err)
}

// Unwatch removes a key.
func (w *watches) Unwatch(ctx context.Context, source, key string) error {
	p := w.poller.Load()
	if p == nil {
		return errStarting
	}
	return watchError(source, p.Unwatch(ctx, source, key))
}

// refusal is a poller's error, with what it means to who asked.
type refusal struct {
	error
	means error
}

// Unwrap is both.
func (r refusal) Unwrap() []error { return []error{r.error, r.means} }

func watchError(source string, err error) error {
	switch {
	case errors.Is(err, poller.ErrNoSource):
		return noSource(source)
	case errors.Is(err, poller.ErrDisabled),
		errors.Is(err, poller.ErrNoWatch), errors.Is(err, poller.ErrNoKeys), errors.Is(err, poller.ErrNotWatched):
		return refusal{err, web.ErrNotFound}
	case errors.Is(err, poller.ErrBadWatchKey):
		return refusal{err, web.ErrInvalid}
	case errors.Is(err, poller.ErrKeyConfigured), errors.Is(err, poller.ErrTooManyKeys):
		return refusal{err, web.ErrConflict}
	}
	return err
}

// pickWatch has a dry run ask for one watch key, where its source has any.
func (a *app) pickWatch(ctx context.Context, cfg *configs.Config, dry *dryRun, key string) error {
	name := dry.polled.Name()
	has, sampled := dry.polled.HasWatch()
	switch {
	case !has && key != "":
		return a.usage("source %s has no watch keys", name)
	case !has, key == "" && sampled:
		return nil
	case key == "":
		keys, err := knownKeys(ctx, cfg, dry.parts, name)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return a.usage("no watch key of source %s is known: give one with --watch", name)
		}
		key = keys[0].Key
		if i := slices.IndexFunc(keys, func(k web.WatchKey) bool { return !k.Retired }); i >= 0 {
			key = keys[i].Key
		}
	}
	if err := poller.CheckWatchKey(key); err != nil {
		return a.usage("--watch: %w", err)
	}
	dry.polled = dry.polled.WithWatch(key)
	return nil
}

// knownKeys are the watch keys of a source as the running daemon has them; where
// none runs, as it would have them at a start.
func knownKeys(ctx context.Context, cfg *configs.Config, parts *parts, name string) ([]web.WatchKey, error) {
	client, err := web.Dial(ctx, cfg.Store)
	if err == nil {
		defer client.Close()
		return client.Watched(ctx, name)
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return nil, err
	}
	store, err := bolt.Open(cfg.Store, bolt.Options{ReadOnly: true, Version: version})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := storedKeys(ctx, store, parts, name)
	return keys, errors.Join(err, store.Close())
}

func storedKeys(ctx context.Context, store *bolt.Store, parts *parts, name string) ([]web.WatchKey, error) {
	diffing := differ.New(parts.diffed, store, nil, differ.Options{})
	marks, err := diffing.Load(ctx)
	if err != nil {
		return nil, err
	}
	if err := diffing.LoadFeeds(ctx, func(string) {}); err != nil {
		return nil, err
	}
	w := &watches{}
	w.poller.Store(poller.New(parts.polled, marks, diffing, poller.Options{Watches: diffing}))
	keys, err := w.Watched(name)
	if errors.Is(err, poller.ErrDisabled) {
		return nil, nil
	}
	return keys, err
}
