package main

import (
	"os"
	"time"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/web"
)

// self is what the process knows of itself, as the admin address shows it.
type self struct {
	started time.Time
	config  web.Config
	store   string
}

func newSelf(cfg *configs.Config) *self {
	shown := cfg.Show()
	warnings := make([]string, len(cfg.Warnings))
	for i, w := range cfg.Warnings {
		warnings[i] = w.String()
	}
	return &self{
		started: time.Now(), store: cfg.Store,
		config: web.Config{Files: cfg.Files, Warnings: warnings, YAML: shown.YAML, Config: shown.JSON},
	}
}

// About is asked for with each page.
func (s *self) About() web.About {
	about := web.About{
		Version: version, Started: s.started.UTC(), Uptime: time.Since(s.started).Seconds(), Store: web.Stored{Path: s.store},
	}
	if info, err := os.Stat(s.store); err == nil {
		about.Store.Size = info.Size()
	}
	return about
}

// Config is the configuration that runs, without a secret.
func (s *self) Config() web.Config { return s.config }
