package web

import (
	"net/http"
	"slices"
)

// route is one operation of the API: a pattern of http.ServeMux, what answers,
// and which words its query may have.
type route struct {
	pattern string
	serve   http.HandlerFunc
	words   []string // of its query
}

// routes are the operations that both sides have.
func (s *Server) routes() []route {
	return slices.Concat(s.describing(),
		s.telling(), s.copying(), s.reloading(), s.polling(), s.watching(), s.holding(), s.steering(), s.archiving(), s.replaying())
}

// takesBody reports whether an operation reads a body, as openapi.yaml says.
func takesBody(pattern string) bool {
	switch pattern {
	case "POST /api/v1/replay", "POST /api/v1/sources/{name}/watches":
		return true
	}
	return false
}

// api answers below /api. What is no operation gets a problem too.
func api(routes []route) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			err := checkWords(req.URL.Query(), r.words...)
			if err == nil && !takesBody(r.pattern) {
				err = checkNoBody(w, req, r.words...)
			}
			if err != nil {
				failed(w, err)
				return
			}
			r.serve(w, req)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var told verdict
		h.ServeHTTP(&told, r)
		if told.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", told.Header().Get("Allow"))
			refuse(w, told.status, r.Method+" is not possible here: expected "+told.Header().Get("Allow"))
			return
		}
		refuse(w, http.StatusNotFound, noPath)
	})
}

// verdict takes what a ServeMux says of a request that it has no handler for.
type verdict struct {
	header http.Header
	status int
}

// Header is the answer's.
func (v *verdict) Header() http.Header {
	if v.header == nil {
		v.header = make(http.Header)
	}
	return v.header
}

// WriteHeader takes the status.
func (v *verdict) WriteHeader(status int) { v.status = status }

// Write drops the words.
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }
