package web

import (
	"context"
	"errors"
	"net/http"
)

// configPages adds what shows the configuration, and has it read anew.
func (p *pages) configPages(shown map[string]shower, deeds map[string]doer) {
	if p.Daemon == nil {
		return
	}
	shown["/config"] = p.config
	if p.Reloader != nil {
		deeds["/config/reload"] = p.reload
	}
}

// configPage is the configuration that runs.
type configPage struct {
	Config
	About     About
	CanReload bool
}

func (p *pages) config(*http.Request) (*view, error) {
	c := &configPage{Config: p.Daemon.Config(), About: p.Daemon.About(), CanReload: p.Reloader != nil}
	gist := "configuration: " + count(len(c.Warnings), "warning")
	if c.About.Reload != nil && c.About.Reload.Error != "" {
		gist += ", and one that was not taken"
	}
	return &view{page: "config", Title: "Configuration", Nav: "config", Topics: []string{"config"}, Gist: gist, Data: c}, nil
}

// reload has the configuration read anew. What came of it the page says to
// which the browser is sent.
func (p *pages) reload(r *http.Request) (string, error) {
	ctx, cancel := context.WithTimeout(r.Context(), reloadTimeout)
	defer cancel()
	_, err := p.Reloader.Reload(ctx)
	_, faulty := errors.AsType[*Faulty](err)
	switch {
	case faulty:
		return "/config#reload-failed", nil
	case errors.Is(err, context.DeadlineExceeded):
		return did("/config", "reloading"), nil
	}
	return did("/config", "reload"), err
}
