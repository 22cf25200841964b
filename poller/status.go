package poller

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/retryafter"
)

// meaning is what a status says of an answer; the zero value leaves it to
// judgeStatus.
type meaning string

const (
	meansOK    meaning = "ok"    // the body is the answer
	meansEmpty meaning = "empty" // there are no items
	meansError meaning = "error" // the poll failed
	meansReset meaning = "reset" // what is remembered is of no use any more
)

// compileStatus reads `response.status`.
func compileStatus(r fault.Report, status map[string]string) map[int]meaning {
	meanings := make(map[int]meaning, len(status))
	for _, key := range slices.Sorted(maps.Keys(status)) {
		code, err := strconv.Atoi(key)
		if err != nil || len(key) != 3 || code < 100 || code > 599 {
			r.At(key).Errorf("%q is not a status from 100 to 599", key)
			continue
		}
		r.At(key).OneOf(status[key], string(meansOK), string(meansEmpty), string(meansError), string(meansReset))
		meanings[code] = meaning(status[key])
	}
	return meanings
}

// status is what the settings or, where they are silent, HTTP says of a
// status: never meansError, which is the error.
func (j *judge) status(resp *http.Response, now time.Time) (meaning, error) {
	switch m := j.statuses[resp.StatusCode]; m {
	case "":
		return meansOK, judgeStatus(resp, now)
	case meansError:
		return "", statusFailure(resp, now)
	default:
		return m, nil
	}
}

// judgeStatus decides by the status alone. 206 is a part of an answer, though
// none was asked for.
func judgeStatus(resp *http.Response, now time.Time) error {
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified:
		return Failf(ClassStatus, "%s, though the request had no validators", status(resp))
	case code == http.StatusNoContent, code == http.StatusResetContent:
		return Failf(ClassFormat, "%s: an answer without a body, where JSON was expected", status(resp))
	case code == http.StatusPartialContent, code < 200, code > 299:
		return statusFailure(resp, now)
	}
	return nil
}

func statusFailure(resp *http.Response, now time.Time) *Failure {
	f := Failf(ClassStatus, "%s", status(resp))
	f.After, _ = retryafter.Parse(resp.Header.Get("Retry-After"), now)
	return f
}

// nothing is the answer that a status without items is. It has no validators:
// a 304 could stand for it only if its own body had counted.
func (s *Source) nothing(resp *http.Response, m meaning) *Answer {
	return &Answer{
		Source:   s.name,
		Received: time.Now(),
		Reset:    m == meansReset,
		Status:   resp.StatusCode,
		Header:   flatten(resp.Header),
	}
}
