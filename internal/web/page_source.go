package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// Rows of a source's page.
const (
	itemRows  = 50
	watchRows = 50
)

// sourcePage is one source.
type sourcePage struct {
	SourceState
	Fan       bool // it has watch keys
	Watch     string
	HasEvents bool
	Events    []emitter.EventRecord
	Older     bool // there are older ones, or there may be

	Q                 string // what items are searched for
	List              []differ.Item
	ListNext          string
	ListFault         string
	Damaged           int
	W                 string // what watch keys are searched for
	Keys              []WatchKey
	KeysAll, KeysHere int
	KeysNext          string
}

func (p *pages) source(r *http.Request) (*view, error) {
	name, q := r.PathValue("name"), r.URL.Query()
	state, err := p.Sources.Source(name)
	if err != nil {
		return nil, err
	}
	s := &sourcePage{SourceState: state, Watch: q.Get("watch"), Q: q.Get("q"), W: q.Get("w"), HasEvents: p.Archive != nil}
	if err := p.sourceKeys(s, q.Get("after_key")); err != nil {
		return nil, err
	}
	if !s.Fan || s.Watch != "" {
		p.sourceItems(r.Context(), s, q.Get("after"))
	}
	if p.Archive != nil {
		page, err := p.Archive.Events(r.Context(), emitter.Filter{Source: name, Watch: s.Watch}, emitter.Page{Limit: eventRows})
		if err != nil {
			return nil, err
		}
		s.Events, s.Older = page.Events, page.Next != ""
	}
	gist := fmt.Sprintf("%s: %s, %s", name, s.State, count(s.Items, "item"))
	if s.Error != "" {
		gist += ", " + clipped(s.Error, maxShown)
	}
	return &view{page: "source", Title: name, Nav: "overview", Topics: []string{"sources/" + name, "config"}, Gist: gist, Data: s}, nil
}

// sourceItems reads a page of its items.
func (p *pages) sourceItems(ctx context.Context, s *sourcePage, after string) {
	page, err := p.Sources.Items(ctx, s.Name, s.Watch, differ.ItemFilter{Contains: s.Q, After: after, Limit: itemRows})
	if err != nil {
		s.ListFault = err.Error()
		return
	}
	s.List, s.Damaged = page.Items, page.Damaged
	if page.Next != "" {
		s.ListNext = query(sourceURL(s.Name), "watch", s.Watch, "q", s.Q, "after", page.Next) + "#items"
	}
}

// sourceKeys reads a page of its watch keys, if it has any.
func (p *pages) sourceKeys(s *sourcePage, after string) error {
	if p.Watches == nil {
		return nil
	}
	keys, err := p.Watches.Watched(s.Name)
	if errors.Is(err, ErrNotFound) {
		return nil // it is polled without
	}
	if err != nil {
		return err
	}
	s.Fan, s.KeysAll = true, len(keys)
	if s.W != "" {
		keys = slices.DeleteFunc(slices.Clone(keys), func(k WatchKey) bool { return !strings.Contains(strings.ToLower(k.Key), strings.ToLower(s.W)) })
	}
	s.KeysHere = len(keys)
	from := 0
	if after != "" {
		from = slices.IndexFunc(keys, func(k WatchKey) bool { return k.Key == after }) + 1
	}
	s.Keys = keys[from:min(from+watchRows, len(keys))]
	if from+watchRows < len(keys) {
		s.KeysNext = query(sourceURL(s.Name), "w", s.W, "after_key", s.Keys[watchRows-1].Key) + "#keys"
	}
	return nil
}

// Removable says whether a watch key can be removed here.
func (k WatchKey) Removable() bool { return slices.Contains(k.From, "api") }

func (p *pages) poll(r *http.Request) (string, error) {
	name, watch := r.PathValue("name"), r.PostFormValue("watch")
	err := p.Sources.Poll(r.Context(), name, watch)
	if errors.Is(err, ErrConflict) {
		refusal := faulty(err)
		refusal.Data = watchURL(name, watch)
		return "", &instead{refusal}
	}
	return did(watchURL(name, watch), "poll"), err
}

func (p *pages) decide(r *http.Request) (string, error) {
	state := differ.HoldState(r.PostFormValue("state"))
	if !slices.Contains([]differ.HoldState{differ.Released, differ.ReleasedSilently, differ.Discarded}, state) {
		return "", fmt.Errorf("a hold that is to be %q: %w", clipped(string(state), maxShown), ErrInvalid)
	}
	name := r.PathValue("name")
	return did(sourceURL(name), string(state)), p.Holds.Decide(r.Context(), name, r.PostFormValue("watch"), state)
}

func (p *pages) watch(r *http.Request) (string, error) {
	name := r.PathValue("name")
	_, err := p.Watches.Watch(r.Context(), name, strings.TrimSpace(r.PostFormValue("key")))
	return did(sourceURL(name), "watch"), err
}

func (p *pages) unwatch(r *http.Request) (string, error) {
	name := r.PathValue("name")
	return did(sourceURL(name), "unwatch"), p.Watches.Unwatch(r.Context(), name, r.PostFormValue("key"))
}
