package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

//go:embed pages
var pageFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// policy is what a page may do: show what this address gives, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxDeed is how many bytes a form may have that has something done.
const maxDeed = 64 << 10

// pages are what a browser shows. What they say is read when they are asked
// for, through the interfaces that the API reads through; so a page works
// without a script, and with one it asks for itself anew.
type pages struct {
	Options
	html    map[string]*template.Template
	version string // of the assets
	open    func() bool
}

func newPages(o Options) *pages {
	p := &pages{Options: o, html: map[string]*template.Template{}, version: assetVersion()}
	layout := template.Must(template.New("layout.html").Funcs(p.words()).ParseFS(pageFiles, "pages/layout.html", "pages/part_*.html"))
	files, err := fs.Glob(pageFiles, "pages/page_*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "page_"), ".html")
		p.html[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, file))
	}
	return p
}

// paging adds the pages to mux.
func (s *Server) paging(mux *http.ServeMux) {
	p := s.pages
	mux.HandleFunc("GET /assets/{file}", asset)
	if p.Live != nil {
		mux.Handle("GET /stream", s.guard(stream{p.Live, s.ending, s.admits}))
	}
	shown, deeds := map[string]shower{}, map[string]doer{}
	p.sourcePages(shown, deeds)
	p.eventPages(shown, deeds)
	p.endpointPages(shown, deeds)
	p.configPages(shown, deeds)
	for path, show := range shown {
		mux.Handle("GET "+path, s.guardPage(p.shown(show)))
	}
	for path, do := range deeds {
		mux.Handle("POST "+path, s.guardPage(p.done(do)))
	}
}

// lost answers who asks for what is not there: a browser with a page, anybody
// else with a problem.
func (s *Server) lost(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var told verdict
		h.ServeHTTP(&told, r)
		allow := told.Header().Get("Allow")
		switch {
		case told.status == http.StatusMethodNotAllowed && !(s.browses(r) && r.Method == http.MethodGet):
			w.Header().Set("Allow", allow)
			s.nothing(w, r, told.status, r.Method+" is not possible here: expected "+allow)
		case told.status == http.StatusMethodNotAllowed, told.status == http.StatusNotFound:
			s.nothing(w, r, http.StatusNotFound, clipped(r.URL.Path, maxShown)+": not found")
		default: // it leads elsewhere
			mux.ServeHTTP(w, r)
		}
	})
}

// browses says whether somebody reads the answer in a browser, where there are
// pages.
func (s *Server) browses(r *http.Request) bool {
	return s.o.Sources != nil && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// nothing says what is wrong with an address.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if !s.browses(r) {
		refuse(w, status, detail)
		return
	}
	s.guardPage(s.pages.shown(func(*http.Request) (*view, error) {
		return &view{page: "fault", Nav: "fault", status: status, Title: wrongTitle(status), Fault: detail}, nil
	})).ServeHTTP(w, r)
}

// turnAway refuses a request by whence it comes. A browser gets a page, on
// which nothing else stands.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, detail string) {
	if !s.browses(r) {
		refuse(w, http.StatusForbidden, detail)
		return
	}
	s.pages.write(w, &view{page: "fault", bare: true, status: http.StatusForbidden, Title: wrongTitle(http.StatusForbidden), Fault: detail})
}

// shower makes a page, doer does what a form asks for and says which page says
// so.
type (
	shower func(*http.Request) (*view, error)
	doer   func(*http.Request) (string, error)
)

// view is what a page is made of.
type view struct {
	page   string // the template
	status int    // 0: 200
	bare   bool   // it is for anybody, and says nothing of the daemon

	Title   string
	Nav     string   // the entry of the navigation that it belongs to
	Topics  []string // what moves it; nil: it is not live
	Gist    string   // what somebody who doesn't see it is told when it changes
	Message string   // what was done
	Fault   string   // what wasn't
	Has     has      // what there is to see besides
	Version string   // of the process; "": not known
	Data    any
}

// refused is the page, for what was asked of it was faulty: with its form, in
// which that stands.
func (v *view) refused(err error) (*view, error) {
	v.status, v.Fault = http.StatusBadRequest, err.Error()
	return v, nil
}

// has says which pages there are.
type has struct{ Live, Archive, Endpoints, Config, SignOut bool }

