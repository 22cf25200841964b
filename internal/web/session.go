package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// sessionLife is how long a browser stays signed in.
	sessionLife = 12 * time.Hour
	// maxSessions is how many may be signed in at once; one more signs the
	// oldest out.
	maxSessions = 1000
	// maxForm is how many bytes the form of the sign-in page may have.
	maxForm = 8 << 10
)

// sessions are the browsers that signed in. They are in memory only, so that
// signing out ends a session wherever its cookie went; a restart ends them all.
type sessions struct {
	mu   sync.Mutex
	ends map[[sha256.Size]byte]time.Time // by the digest of the cookie's value
}

// begin makes a session and gives the cookie's value: 130 random bits.
func (s *sessions) begin(now time.Time) string {
	value := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends == nil {
		s.ends = make(map[[sha256.Size]byte]time.Time)
	}
	if len(s.ends) >= maxSessions {
		s.forget(now)
	}
	s.ends[sha256.Sum256([]byte(value))] = now.Add(sessionLife)
	return value
}

// forget drops the sessions that are over or, where none is, the oldest.
func (s *sessions) forget(now time.Time) {
	var oldest [sha256.Size]byte
	first := now.Add(2 * sessionLife)
	for id, end := range s.ends {
		switch {
		case !end.After(now):
			delete(s.ends, id)
		case end.Before(first):
			oldest, first = id, end
		}
	}
	if len(s.ends) >= maxSessions {
		delete(s.ends, oldest)
	}
}

// holds reports whether a cookie's value is that of a session. What is looked
// up is a digest, so that the time it takes says nothing of those there are.
func (s *sessions) holds(value string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends[sha256.Sum256([]byte(value))].After(now)
}

func (s *sessions) end(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, sha256.Sum256([]byte(value)))
}

// endAll ends every session.
func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.ends)
}

// cookieName is the cookie of a browser that signed in. Browsers send cookies
// to all ports of a host, so each daemon there has one of its own: the name goes
// by the port that the browser sees and, for a proxy may not pass that on, by
// what two daemons of a machine do not share.
func (s *Server) cookieName(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.Host) // "" is that of the scheme
	sum := sha256.Sum256([]byte(port + "\n" + s.Addr() + "\n" + s.store))
	return "deltahook_" + hex.EncodeToString(sum[:6])
}

// signedIn reports whether a request shows the cookie of a session.
func (s *Server) signedIn(r *http.Request) bool {
	c, err := r.Cookie(s.cookieName(r))
	return err == nil && s.sessions.holds(c.Value, time.Now())
}

// signing adds what signs a browser in and out to mux. The page itself is
// signinPage.
func (s *Server) signing(mux *http.ServeMux) {
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, r *http.Request) {
		next := localPath(r.URL.Query().Get("next"))
		if s.open() || s.signedIn(r) {
			http.Redirect(w, r, next, http.StatusSeeOther)
			return
		}
		s.signinPage(w, http.StatusOK, next, "")
	})
	mux.HandleFunc("POST /signin", s.signin)
	mux.HandleFunc("POST /signout", s.signout)
}

// signin takes the token from the form of the sign-in page (token, next).
func (s *Server) signin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.signinPage(w, http.StatusBadRequest, "/", "That was not the form of this page.")
		return
	}
	next := localPath(r.PostForm.Get("next"))
	if s.open() {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	token := r.PostForm.Get("token")
	right, wait := s.shows(r, token, true)
	session := ""
	if right && wait == 0 {
		session = s.sessions.begin(time.Now())
		if right = s.isToken(token); !right { // another is asked for since
			s.sessions.end(session)
		}
	}
	switch {
	case wait > 0:
		tooMany(w, wait)
		s.signinPage(w, http.StatusTooManyRequests, next, "Too many wrong tokens. Try again in "+seconds(wait)+" s.")
	case !right:
		s.signinPage(w, http.StatusUnauthorized, next, "That is not the token of server.token.")
	default:
		http.SetCookie(w, s.cookie(r, session, int(sessionLife/time.Second)))
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (s *Server) signout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(s.cookieName(r)); err == nil {
		s.sessions.end(c.Value)
	}
	http.SetCookie(w, s.cookie(r, "", -1))
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// cookie is out of reach of scripts, and of what other sites ask for. Secure
// goes by how the browser came: a proxy says so, and who lies about it harms
// nobody else.
func (s *Server) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is set where it can be
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// localPath is a path of this server with its query, and / for whatever a
// browser could take for a place elsewhere.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return cmp.Or((&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String(), "/")
}

// guard lets a request through that shows the token as RFC 6750, section 2.1
// says, or the cookie of a session. Without a token it lets all through.
func (s *Server) guard(next http.Handler) http.Handler {
	return s.guarded(next, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="deltahook"`)
		refuse(w, http.StatusUnauthorized, "send the token of server.token as Authorization: Bearer TOKEN")
	})
}

// guardPage is guard for a page: a browser without a cookie is sent to the
// sign-in page, and from there back.
func (s *Server) guardPage(next http.Handler) http.Handler {
	return s.guarded(next, func(w http.ResponseWriter, r *http.Request) {
		to := "/signin"
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

func (s *Server) guarded(next http.Handler, turnAway http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.open() {
			next.ServeHTTP(w, r)
			return
		}
		passes := s.signedIn(r)
		if shown, ok := bearer(r); ok {
			right, wait := s.shows(r, shown, false)
			if wait > 0 {
				tooMany(w, wait)
				refuse(w, http.StatusTooManyRequests, "too many wrong tokens came from this address: try again in "+seconds(wait)+" s")
				return
			}
			passes = right
		}
		if !passes {
			turnAway(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearer is the token that a request shows by its header. Credentials of another
// scheme are none of ours: a proxy in front may have asked for them.
func bearer(r *http.Request) (token string, shown bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimLeft(token, " "), strings.EqualFold(scheme, "Bearer")
}

// admits reports whether a request that was let through would be let through
// now: its session may be over, its token another.
func (s *Server) admits(r *http.Request) bool {
	if s.open() || s.signedIn(r) {
		return true
	}
	shown, ok := bearer(r)
	return ok && s.isToken(shown)
}

// isToken compares digests, in constant time, so that not even the token's
// length can be measured.
func (s *Server) isToken(text string) bool {
	want, got := sha256.Sum256([]byte(s.token.Load().Reveal())), sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// shows reports whether text is the token, or how long this address has to
// wait until that is told.
func (s *Server) shows(r *http.Request, text string, form bool) (right bool, wait time.Duration) {
	right = s.isToken(text)
	if wait := s.tries.try(r.RemoteAddr, form, right, time.Now()); wait > 0 {
		return false, wait
	}
	if !right {
		s.o.Logger.Warn("a wrong token was shown", "address", r.RemoteAddr)
	}
	return right, 0
}
