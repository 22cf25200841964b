package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/deltahook/deltahook/differ"
)

// Holds is who knows which answers are held, and what a person decides about
// them. Its errors wrap ErrNotFound where nothing is held.
type Holds interface {
	// Holds are those there are, by source and watch key.
	Holds() []differ.HeldUnit
	// Decide stores a decision, and returns when it is durable. It takes
	// effect with the next answer, which is asked for at once.
	Decide(ctx context.Context, source, watch string, state differ.HoldState) error
}

// holding is what concerns held answers.
func (s *Server) holding() []route {
	if s.o.Holds == nil {
		return nil
	}
	h := holds{s.o.Holds}
	return []route{
		{"GET /api/v1/holds", h.list, nil},
		{"POST /api/v1/sources/{name}/release", h.release, []string{"watch", "silently"}},
		{"POST /api/v1/sources/{name}/discard", h.discard, []string{"watch"}},
	}
}

type holds struct{ of Holds }

func (h holds) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, held{h.of.Holds()})
}

// held is the answer of GET /api/v1/holds.
type held struct {
	Holds []differ.HeldUnit `json:"holds"`
}

func (h holds) release(w http.ResponseWriter, r *http.Request) {
	silently, err := readBool(r.URL.Query(), "silently")
	if err != nil {
		failed(w, err)
		return
	}
	state := differ.Released
	if silently {
		state = differ.ReleasedSilently
	}
	h.decide(w, r, state)
}

func (h holds) discard(w http.ResponseWriter, r *http.Request) { h.decide(w, r, differ.Discarded) }

func (h holds) decide(w http.ResponseWriter, r *http.Request, state differ.HoldState) {
	done(w, h.of.Decide(r.Context(), r.PathValue("name"), r.URL.Query().Get("watch"), state))
}

// Holds asks the daemon for the answers that are held.
func (c *Client) Holds(ctx context.Context) ([]differ.HeldUnit, error) {
	var list held
	if err := c.read(ctx, "/api/v1/holds", &list); err != nil {
		return nil, err
	}
	return list.Holds, nil
}

// Decide has the daemon store a decision about what is held of a source.
func (c *Client) Decide(ctx context.Context, source, watch string, state differ.HoldState) error {
	action, query := "release", url.Values{}
	switch state {
	case differ.Discarded:
		action = "discard"
	case differ.ReleasedSilently:
		query.Set("silently", "true")
	}
	if watch != "" {
		query.Set("watch", watch)
	}
	return c.post(ctx, "/api/v1/sources/"+url.PathEscape(source)+"/"+action+"?"+query.Encode())
}