// shown is a page that is read.
func (p *pages) shown(h shower) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		if err != nil {
			v = faulty(err)
		}
		if v.Message == "" {
			v.Message = didWords(r.URL.Query())
		}
		p.write(w, v)
	})
}

// done is a form that was sent: what was asked is done, and the browser is sent
// to a page that says so, so that nothing is done twice by reading that anew.
func (p *pages) done(h doer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxDeed)
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longTime)); err != nil {
			p.write(w, faulty(err))
			return
		}
		if err := r.ParseForm(); err != nil {
			p.write(w, faulty(errors.Join(ErrInvalid, err)))
			return
		}
		to, err := h(r)
		if other, ok := errors.AsType[*instead](err); ok {
			p.write(w, other.view)
			return
		}
		if err != nil {
			p.write(w, faulty(err))
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

// instead is no error but a page that asks something before it is done.
type instead struct{ view *view }

// Error says what it is, should anybody show it.
func (*instead) Error() string { return "a question before it is done" }

// faulty is a page that says what went wrong.
func faulty(err error) *view {
	_, order := errors.AsType[*emitter.OrderError](err)
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, differ.ErrNoItem), errors.Is(err, emitter.ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, ErrInvalid), errors.Is(err, emitter.ErrBadCursor), order:
		status = http.StatusBadRequest
	case errors.Is(err, ErrConflict), errors.Is(err, emitter.ErrTooManyReplays):
		status = http.StatusConflict
	}
	return &view{page: "fault", Nav: "fault", status: status, Title: wrongTitle(status), Fault: err.Error()}
}

// wrongTitle is the heading of a page that says what went wrong.
func wrongTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		return "Not a request"
	case http.StatusForbidden:
		return "Refused"
	case http.StatusConflict:
		return "Not possible now"
	}
	return "Something went wrong here"
}

// write gives a page, whole or not at all.
func (p *pages) write(w http.ResponseWriter, v *view) {
	v.Has = has{
		SignOut: !p.open() && !v.bare, Live: p.Live != nil,
		Archive: p.Archive != nil, Endpoints: p.Endpoints != nil, Config: p.Daemon != nil,
	}
	if p.Daemon != nil && !v.bare {
		v.Version = p.Daemon.About().Version
	}
	var body bytes.Buffer
	if err := p.html[v.page].Execute(&body, v); err != nil {
		p.Logger.Error("a page cannot be made", "page", v.page, "err", err)
		http.Error(w, "this page cannot be made; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(cmp.Or(v.status, http.StatusOK))
	_, _ = body.WriteTo(w)
}

// asset gives a file of the pages. Its address names its version, so it never
// changes there.
func asset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeFileFS(w, r, assetFiles, "assets/"+r.PathValue("file"))
}

// assetVersion tells what is embedded from what another build embeds.
func assetVersion() string {
	sum := sha256.New()
	files, _ := fs.Glob(assetFiles, "assets/*")
	for _, file := range files {
		b, _ := assetFiles.ReadFile(file)
		_, _ = sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// didWords says what was done, as the address of a page notes it: a word of
// this table and a number, so that nobody can have a page say anything else.
func didWords(q url.Values) string {
	n := q.Get("n")
	if len(n) > 9 || strings.Trim(n, "0123456789") != "" {
		n = ""
	}
	switch q.Get("did") {
	case "poll":
		return "Polled now: the answer shows here when it is in."
	case "released":
		return "Released. The source is polled now, and what was held is told."
	case "released_silently":
		return "Released silently. The source is polled now, and what was held is taken in without an event."
	case "discarded":
		return "Discarded. What is remembered stays, and answers like it are passed over."
	case "watch":
		return "The key is watched."
	case "unwatch":
		return "The key is not watched any more."
	case "pause":
		return "Paused. What is told to the endpoint waits."
	case "resume":
		return "Resumed. What waits is sent."
	case "replay":
		return "Put back into the queue: " + cmp.Or(n, "0") + "."
	case "replaying":
		return "They are put back, a few at a time."
	case "reload":
		return "Reloaded: the configuration that is there now runs."
	case "reloading":
		return "It still reloads. This page says what came of it."
	case "stop":
		return "Stopped. What was put back is put back."
	}
	return ""
}

// did is an address with a note of what was done there.
func did(to, what string) string {
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return to + sep + "did=" + what
}

// stamp is a time as it stands in an attribute.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
