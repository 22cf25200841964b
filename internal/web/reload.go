package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/secret"
)

// reloadTimeout bounds how long a reload is waited for. It goes on without who
// asked.
const reloadTimeout = writeTimeout

// Reloader has the configuration read anew.
type Reloader interface {
	// Reload returns when the configuration that is there now runs, and says
	// what became another by that. A *Faulty: nothing did.
	Reload(ctx context.Context) (Reloaded, error)
}

// Reloaded is what a reload changed. All names are sorted.
type Reloaded struct {
	Sources   Reconfigured      `json:"sources"`
	Endpoints Reconfigured      `json:"endpoints"`
	Renamed   map[string]string `json:"renamed,omitempty"` // the former names of sources, by those that they have now
	Warnings  []string          `json:"warnings"`          // FILE:LINE:COLUMN: setting: what is odd
}

// Reconfigured are the names of what came, what went, and what has other
// settings.
type Reconfigured struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// Named are names of one kind to which the same was done.
type Named struct {
	Kind  string // source or endpoint
	Did   string // renamed, added, removed or changed
	Names []string
}

// Named is what was changed, as a person reads it: a source that has another
// name now neither came nor went, and is "packages → boxes" among the renamed.
// Nothing is in it that has no names.
func (r *Reloaded) Named() (all []Named) {
	was := slices.Collect(maps.Values(r.Renamed))
	var renamed []string
	for _, name := range slices.Sorted(maps.Keys(r.Renamed)) {
		renamed = append(renamed, r.Renamed[name]+" → "+name)
	}
	less := func(names []string, drop func(string) bool) []string {
		return slices.DeleteFunc(slices.Clone(names), drop)
	}
	for _, n := range []Named{
		{"source", "renamed", renamed},
		{"source", "added", less(r.Sources.Added, func(name string) bool { return r.Renamed[name] != "" })},
		{"source", "removed", less(r.Sources.Removed, func(name string) bool { return slices.Contains(was, name) })},
		{"source", "changed", r.Sources.Changed},
		{"endpoint", "added", r.Endpoints.Added},
		{"endpoint", "removed", r.Endpoints.Removed},
		{"endpoint", "changed", r.Endpoints.Changed},
	} {
		if len(n.Names) > 0 {
			all = append(all, n)
		}
	}
	return all
}

// Told is what was changed, as sentences.
func (r *Reload) Told() (told []string) {
	if r.Changed == nil {
		return nil
	}
	for _, n := range r.Changed.Named() {
		told = append(told, count(len(n.Names), n.Kind)+" "+n.Did+": "+clipped(strings.Join(n.Names, ", "), maxTitle))
	}
	if told == nil {
		told = []string{"no source or endpoint was another"}
	}
	return told
}

// Faulty is a configuration with which nothing was done.
type Faulty struct {
	Faults []string // FILE:LINE:COLUMN: setting: what is wrong
}

// Error is one fault a line.
func (f *Faulty) Error() string { return strings.Join(f.Faults, "\n") }

func (s *Server) reloading() []route {
	if s.o.Reloader == nil {
		return nil
	}
	return []route{{"POST /api/v1/reload", s.reload, nil}}
}

// reload answers POST /api/v1/reload.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	allow(w, 2*reloadTimeout) // to wait so long, and to say so
	ctx, cancel := context.WithTimeout(r.Context(), reloadTimeout)
	defer cancel()
	done, err := s.o.Reloader.Reload(ctx)
	if faulty, ok := errors.AsType[*Faulty](err); ok {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		encode(w, faultyProblem{problem{
			http.StatusText(http.StatusUnprocessableEntity), http.StatusUnprocessableEntity,
			"the configuration is faulty: the one before runs on",
		}, faulty.Faults})
		return
	}
	give(w, done, err)
}

// faultyProblem is a problem with all that is wrong.
type faultyProblem struct {
	problem
	Faults []string `json:"faults"`
}

// Reload has the daemon read its configuration anew, and says what became
// another by that. A *Faulty: nothing did.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/reload")
	if err != nil {
		return Reloaded{}, err
	}
	var done Reloaded
	if resp.StatusCode != http.StatusUnprocessableEntity {
		err := c.decode(resp, &done)
		return done, err
	}
	defer resp.Body.Close()
	var p faultyProblem
	if err := json.NewDecoder(&bounded{r: resp.Body, most: c.most}).Decode(&p); err != nil {
		return done, fmt.Errorf("the daemon's answer: %w", err)
	}
	return done, &Faulty{p.Faults}
}

// SetToken has another token asked for. It signs everybody out who showed the
// one before.
func (s *Server) SetToken(t secret.Text) {
	if before := s.token.Swap(&t); before.Reveal() != t.Reveal() {
		s.sessions.endAll()
	}
}

// open reports whether no token is asked for.
func (s *Server) open() bool { return s.token.Load().IsZero() }
