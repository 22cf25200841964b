package mem

import (
	"context"
	"errors"

	"github.com/deltahook/deltahook/internal/auth"
)

// Token reads the refresh token of a credential. See auth.Store.
func (s *Store) Token(ctx context.Context, name string) (auth.Record, error) {
	if err := ctx.Err(); err != nil {
		return auth.Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[name], nil
}

// SaveToken stores the refresh token of a credential. See auth.Store.
func (s *Store) SaveToken(ctx context.Context, name string, r auth.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" {
		return errors.New("token: a credential has no name")
	}
	s.tokens[name] = r
	return nil
}
