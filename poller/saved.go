package poller

import (
	"net/http"
	"time"
)

// Read judges a saved body as if it had just come with status 200 and no
// headers. The body may be changed by it. The error is always a *Failure.
func (s *Source) Read(body []byte) (*Answer, error) {
	answer := &Answer{Source: s.name, Received: time.Now(), Status: http.StatusOK, Header: map[string]string{}}
	var err error
	if answer.Body, err = s.judge.body(answer, body); err != nil {
		return nil, s.client.failure(err)
	}
	return answer, nil
}
