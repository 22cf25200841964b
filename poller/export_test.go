package poller

import (
	"net/http"

	"github.com/deltahook/deltahook/internal/request"
)

// NewClientOver is a client over a transport of the test's own.
func NewClientOver(rt http.RoundTripper, o ClientOptions) *Client {
	c := NewClient(o)
	c.transport = rt
	return c
}

// Parsers, for fuzzing.
var (
	NextOf   = nextOf
	SetQuery = request.SetQuery
	SetJSON  = setJSON
)

// Earlier is what an overlap makes of a cursor.
var Earlier = earlier
