package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

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

// holding adds what concerns held answers to mux, each route through guard.
func (s *Server) holding(mux *http.ServeMux, guard func(http.Handler) http.Handler) {
	if s.o.Holds == nil {
		return
	}
	h := holds{s.o.Holds}
	mux.Handle("GET /api/v1/holds", guard(http.HandlerFunc(h.list)))
	mux.Handle("POST /api/v1/sources/{name}/release", guard(http.HandlerFunc(h.release)))
	mux.Handle("POST /api/v1/sources/{name}/discard", guard(http.HandlerFunc(h.discard)))
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
	state := differ.Released
	if text := r.URL.Query().Get("silently"); text != "" {
		silently, err := strconv.ParseBool(text)
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("silently is %q: expected true or false", text))
			return
		}
		if silently {
			state = differ.ReleasedSilently
		}
	}
	h.decide(w, r, state)
}

func (h holds) discard(w http.ResponseWriter, r *http.Request) { h.decide(w, r, differ.Discarded) }

func (h holds) decide(w http.ResponseWriter, r *http.Request, state differ.HoldState) {
	err := h.of.Decide(r.Context(), r.PathValue("name"), r.URL.Query().Get("watch"), state)
	switch {
	case errors.Is(err, ErrNotFound):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusInternalServerError, err.Error())
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// Holds asks the daemon for the answers that are held.
func (c *Client) Holds(ctx context.Context) ([]differ.HeldUnit, error) {
	resp, err := c.get(ctx, "/api/v1/holds")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, expectOK(resp, nil)
	}
	defer resp.Body.Close()
	var list held
	if err := json.NewDecoder(&bounded{r: resp.Body, most: c.most}).Decode(&list); err != nil {
		return nil, fmt.Errorf("what is held: %w", err)
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
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/sources/"+url.PathEscape(source)+"/"+action+"?"+query.Encode())
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNoContent {
		return resp.Body.Close()
	}
	return expectOK(resp, nil)
}
