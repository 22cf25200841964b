package poller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What is wrong with a request to change watch keys, beside ErrNoSource and
// ErrDisabled.
var (
	ErrNoWatch       = errors.New("it takes no watch keys over the API: it has no watch.api")
	ErrNoKeys        = errors.New("it has no watch keys")
	ErrBadWatchKey   = errors.New("not a watch key")
	ErrTooManyKeys   = fmt.Errorf("the source has %d watch keys, which is the most", maxWatchKeys)
	ErrNotWatched    = errors.New("it has no such watch key")
	ErrKeyConfigured = errors.New("the watch key stands in the configuration or in its file, or an item of another source names it: remove it there")
)

// WatchedKey is a watch key as Watched gives it.
type WatchedKey struct {
	Key     string
	From    []string // where it comes from: config, file, items, api
	Retired bool     // it is not polled any more
}

// Watch has a key of a source polled from now on, and reports whether it was
// added. It returns when that is durable.
func (p *Poller) Watch(ctx context.Context, source, key string) (added bool, err error) {
	defer nameSource(source, &err)
	p.watching.Lock()
	defer p.watching.Unlock()
	f, err := p.fanOf(source)
	if err != nil {
		return false, err
	}
	if err := CheckWatchKey(key); err != nil {
		return false, fmt.Errorf("%w: %w", ErrBadWatchKey, err)
	}
	f.mu.RLock()
	from, n := f.origins[key], len(f.origins)
	f.mu.RUnlock()
	switch {
	case from&fromAPI != 0:
		return false, nil
	case from == 0 && n >= maxWatchKeys:
		return false, ErrTooManyKeys
	}
	if p.forgetKeys(ctx, f, f.deadOf(key)); f.dead[key] {
		return false, errors.New("what is remembered of the watch key from before cannot be forgotten; the log says why")
	}
	if p.watches != nil {
		if err := p.watches.Enrol(ctx, source, key); err != nil {
			return false, fmt.Errorf("storing the watch key: %w", err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	j, fresh := f.put(key, fromAPI)
	p.enter(f, j, fresh)
	return true, nil
}

// Unwatch stops the polls of a key that was added over the API, and forgets
// what is remembered of it. It returns when that is durable: no poll of the
// key starts after that, and of one that runs nothing is taken in.
func (p *Poller) Unwatch(ctx context.Context, source, key string) (err error) {
	defer nameSource(source, &err)
	p.watching.Lock()
	defer p.watching.Unlock()
	f, err := p.fanOf(source)
	if err != nil {
		return err
	}
	f.mu.Lock()
	from, retired := f.origins[key], f.retired[key]
	if from != fromAPI {
		f.mu.Unlock()
		if from == 0 {
			return ErrNotWatched
		}
		return ErrKeyConfigured
	}
	_, idle := f.drop(key, fromAPI)
	p.leaveOut(f, idle)
	f.mu.Unlock()
	if p.watches == nil {
		return nil
	}
	if err := p.watches.Forget(ctx, source, key); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if retired {
			f.origins[key], f.retired[key] = fromAPI, true
		} else {
			j, fresh := f.put(key, fromAPI)
			p.enter(f, j, fresh)
		}
		return fmt.Errorf("forgetting the watch key: %w", err)
	}
	return nil
}

// Watched gives the watch keys of a source, in their order.
func (p *Poller) Watched(source string) (keys []WatchedKey, err error) {
	defer nameSource(source, &err)
	f, err := p.keysOf(source)
	if err != nil {
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	keys = make([]WatchedKey, 0, len(f.origins))
	for key := range f.origins {
		keys = append(keys, f.shown(key))
	}
	slices.SortFunc(keys, func(a, b WatchedKey) int { return strings.Compare(a.Key, b.Key) })
	return keys, nil
}

// WatchedKey gives one watch key of a source.
func (p *Poller) WatchedKey(source, key string) (known WatchedKey, err error) {
	defer nameSource(source, &err)
	f, err := p.keysOf(source)
	if err != nil {
		return WatchedKey{}, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.origins[key] == 0 {
		return WatchedKey{}, ErrNotWatched
	}
	return f.shown(key), nil
}

// shown is a key as it is given. f.mu is held.
func (f *fan) shown(key string) WatchedKey {
	return WatchedKey{Key: key, From: f.origins[key].words(), Retired: f.retired[key]}
}

// keysOf are the watch keys of a source.
func (p *Poller) keysOf(source string) (*fan, error) {
	m := p.roll.Load().of[source]
	switch {
	case m == nil:
		return nil, ErrNoSource
	case m.source.disabled:
		return nil, ErrDisabled
	case m.fan == nil:
		return nil, ErrNoKeys
	}
	return m.fan, nil
}

// fanOf are those to which the API may add.
func (p *Poller) fanOf(source string) (*fan, error) {
	f, err := p.keysOf(source)
	if errors.Is(err, ErrNoKeys) || err == nil && !f.source.watch.api {
		return nil, ErrNoWatch
	}
	return f, err
}

// nameSource says of which source an error is.
func nameSource(source string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("source %.100s: %w", source, *err)
	}
}

// deadOf is a key that is still to be forgotten, if it is one.
func (f *fan) deadOf(key string) []string {
	if f.dead[key] {
		return []string{key}
	}
	return nil
}

// words are the origins by name.
func (o whence) words() (words []string) {
	for i, word := range []string{"config", "file", "items", "api"} {
		if o&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return words
}
