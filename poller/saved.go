package poller

import (
	"net/http"
	"time"
)

// Read judges a saved body as if it had just come with status 200 and no
// headers. The body may be changed by it. The error is always a *Failure.
func (s *Source) Read(body []byte) (*Answer, error) {
	answer := onePage()
	answer.Source, answer.Received = s.name, time.Now()
	answer.Status, answer.Header = http.StatusOK, map[string]string{}
	var err error
	if answer.Pages[0], err = s.judge.body(answer, body); err != nil {
		return nil, s.client.failure(err)
	}
	return answer, nil
}
