package poller

import (
	"net/http"
	"time"
)

// NewClientOver is a client over a transport of the test's own.
func NewClientOver(rt http.RoundTripper, o ClientOptions) *Client {
	c := NewClient(o)
	c.transport = rt
	return c
}

// RetryAfter is retryAfter, for its fuzz test.
func RetryAfter(value string, now time.Time) time.Duration { return retryAfter(value, now) }
