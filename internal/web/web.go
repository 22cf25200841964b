// Package web is the daemon's door for those who operate it. It has two
// sides, each with a listener of its own:
//
//	admin address (TCP)    GET /healthz   200 while the process lives, or 503 and what stands still
//	                       GET /readyz    200, or 503 and why not
//	                       GET /metrics   Prometheus text; asks for the token
//	                       /signin, /signout     where a browser shows the token
//	                       /, /sources/{name}, … pages; ask for the token or the cookie
//	                       GET /stream           what moves on them, as server-sent events
//	                       GET /assets/{file}    what pages are made of
//	                       /api/v1, as on the socket less snapshots; asks for the token
//	STORE.sock (unix 0600) GET /healthz, /readyz
//	                       GET /api/v1/sources/{name}/snapshot
//	                       /api/v1: openapi.yaml says what
//
// The socket exists because a bbolt file has one opener: what `deltahook poll`
// wants to know of a running daemon's snapshots it asks there. It is guarded
// by the file's mode, so it takes no token.
//
// What a page shows it reads through the interfaces of Options, as the API does,
// and it needs no script: forms act, and a page is then as old as its last
// reload. A stream says only what moved; who is told reads anew.
//
// Bounds: 100 connections a listener (over that, clients wait in the kernel's
// queue), 16 KiB of request header, 5 s to send it, 30 s to take an answer (a
// snapshot: 30 s for each 1,000 items, a backup for each MiB), 4 scrapes at once, 10 s a scrape;
// 50 streams of 10 minutes each, an event a second, in connections of their own.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deltahook/deltahook/internal/secret"
)

const (
	maxConnections = 100
	maxHeader      = 16 << 10
	headerTimeout  = 5 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 60 * time.Second
	drain          = 5 * time.Second // for requests in flight when Run is told to end
)

// Options is what a Server is made of.
type Options struct {
	// Listen is the admin address, host:port. "": no TCP listener.
	Listen string
	// Store is the path of the store that the socket stands beside; see
	// SocketPath. "": no socket.
	Store string
	// Token guards /metrics and /api as a bearer token. Empty: anybody who reaches
	// Listen may use them.
	Token secret.Text // to begin with; see SetToken
	// Ready says why the daemon is not ready, or nil. Its text is shown to
	// anybody who reaches Listen. nil: always ready. It must not block.
	Ready func() error
	// Alive says what in the process stands still, so that only a restart
	// helps, or nil; as Ready is. nil: nothing ever does.
	Alive func() error
	// Metrics is what /metrics shows. nil: /metrics is not found.
	Metrics prometheus.Gatherer
	// Snapshots is where the socket's answers come from. Needed with Store.
	Snapshots Reader
	// Watches is who knows the watch keys of sources. nil: there is no API
	// for them.
	Watches Watches
	// Holds is who knows which answers are held. nil: there is no API for
	// them.
	Holds Holds
	// Endpoints is who sends to endpoints. nil: there is no API for them.
	Endpoints Endpoints
	// Archive is who knows what was told, and Replays who tells it again.
	// nil: there is no API for it.
	Archive Archive
	Replays Replays
	// Daemon is what the process knows of itself. nil: there is no API for it.
	Daemon Daemon
	// Backups is who copies the store. nil: there is no API for it.
	Backups Backups
	// Sources is who polls sources. nil: there are no pages and no API of them.
	Sources Sources
	// Reloader has the configuration read anew. nil: nobody does.
	Reloader Reloader
	// Live passes on to open pages what moved. nil: they are not live.
	Live *Live
	// Logger gets what net/http has to say. nil: slog.Default().
	Logger *slog.Logger
}

// Server serves the admin address and the socket: New, Listen, then Run. A
// server that listens and is never run must be closed.
type Server struct {
	o        Options
	store    string // Options.Store as it is wherever one looks from
	sides    []side
	token    atomic.Pointer[secret.Text] // Options.Token, or what SetToken said last
	sessions sessions
	tries    tries
	pages    *pages
	ending   chan struct{} // closed when the server ends, for answers without an end
}

// side is one listener with the server that answers on it.
type side struct {
	listener net.Listener
	server   *http.Server
}

// New is a server that does not listen yet.
func New(o Options) *Server {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	s := &Server{o: o, store: resolve(o.Store), ending: make(chan struct{})}
	s.token.Store(&o.Token)
	s.pages = newPages(o)
	s.pages.open = s.open
	return s
}

// Listen takes the address and the socket, so that what is wrong with either
// is known before anything runs. Nothing is answered before Run. Where it
// fails, nothing is held.
func (s *Server) Listen(ctx context.Context) error {
	if s.o.Listen != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.o.Listen)
		if err != nil {
			return fmt.Errorf("admin address %s: %w", s.o.Listen, err)
		}
		s.add(l, s.admin())
	}
	if s.o.Store != "" {
		l, err := listenSocket(ctx, SocketPath(s.o.Store))
		if err != nil {
			return errors.Join(err, s.Close())
		}
		s.add(l, s.local())
	}
	return nil
}

func (s *Server) add(l net.Listener, h http.Handler) {
	s.sides = append(s.sides, side{
		listener: limit(l, maxConnections),
		server: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       headerTimeout, // a body is small here
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelWarn),
		},
	})
}

// Addr is the admin address that was taken: where Listen had port 0, the one
// that the system chose. "" without one. Call it after Listen.
func (s *Server) Addr() string {
	if s.o.Listen == "" || len(s.sides) == 0 {
		return ""
	}
	return s.sides[0].listener.Addr().String()
}

// Run answers until ctx ends, then lets requests in flight finish for up to
// 5 s and cuts what is left. It returns nil then, and an error where a
// listener broke.
func (s *Server) Run(ctx context.Context) error {
	var (
		wg     sync.WaitGroup
		broken = make(chan error, len(s.sides))
		err    error
	)
	for _, side := range s.sides {
		wg.Go(func() {
			if err := side.server.Serve(side.listener); !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("serve %s: %w", side.listener.Addr(), err)
			}
		})
	}
	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	close(s.ending)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for _, side := range s.sides {
		wg.Go(func() {
			if side.server.Shutdown(stop) != nil {
				_ = side.server.Close() // cut: the drain is over
			}
		})
	}
	wg.Wait()
	return err
}

// Close gives up what Listen took. It is for a server that is not run; after
// Run there is nothing left to close.
func (s *Server) Close() error {
	var errs []error
	for _, side := range s.sides {
		errs = append(errs, side.listener.Close())
	}
	s.sides = nil
	return errors.Join(errs...)
}
