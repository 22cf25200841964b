package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
		{"POST /api/v1/replay", h.start, nil},
		{"GET /api/v1/replays", h.list, nil},
		{"GET /api/v1/replays/{id}", h.get, nil},
		{"DELETE /api/v1/replays/{id}", h.stop, nil},
	}
}

type replays struct{ of Replays }

func (h replays) start(w http.ResponseWriter, r *http.Request) {
	var order emitter.ReplayOrder
	if err := readJSON(w, r, maxOrder, &order); err != nil {
		failed(w, err)
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

func refuseReplay(w http.ResponseWriter, err error) {
	if _, faulty := errors.AsType[*emitter.OrderError](err); faulty {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	failed(w, err)
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
