package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/deltahook/deltahook/emitter"
)

// Watches is who knows the watch keys of sources, and changes them. Its errors
// wrap those below.
type Watches interface {
	// Watched gives the keys of a source in their order.
	Watched(source string) ([]WatchKey, error)
	// WatchedKey gives one of them.
	WatchedKey(source, key string) (WatchKey, error)
	// Watch adds a key, and reports whether it was new. It returns when
	// that is durable.
	Watch(ctx context.Context, source, key string) (added bool, err error)
	// Unwatch removes a key that Watch added. It returns when that is
	// durable, and no poll of the key starts any more.
	Unwatch(ctx context.Context, source, key string) error
}

// WatchKey is a watch key as it is shown.
type WatchKey struct {
	Key     string   `json:"key"`
	From    []string `json:"from"`    // config, file, items, api
	Retired bool     `json:"retired"` // it is not polled any more
}

// watching is what concerns watch keys.
func (s *Server) watching() []route {
	if s.o.Watches == nil {
		return nil
	}
	h := watches{s.o.Watches}
	return []route{
		{"GET /api/v1/sources/{name}/watches", h.list, pageWords},
		{"POST /api/v1/sources/{name}/watches", h.bulk, nil},
		{"GET /api/v1/sources/{name}/watches/{key}", h.get, nil},
		{"PUT /api/v1/sources/{name}/watches/{key}", h.put, nil},
		{"DELETE /api/v1/sources/{name}/watches/{key}", h.remove, nil},
	}
}

type watches struct{ of Watches }

// watched is the answer of GET /api/v1/sources/{name}/watches.
type watched struct {
	Keys []WatchKey `json:"keys"`
	Next string     `json:"next,omitempty"` // the cursor of the next page; "": this is the last
}

func (h watches) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err := readLimit(q)
	if err != nil {
		failed(w, err)
		return
	}
	list := listOf("watches", r.PathValue("name"))
	after, err := list.after(q.Get("cursor"))
	if err != nil {
		failed(w, err)
		return
	}
	keys, err := h.of.Watched(r.PathValue("name"))
	if err != nil {
		failed(w, err)
		return
	}
	page, next := paged(keys, func(k WatchKey) string { return k.Key }, after, limit)
	answer(w, http.StatusOK, watched{page, list.cursor(next)})
}

func (h watches) get(w http.ResponseWriter, r *http.Request) {
	key, err := h.of.WatchedKey(r.PathValue("name"), r.PathValue("key"))
	give(w, key, err)
}

func (h watches) put(w http.ResponseWriter, r *http.Request) {
	added, err := h.of.Watch(r.Context(), r.PathValue("name"), r.PathValue("key"))
	switch {
	case err != nil:
		failed(w, err)
	case added:
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h watches) remove(w http.ResponseWriter, r *http.Request) {
	done(w, h.of.Unwatch(r.Context(), r.PathValue("name"), r.PathValue("key")))
}

// Watched gives the watch keys of a source, as the daemon has them.
func (c *Client) Watched(ctx context.Context, source string) ([]WatchKey, error) {
	var all []WatchKey
	for cursor := ""; ; {
		var list watched
		path := withWords(sourcePath(source)+"/watches", "cursor", cursor, "limit", limitWord(emitter.MaxPage))
		if err := c.read(ctx, path, &list); err != nil {
			return nil, fmt.Errorf("watch keys of %s: %w", source, err)
		}
		all = append(all, list.Keys...)
		if list.Next == "" || list.Next == cursor {
			return all, nil
		}
		cursor = list.Next
	}
}
