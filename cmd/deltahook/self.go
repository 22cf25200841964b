package main

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/web"
)

// self is what the process knows of itself, as the admin address shows it.
type self struct {
	started time.Time
	store   string
	config  atomic.Pointer[web.Config]
	reload  atomic.Pointer[web.Reload] // the last one; nil: none since the start
	live    *web.Live                  // told of reloads
}

func newSelf(cfg *configs.Config, live *web.Live) *self {
	s := &self{started: time.Now(), store: cfg.Store, live: live}
	s.runs(cfg)
	return s
}

// runs takes up the configuration that runs.
func (s *self) runs(cfg *configs.Config) {
	shown := cfg.Show()
	warnings := make([]string, len(cfg.Warnings))
	for i, w := range cfg.Warnings {
		warnings[i] = w.String()
	}
	s.config.Store(&web.Config{Files: cfg.Files, Warnings: warnings, YAML: shown.YAML, Config: shown.JSON})
}

// reloaded takes up what came of a reload.
func (s *self) reloaded(done web.Reloaded, err error) {
	last := &web.Reload{At: time.Now().UTC()}
	if err != nil {
		last.Error = err.Error()
	} else {
		last.Changed = &done
	}
	s.reload.Store(last)
	s.live.Moved("config", "sources", "endpoints")
}

// About is asked for with each page.
func (s *self) About() web.About {
	about := web.About{
		Version: version, Started: s.started.UTC(), Uptime: time.Since(s.started).Seconds(),
		Store: web.Stored{Path: s.store}, Reload: s.reload.Load(),
	}
	if info, err := os.Stat(s.store); err == nil {
		about.Store.Size = info.Size()
	}
	return about
}

// Config is the configuration that runs, without a secret.
func (s *self) Config() web.Config { return *s.config.Load() }
