package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Bounds of a stream.
const (
	streamPace   = time.Second      // between two events, at least
	streamBeat   = 15 * time.Second // between two signs of life, at most
	streamWrite  = 10 * time.Second // for a page to take one
	streamLength = 10 * time.Minute // after which the page must ask anew, and show again that it may
	streamRetry  = 3 * time.Second  // after which it does
	maxTopics    = 8
)

// stream is GET /stream?topic=…: server-sent events that say which of the
// topics moved. What moved, a page asks for.
type stream struct {
	live   *Live
	end    <-chan struct{}          // closed when the server ends
	admits func(*http.Request) bool // whether it may still be told
}

// ServeHTTP tells a page what moves until it goes, its time is over or the
// server ends.
func (s stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return // there is nothing to be told
	}
	topics := r.URL.Query()["topic"]
	if len(topics) == 0 || len(topics) > maxTopics || slices.Contains(topics, "") || strings.ContainsAny(strings.Join(topics, ""), "\r\n") {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("topic: expected 1 to %d of them", maxTopics))
		return
	}
	me := s.live.join(topics)
	if me == nil {
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are told live already; others read on a timer", maxViewers))
		return
	}
	defer s.live.leave(me)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would gather it
	out := teller{w, http.NewResponseController(w)}
	// A request's time to be read would end it: net/http reads on, to see the
	// page go.
	if out.control.SetReadDeadline(time.Time{}) != nil || out.tell("retry: %d\n\n", streamRetry.Milliseconds()) != nil {
		return
	}
	s.tell(r, me, out)
}

func (s stream) tell(r *http.Request, me *viewer, out teller) {
	over := time.NewTimer(streamLength)
	defer over.Stop()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	var pause <-chan time.Time
	wake := me.wake
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-s.end:
			return
		case <-over.C:
			return
		case <-beat.C:
			if !s.admits(r) {
				return
			}
			err = out.tell(": still here\n\n")
		case <-pause:
			wake, pause = me.wake, nil
		case <-wake:
			wake, pause = nil, time.After(streamPace)
			if !s.admits(r) {
				return
			}
			if moved := s.live.take(me); len(moved) > 0 {
				err = out.tell("event: moved\ndata: %s\n\n", strings.Join(moved, " "))
			}
		}
		if err != nil {
			return
		}
	}
}

// teller writes to a page that may not read.
type teller struct {
	io.Writer
	control *http.ResponseController
}

func (t teller) tell(format string, args ...any) error {
	if err := t.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(t, format, args...); err != nil {
		return err
	}
	return t.control.Flush()
}
