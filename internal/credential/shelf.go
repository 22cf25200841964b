package credential

import (
	"net/http"
	"reflect"
	"slices"
	"sync"

	"github.com/deltahook/deltahook/internal/auth"
)

// shelf is the credentials that the books of configurations share which follow
// each other.
type shelf struct {
	mu  sync.Mutex
	all []*Credential // those that no book has any more are still being closed
}

// find is the credential of a name and of settings that some book has; nil:
// there is none. s.mu is held.
func (s *shelf) find(name, id string, over http.RoundTripper) *Credential {
	for _, c := range s.all {
		if len(c.books) > 0 && c.name == name && c.id == id && same(c.over, over) {
			return c
		}
	}
	return nil
}

// same reports whether two transports are one.
func same(a, b http.RoundTripper) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// keepers are those whose record has a name. s.mu is held.
func (s *shelf) keepers(name string) (of []*auth.Keeper) {
	for _, c := range s.all {
		for _, k := range c.keepers {
			if k.Name() == name {
				of = append(of, k)
			}
		}
	}
	return of
}

// leave takes a book's hold off its credentials, and gives those that no book
// has any more.
func (s *shelf) leave(b *Book) (left []*Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range b.known {
		c.books = slices.DeleteFunc(c.books, func(o *Book) bool { return o == b })
		if len(c.books) == 0 {
			left = append(left, c)
		}
	}
	return left
}

// drop forgets credentials that are closed.
func (s *shelf) drop(closed []*Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(c *Credential) bool { return slices.Contains(closed, c) })
}
