package web

import (
	"context"
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
		{"GET /api/v1/events", h.events, eventWords},
		{"GET /api/v1/events/{id}", h.event, nil},
		{"GET /api/v1/deliveries", h.deliveries, deliveryWords},
		{"GET /api/v1/deliveries/{number}", h.delivery, nil},
		{"GET /api/v1/deliveries/{number}/attempts", h.attempts, pageWords},
	}
}

func (h archive) events(w http.ResponseWriter, r *http.Request) {
	f, p, err := readList(r.URL.Query())
	if err != nil {
		failed(w, err)
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
	f, p, err := readList(r.URL.Query())
	if err != nil {
		failed(w, err)
		return
	}
	page, err := h.of.Deliveries(r.Context(), f, p)
	page.Deliveries = append([]emitter.DeliveryRecord{}, page.Deliveries...)
	give(w, page, err)
}

func (h archive) delivery(w http.ResponseWriter, r *http.Request) {
	number, err := readNumber(r)
	if err != nil {
		failed(w, err)
		return
	}
	d, err := h.of.Delivery(r.Context(), number)
	give(w, d, err)
}

func (h archive) attempts(w http.ResponseWriter, r *http.Request) {
	number, err := readNumber(r)
	if err != nil {
		failed(w, err)
		return
	}
	_, p, err := readList(r.URL.Query())
	if err != nil {
		failed(w, err)
		return
	}
	page, err := h.of.Attempts(r.Context(), number, p)
	page.Attempts = append([]emitter.AttemptRecord{}, page.Attempts...)
	give(w, page, err)
}

func readNumber(r *http.Request) (uint64, error) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("delivery %q: %w", r.PathValue("number"), ErrNotFound)
	}
	return number, nil
}

// The words of a list's query.
var (
	pageWords     = []string{"limit", "cursor"}
	eventWords    = append([]string{"source", "type", "key", "watch", "endpoint", "state", "since", "until"}, pageWords...)
	deliveryWords = append([]string{"event"}, eventWords...)
)

// readList reads a list's query.
func readList(q url.Values) (f emitter.Filter, p emitter.Page, err error) {
	f = emitter.Filter{
		Event: q.Get("event"), Type: q.Get("type"), Source: q.Get("source"), Watch: q.Get("watch"), Key: q.Get("key"),
		Endpoint: q.Get("endpoint"), State: emitter.State(q.Get("state")),
	}
	p = emitter.Page{Cursor: q.Get("cursor")}
	if states := emitter.States(); f.State != "" && !slices.Contains(states, f.State) {
		return f, p, invalid("state is %q: expected one of %v", f.State, states)
	}
	for word, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if *at, err = queryTime(q, word); err != nil {
			return f, p, err
		}
	}
	p.Limit, err = readLimit(q)
	return f, p, err
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
