package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// Replays is who tells again: see emitter.Replays.
type Replays interface {
	Start(ctx context.Context, order emitter.ReplayOrder) (emitter.ReplayJob, error)
	Job(ctx context.Context, id string) (emitter.ReplayJob, error)
	Jobs() []emitter.ReplayJob
	Stop(ctx context.Context, id string) (emitter.ReplayJob, error)
}

const (
	// maxOrder is how many bytes an order may have.
	maxOrder = 64 << 10
	// replayWait is how long a replay is waited for before it is answered for
	// that it runs.
	replayWait = 5 * time.Second
)

// replaying is what concerns replays.
func (s *Server) replaying() []route {
	if s.o.Replays == nil {
		return nil
	}
	h := replays{s.o.Replays}
	return []route{
		{"POST /api/v1/replay", h.start},
		{"GET /api/v1/replays", h.list},
		{"GET /api/v1/replays/{id}", h.get},
		{"DELETE /api/v1/replays/{id}", h.stop},
	}
}

type replays struct{ of Replays }

func (h replays) start(w http.ResponseWriter, r *http.Request) {
	order, err := readOrder(http.MaxBytesReader(w, r.Body, maxOrder))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	job, err := h.of.Start(r.Context(), order)
	if err != nil {
		refuseReplay(w, err)
		return
	}
	wait := replayWait
	if r.Header.Get("Prefer") == respondAsync {
		wait = 0
	}
	h.show(w, r, job.ID, wait)
}

// respondAsync asks not to wait for what was begun (RFC 7240, section 4.1).
const respondAsync = "respond-async"

// readOrder reads an order, and nothing behind it.
func readOrder(body io.Reader) (order emitter.ReplayOrder, err error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&order); err != nil {
		return order, fmt.Errorf("the body is not what is to be told again, as JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return order, errors.New("something follows the JSON in the body")
	}
	return order, nil
}

func refuseReplay(w http.ResponseWriter, err error) {
	_, faulty := errors.AsType[*emitter.OrderError](err)
	switch {
	case faulty:
		refuse(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, emitter.ErrTooManyReplays):
		refuse(w, http.StatusConflict, err.Error())
	case errors.Is(err, emitter.ErrUnknown):
		refuse(w, http.StatusNotFound, err.Error())
	default:
		refuse(w, http.StatusInternalServerError, err.Error())
	}
}

// show answers with a replay: 200 where it has ended, 202 where it still runs
// after wait.
func (h replays) show(w http.ResponseWriter, r *http.Request, id string, wait time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	job, err := h.of.Job(ctx, id)
	if err != nil {
		refuseReplay(w, err)
		return
	}
	status := http.StatusOK
	if job.State == emitter.ReplayRunning {
		status = http.StatusAccepted
		w.Header().Set("Location", "/api/v1/replays/"+id)
	}
	answer(w, status, job)
}

// ran is the answer of GET /api/v1/replays.
type ran struct {
	Replays []emitter.ReplayJob `json:"replays"`
}

func (h replays) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, ran{h.of.Jobs()})
}

func (h replays) get(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, r.PathValue("id"), replayWait)
}

func (h replays) stop(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), replayWait)
	defer cancel()
	job, err := h.of.Stop(ctx, r.PathValue("id"))
	if err != nil {
		refuseReplay(w, err)
		return
	}
	answer(w, http.StatusOK, job)
}

// StartReplay has the daemon tell something again, and does not wait for the
// end.
func (c *Client) StartReplay(ctx context.Context, order emitter.ReplayOrder) (job emitter.ReplayJob, err error) {
	body, err := json.Marshal(order)
	if err != nil {
		return job, err
	}
	resp, err := c.send(ctx, http.MethodPost, "/api/v1/replay", bytes.NewReader(body), "Prefer", respondAsync)
	if err != nil {
		return job, err
	}
	err = c.decode(resp, &job)
	return job, err
}

// Replay waits a few seconds for a replay to end, and gives how far it is.
func (c *Client) Replay(ctx context.Context, id string) (job emitter.ReplayJob, err error) {
	err = c.read(ctx, "/api/v1/replays/"+url.PathEscape(id), &job)
	return job, err
}

// StopReplay ends a replay.
func (c *Client) StopReplay(ctx context.Context, id string) (job emitter.ReplayJob, err error) {
	resp, err := c.do(ctx, http.MethodDelete, "/api/v1/replays/"+url.PathEscape(id))
	if err != nil {
		return job, err
	}
	err = c.decode(resp, &job)
	return job, err
}
