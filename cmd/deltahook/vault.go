package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/store/bolt"
)

// vault is the store as a dry run needs it: for refresh tokens alone, since an
// API may answer to one with another and take the old one no longer. It is
// opened, to write, when the first token is asked for: where that cannot be
// done, none is exchanged.
type vault struct {
	path string

	mu    sync.Mutex
	store *bolt.Store
}

// Token reads a refresh token.
func (v *vault) Token(ctx context.Context, name string) (auth.Record, error) {
	store, err := v.open()
	if err != nil {
		return auth.Record{}, err
	}
	return store.Token(ctx, name)
}

// SaveToken stores a refresh token.
func (v *vault) SaveToken(ctx context.Context, name string, r auth.Record) error {
	store, err := v.open()
	if err != nil {
		return err
	}
	return store.SaveToken(ctx, name, r)
}

func (v *vault) open() (store *bolt.Store, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil {
		if v.store, err = bolt.Open(v.path, bolt.Options{Version: version}); errors.Is(err, bolt.ErrInUse) {
			err = fmt.Errorf("%w: the daemon that runs keeps refresh tokens to itself", err)
		}
	}
	return v.store, err
}

// Close lets go of the store. It may be called again.
func (v *vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil {
		return nil
	}
	err := v.store.Close()
	v.store = nil
	return err
}
