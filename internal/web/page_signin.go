package web

import "net/http"

// signinForm is what the sign-in page says.
type signinForm struct {
	Next string // a local path to go on to
}

// signinPage shows the form, and what was wrong with it before.
func (s *Server) signinPage(w http.ResponseWriter, status int, next, fault string) {
	s.pages.write(w, &view{page: "signin", bare: true, status: status, Title: "Sign in", Fault: fault, Data: signinForm{next}})
}
