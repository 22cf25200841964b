package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/emitter"
)

// Bounds of the pages of events.
const (
	listRows    = 50
	shownSends  = 20 // deliveries of one event whose attempts and payloads are shown
	attemptRows = 20 // of each, the last ones
)

// eventPages adds what shows what was told, and tells it again.
func (p *pages) eventPages(shown map[string]shower, deeds map[string]doer) {
	if p.Archive == nil {
		return
	}
	shown["/events"] = p.events
	shown["/events/{id}"] = p.event
	shown["/dead"] = p.dead
	if p.Replays != nil {
		deeds["/events/{id}/replay"] = p.replayEvent
		deeds["/dead/replay"] = p.replaySelected
		deeds["/dead/all"] = p.replayAll
		deeds["/replays/{id}/stop"] = p.stopReplay
	}
}

// eventsPage is a list of events.
type eventsPage struct {
	filter
	Events []emitter.EventRecord
	Rest   emitter.Rest
	Older  string // addresses of further pages; "": there are none
	Newest string
	Fault  string
}

func (p *pages) events(r *http.Request) (*view, error) {
	e := &eventsPage{filter: readFilter(r.URL.Query())}
	v := &view{page: "events", Title: "Events", Nav: "events", Topics: []string{"events"}, Data: e}
	find, err := e.find()
	if err != nil {
		return v.refused(err)
	}
	cursor := r.URL.Query().Get("cursor")
	page, err := p.Archive.Events(r.Context(), find, emitter.Page{Cursor: cursor, Limit: listRows})
	if err != nil {
		return nil, err
	}
	e.Events, e.Rest = page.Events, page.Rest
	if page.Next != "" {
		e.Older = e.Address("/events", page.Next)
	}
	if cursor != "" {
		e.Newest, v.Topics = e.Address("/events", ""), nil // what is old does not move
	} else if len(e.Events) > 0 {
		v.Gist = "last event: " + clipped(e.Events[0].Type+" "+e.Events[0].Key, maxShown)
	}
	return v, nil
}

// eventPage is one event.
type eventPage struct {
	emitter.EventRecord
	Sends     []sent
	CanReplay bool
}

// sent is a delivery with what came of it.
type sent struct {
	emitter.DeliveryRecord
	Tries []emitter.AttemptRecord // the last one first
	More  bool                    // there are older ones
}

func (p *pages) event(r *http.Request) (*view, error) {
	record, err := p.Archive.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	e := &eventPage{EventRecord: record, CanReplay: p.Replays != nil}
	gist := []string{record.Type}
	for i, d := range record.Deliveries {
		s := sent{DeliveryRecord: d}
		if i >= shownSends {
			s.Payload = nil
		}
		if i < shownSends && d.Recorded() {
			s.Tries, s.More, err = p.attempts(r.Context(), d.Number, attemptRows)
			if err != nil {
				return nil, err
			}
		}
		e.Sends = append(e.Sends, s)
		gist = append(gist, d.Endpoint+": "+string(d.State))
	}
	return &view{page: "event", Title: record.Type, Nav: "events", Topics: []string{"events"}, Gist: strings.Join(gist, ", "), Data: e}, nil
}

func (p *pages) attempts(ctx context.Context, delivery uint64, n int) (tries []emitter.AttemptRecord, more bool, err error) {
	page, err := p.Archive.Attempts(ctx, delivery, emitter.Page{Limit: n})
	return page.Attempts, page.Next != "", err
}

func (p *pages) replayEvent(r *http.Request) (string, error) {
	id := r.PathValue("id")
	job, err := p.replay(r.Context(), emitter.ReplayOrder{Event: id, Endpoint: r.PostFormValue("endpoint")})
	return didReplay("/events/"+url.PathEscape(id), job.Replayed.Replayed), err
}

// replay tells something again, and waits a little for the end.
func (p *pages) replay(ctx context.Context, order emitter.ReplayOrder) (emitter.ReplayJob, error) {
	job, err := p.Replays.Start(ctx, order)
	if err != nil {
		return job, err
	}
	ctx, cancel := context.WithTimeout(ctx, replayWait)
	defer cancel()
	return p.Replays.Job(ctx, job.ID)
}

func didReplay(to string, n int) string { return did(to, "replay") + "&n=" + strconv.Itoa(n) }

// Waits says whether any delivery of the event does, which is then not put back.
func (e *eventPage) Waits() bool {
	return slices.ContainsFunc(e.Sends, func(s sent) bool { return s.State == emitter.Waiting })
}
