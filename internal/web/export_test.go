package web

import "net/http"

// Bound lowers how many bytes of a snapshot the client takes in.
func (c *Client) Bound(most int64) { c.most = most }

// Stream is GET /stream, less the server.
func Stream(live *Live, end <-chan struct{}) http.Handler {
	return stream{live, end, func(*http.Request) bool { return true }}
}

// Admin is what answers on the admin address.
func (s *Server) Admin() http.Handler { return s.admin() }

// What bounds sessions and wrong tokens.
const (
	SessionLife  = sessionLife
	MaxSessions  = maxSessions
	TriesOfOne   = triesOfOne
	AgainOfOne   = againOfOne
	TriesOfAll   = triesOfAll
	MaxAddresses = maxAddresses
)

// Addresses is how many addresses with wrong tokens are remembered.
func (s *Server) Addresses() int {
	s.tries.mu.Lock()
	defer s.tries.mu.Unlock()
	return len(s.tries.by)
}

// Operations are the routes of the API with the words of their queries.
func (s *Server) Operations() map[string][]string {
	all := map[string][]string{}
	for _, r := range s.routes() {
		all[r.pattern] = r.words
	}
	return all
}
