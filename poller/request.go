package poller

import (
	"net/http"

	"github.com/deltahook/deltahook/internal/request"
)

// requests is a RequestSettings, compiled: it makes the source's requests.
type requests struct {
	*request.Template
	bound bool  // it shows who asks, so it is for one host only
	fixed *wire // where there is no expression in it; nil: made anew for each poll
}

// wire makes the request as it is sent. The result is shared where nothing in
// it varies: nobody may change it. vars are the values of the names that its
// expressions may use.
func (q *requests) wire(base http.Header, judging string, vars map[string]any) (*wire, error) {
	if q.fixed != nil {
		return q.fixed, nil
	}
	return q.make(base, judging, vars)
}

// fix makes the request once and for all where nothing in it varies.
func (q *requests) fix(base http.Header, judging string) (err error) {
	if q.Constant() {
		q.fixed, err = q.make(base, judging, nil)
	}
	return err
}

func (q *requests) make(base http.Header, judging string, vars map[string]any) (*wire, error) {
	made, err := q.Make(base, vars)
	if err != nil {
		return nil, err
	}
	w := &wire{method: made.Method, url: made.URL, header: made.Header, base: base, host: made.Host, body: made.Body}
	if q.bound {
		w.home = request.Origin(w.url)
	}
	w.secrets = queryCredentials(w.url.RawQuery)
	w.fingerprint = w.digest(judging)
	return w, nil
}
