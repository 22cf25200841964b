package web

import (
	"encoding/json"
	"net/http"
)

// problem is an error as RFC 9457 writes it. The type is left out, which means
// about:blank: the status says what kind of problem it is.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// refuse answers with a problem. The detail is shown to whoever asked.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(status), status, detail})
}
