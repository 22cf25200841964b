package main

import (
	"context"
	"errors"
	"sync/atomic"

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
		return nil, watchError(err)
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
	return web.WatchKey(k), watchError(err)
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
	return added, watchError(err)
}

// Unwatch removes a key.
func (w *watches) Unwatch(ctx context.Context, source, key string) error {
	p := w.poller.Load()
	if p == nil {
		return errStarting
	}
	return watchError(p.Unwatch(ctx, source, key))
}

// refusal is a poller's error, with what it means to who asked.
type refusal struct {
	error
	means error
}

// Unwrap is both.
func (r refusal) Unwrap() []error { return []error{r.error, r.means} }

func watchError(err error) error {
	switch {
	case errors.Is(err, poller.ErrNoWatch), errors.Is(err, poller.ErrNoKeys), errors.Is(err, poller.ErrNotWatched):
		return refusal{err, web.ErrNotFound}
	case errors.Is(err, poller.ErrBadWatchKey):
		return refusal{err, web.ErrInvalid}
	case errors.Is(err, poller.ErrKeyConfigured), errors.Is(err, poller.ErrTooManyKeys):
		return refusal{err, web.ErrConflict}
	}
	return err
}
