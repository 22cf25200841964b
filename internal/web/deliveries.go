package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Archive is who knows what was told: see emitter.Archive.
type Archive interface {
	Events(ctx context.Context, f emitter.Filter, p emitter.Page) (emitter.EventPage, error)
	Event(ctx context.Context, id string) (emitter.EventRecord, error)
	Deliveries(ctx context.Context, f emitter.Filter, p emitter.Page) (emitter.DeliveryPage, error)
	Delivery(ctx context.Context, number uint64) (emitter.DeliveryRecord, error)
	Attempts(ctx context.Context, number uint64, p emitter.Page) (emitter.AttemptPage, error)
}

// archive answers what concerns events and deliveries.
type archive struct{ of Archive }

// archiving is what concerns events and deliveries.
func (s *Server) archiving() []route {
	if s.o.Archive == nil {
		return nil
	}
	h := archive{s.o.Archive}
	return []route{
		{"GET /api/v1/events", h.events},
		{"GET /api/v1/events/{id}", h.event},
		{"GET /api/v1/deliveries", h.deliveries},
		{"GET /api/v1/deliveries/{number}", h.delivery},
		{"GET /api/v1/deliveries/{number}/attempts", h.attempts},
	}
}

func (h archive) events(w http.ResponseWriter, r *http.Request) {
	f, p, err := readList(r.URL.Query(), eventWords)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := h.of.Events(r.Context(), f, p)
	page.Events = append([]emitter.EventRecord{}, page.Events...) // a list, if an empty one
	give(w, page, err)
}

func (h archive) event(w http.ResponseWriter, r *http.Request) {
	e, err := h.of.Event(r.Context(), r.PathValue("id"))
	give(w, e, err)
}

func (h archive) deliveries(w http.ResponseWriter, r *http.Request) {
	f, p, err := readList(r.URL.Query(), deliveryWords)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := h.of.Deliveries(r.Context(), f, p)
	page.Deliveries = append([]emitter.DeliveryRecord{}, page.Deliveries...)
	give(w, page, err)
}

func (h archive) delivery(w http.ResponseWriter, r *http.Request) {
	number, err := readNumber(r)
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	d, err := h.of.Delivery(r.Context(), number)
	give(w, d, err)
}

func (h archive) attempts(w http.ResponseWriter, r *http.Request) {
	number, err := readNumber(r)
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	_, p, err := readList(r.URL.Query(), pageWords)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	page, err := h.of.Attempts(r.Context(), number, p)
	page.Attempts = append([]emitter.AttemptRecord{}, page.Attempts...)
	give(w, page, err)
}

func readNumber(r *http.Request) (uint64, error) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not the number of a delivery", r.PathValue("number"))
	}
	return number, nil
}

// give answers with what was found, or with why it wasn't.
func give(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, emitter.ErrUnknown):
		refuse(w, http.StatusNotFound, err.Error())
	case errors.Is(err, emitter.ErrBadCursor):
		refuse(w, http.StatusBadRequest, err.Error())
	case err != nil:
		refuse(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, http.StatusOK, v)
	}
}

// The words of a list's query.
var (
	pageWords     = []string{"limit", "cursor"}
	eventWords    = append([]string{"source", "type", "key", "watch", "endpoint", "state", "since", "until"}, pageWords...)
	deliveryWords = append([]string{"event"}, eventWords...)
)

// readList reads a list's query. A word that is not of it is refused: it would
// be a filter that filters nothing.
func readList(q url.Values, words []string) (f emitter.Filter, p emitter.Page, err error) {
	for word, values := range q {
		if !slices.Contains(words, word) {
			return f, p, fmt.Errorf("%s is not a word of this query: expected one of %v", word, words)
		}
		if len(values) != 1 || values[0] == "" {
			return f, p, fmt.Errorf("%s is empty, or stands twice", word)
		}
	}
	f = emitter.Filter{
		Event: q.Get("event"), Type: q.Get("type"), Source: q.Get("source"), Watch: q.Get("watch"), Key: q.Get("key"),
		Endpoint: q.Get("endpoint"), State: emitter.State(q.Get("state")),
	}
	p = emitter.Page{Cursor: q.Get("cursor")}
	if states := emitter.States(); f.State != "" && !slices.Contains(states, f.State) {
		return f, p, fmt.Errorf("state is %q: expected one of %v", f.State, states)
	}
	for word, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := q.Get(word); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return f, p, fmt.Errorf("%s is %q: expected a time such as 2026-11-23T10:00:00Z", word, text)
			}
		}
	}
	if text := q.Get("limit"); text != "" {
		if p.Limit, err = strconv.Atoi(text); err != nil || p.Limit < 1 || p.Limit > emitter.MaxPage {
			return f, p, fmt.Errorf("limit is %q: expected 1 to %d", text, emitter.MaxPage)
		}
	}
	return f, p, nil
}

// writeList is the reverse of readList.
func writeList(f emitter.Filter, p emitter.Page) string {
	q := url.Values{}
	set := func(word, value string) {
		if value != "" {
			q.Set(word, value)
		}
	}
	set("event", f.Event)
	set("type", f.Type)
	set("source", f.Source)
	set("watch", f.Watch)
	set("key", f.Key)
	set("endpoint", f.Endpoint)
	set("state", string(f.State))
	set("cursor", p.Cursor)
	for word, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			q.Set(word, at.Format(time.RFC3339Nano))
		}
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Size()))
	}
	return "?" + q.Encode()
}

// Events asks the daemon for a page of events.
func (c *Client) Events(ctx context.Context, f emitter.Filter, p emitter.Page) (page emitter.EventPage, err error) {
	err = c.read(ctx, "/api/v1/events"+writeList(f, p), &page)
	return page, err
}

// Event asks the daemon for one event.
func (c *Client) Event(ctx context.Context, id string) (e emitter.EventRecord, err error) {
	err = c.read(ctx, "/api/v1/events/"+url.PathEscape(id), &e)
	return e, err
}

// Deliveries asks the daemon for a page of deliveries.
func (c *Client) Deliveries(ctx context.Context, f emitter.Filter, p emitter.Page) (page emitter.DeliveryPage, err error) {
	err = c.read(ctx, "/api/v1/deliveries"+writeList(f, p), &page)
	return page, err
}

// Delivery asks the daemon for one delivery.
func (c *Client) Delivery(ctx context.Context, number uint64) (d emitter.DeliveryRecord, err error) {
	err = c.read(ctx, fmt.Sprintf("/api/v1/deliveries/%d", number), &d)
	return d, err
}

// Attempts asks the daemon for a page of a delivery's attempts.
func (c *Client) Attempts(ctx context.Context, number uint64, p emitter.Page) (page emitter.AttemptPage, err error) {
	err = c.read(ctx, fmt.Sprintf("/api/v1/deliveries/%d/attempts", number)+writeList(emitter.Filter{}, p), &page)
	return page, err
}
