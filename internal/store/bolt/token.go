package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/deltahook/deltahook/internal/auth"
)

// tokenKey is what the keys of refresh tokens begin with in meta.
const tokenKey = "token/"

// storedToken is a record of a refresh token.
type storedToken struct {
	Origin  string    `json:"origin,omitempty"`
	Refresh string    `json:"refresh,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Token reads the refresh token of a credential. See auth.Store.
func (s *Store) Token(ctx context.Context, name string) (auth.Record, error) {
	if err := ctx.Err(); err != nil {
		return auth.Record{}, err
	}
	var r storedToken
	err := s.view(func(t *tx) error {
		key := []byte(tokenKey + name)
		if v := t.get(bucketMeta, key); v != nil {
			return unsealJSON(bucketMeta, key, v, &r)
		}
		return nil
	})
	if err != nil {
		return auth.Record{}, fmt.Errorf("token of %s: %w", name, err)
	}
	return auth.Record(r), nil
}

// SaveToken stores the refresh token of a credential. See auth.Store.
func (s *Store) SaveToken(ctx context.Context, name string, r auth.Record) error {
	key := []byte(tokenKey + name)
	rec, err := sealJSON(bucketMeta, key, storedToken(r))
	if err != nil {
		return fmt.Errorf("token of %s: %w", name, err)
	}
	err = s.do(ctx, &request{
		check: func(*tx) error {
			if name == "" || tooLong(name, tokenKey) {
				return fmt.Errorf("credential %q has no name, or too long a one", clip(name))
			}
			return nil
		},
		apply: func(t *tx) error { return t.put(bucketMeta, key, rec) },
		size:  len(rec),
	})
	if err != nil {
		return fmt.Errorf("token of %s: %w", name, err)
	}
	return nil
}
