package web

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// admin answers on the admin address.
func (s *Server) admin() http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	if s.o.Metrics != nil {
		mux.Handle("GET /metrics", s.guard(promhttp.HandlerFor(s.o.Metrics, promhttp.HandlerOpts{
			ErrorLog:            slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelWarn),
			ErrorHandling:       promhttp.ContinueOnError,
			MaxRequestsInFlight: maxScrapes,
			Timeout:             scrapeTimeout,
		})))
	}
	s.signing(mux)
	mux.Handle("/api/", s.guard(api(s.routes())))
	s.paging(mux)
	return plain(s.rebound(s.sameSite(s.lost(mux))))
}

// rebound refuses requests for a name that is not this machine's, where no
// token guards the rest: a page whose own name was made to mean 127.0.0.1 (DNS
// rebinding) is of the same site for a browser. A request that names no host
// comes from no browser.
func (s *Server) rebound(next http.Handler) http.Handler {
	own := hostname(s.o.Listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostname(r.Host); s.open() && host != "" && !strings.EqualFold(host, own) && !loopback(host) {
			s.turnAway(w, r, "the Host of the request is neither this machine's loopback nor the address of server.listen; "+
				"behind a proxy set server.token, or have the proxy send Host: localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is a host without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// sameSite refuses what a page of another site has a browser send: on loopback
// there may be no token to stop it. A link may lead here; what a page loads, it
// could not read, but it would cost.
func (s *Server) sameSite(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.turnAway(w, r, "a page of another site may not ask for this")
	}))
	writes := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "cross-site", "same-site":
			if r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
				s.turnAway(w, r, "a page of another site may not ask for this")
				return
			}
		}
		writes.ServeHTTP(w, r)
	})
}

// local answers on the socket.
func (s *Server) local() http.Handler {
	mux := http.NewServeMux()
	s.health(mux)
	mux.Handle("/api/", api(append(s.routes(), route{"GET /api/v1/sources/{name}/snapshot", snapshots{s.o.Snapshots}.get, nil})))
	return plain(mux)
}

func (s *Server) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", fine(s.o.Alive))
	mux.HandleFunc("GET /readyz", fine(s.o.Ready))
}

// fine answers 200, or 503 with what is wrong.
func fine(wrong func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if wrong != nil {
			if err := wrong(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = io.WriteString(w, "ok\n")
	}
}

// plain keeps browsers from guessing a type and anybody from caching.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
