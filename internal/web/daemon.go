package web

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// Daemon is what the process knows of itself.
type Daemon interface {
	// About is asked for with each page; it must not block.
	About() About
	// Config is the configuration that runs, without a secret.
	Config() Config
}

// About is what the process knows of itself.
type About struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Uptime  float64   `json:"uptime"` // seconds
	Store   Stored    `json:"store"`
	Reload  *Reload   `json:"reload,omitempty"` // the last one; nil: none since the start
}

// Stored is the file that the state is in.
type Stored struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes; 0: not known
}

// Reload is what came of reading the configuration anew.
type Reload struct {
	At      time.Time `json:"at"`
	Error   string    `json:"error,omitempty"`   // why nothing was changed, a fault a line; "": it runs
	Changed *Reloaded `json:"changed,omitempty"` // what became another; nil: nothing, for there was an error
}

// Config is the configuration that runs, as it was loaded: defaults are merged,
// and each secret is <secret>.
type Config struct {
	Files    []string `json:"files"`    // in the order of reading
	Warnings []string `json:"warnings"` // FILE:LINE:COLUMN: setting: what is odd
	YAML     string   `json:"yaml"`
	Config   any      `json:"config"` // the same as JSON
}

// Status is how all fares, in a few numbers.
type Status struct {
	About
	Ready     bool              `json:"ready"`
	Reason    string            `json:"reason,omitempty"` // why it is not
	Sources   map[Condition]int `json:"sources"`          // how many are in which state
	Endpoints map[string]int    `json:"endpoints"`        // likewise
	Items     int               `json:"items"`            // that are there
	Waiting   int               `json:"waiting"`          // deliveries
	Dead      int               `json:"dead"`             // dead letters
	Holds     int               `json:"holds"`            // answers that are held
	Warnings  []string          `json:"warnings"`         // of the configuration
}

// telling is what concerns the daemon as a whole.
func (s *Server) telling() []route {
	if s.o.Daemon == nil {
		return nil
	}
	return []route{
		{"GET /api/v1/status", func(w http.ResponseWriter, r *http.Request) {
			status, err := s.status(r.Context())
			give(w, status, err)
		}, nil},
		{"GET /api/v1/config", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.config()) }, nil},
	}
}

func (s *Server) config() Config {
	c := s.o.Daemon.Config()
	c.Files, c.Warnings = append([]string{}, c.Files...), append([]string{}, c.Warnings...)
	return c
}

// status asks everybody.
func (s *Server) status(ctx context.Context) (Status, error) {
	all := Status{
		About: s.o.Daemon.About(), Ready: true, Sources: map[Condition]int{}, Endpoints: map[string]int{}, Warnings: s.config().Warnings,
	}
	if s.o.Ready != nil {
		if err := s.o.Ready(); err != nil {
			all.Ready, all.Reason = false, err.Error()
		}
	}
	if s.o.Sources != nil {
		for _, one := range s.o.Sources.Sources() {
			all.Sources[one.State]++
			all.Items += one.Items
		}
	}
	if s.o.Holds != nil {
		all.Holds = len(s.o.Holds.Holds())
	}
	if s.o.Endpoints != nil {
		endpoints, err := s.o.Endpoints.Endpoints(ctx)
		if err != nil {
			return all, err
		}
		for _, e := range endpoints {
			all.Endpoints[cmp.Or(string(e.State), "ok")]++
			all.Waiting += e.Waiting
			all.Dead += e.Dead
		}
	}
	return all, nil
}

// Status asks the daemon how all fares.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.read(ctx, "/api/v1/status", &s)
	return s, err
}

// Config asks the daemon for the configuration that runs.
func (c *Client) Config(ctx context.Context) (cfg Config, err error) {
	err = c.read(ctx, "/api/v1/config", &cfg)
	return cfg, err
}
