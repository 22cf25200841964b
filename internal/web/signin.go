package web

import (
	"html/template"
	"net/http"
)

// signinForm asks for the token. Nothing in it needs a script or a style.
var signinForm = template.Must(template.New("signin").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in · Deltahook</title>
<h1>Deltahook</h1>
{{with .Fault}}<p role="alert">{{.}}</p>
{{end}}<form method="post" action="/signin">
<input type="hidden" name="next" value="{{.Next}}">
<p><label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<p><button>Sign in</button>
</form>
`))

// signinPage shows the form, and what was wrong with it before. next is a
// local path to go on to.
func (s *Server) signinPage(w http.ResponseWriter, status int, next, fault string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_ = signinForm.Execute(w, struct{ Next, Fault string }{next, fault}) // the client may be gone
}
