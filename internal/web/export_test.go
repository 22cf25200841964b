package web

import "net/http"

// Bound lowers how many bytes of a snapshot the client takes in.
func (c *Client) Bound(most int64) { c.most = most }

// Stream is GET /stream, less the server.
func Stream(live *Live, end <-chan struct{}) http.Handler { return stream{live, end} }
