package web

import "net/http"

// configPage is the configuration that runs.
type configPage struct {
	Config
	About About
}

func (p *pages) config(*http.Request) (*view, error) {
	c := &configPage{Config: p.Daemon.Config(), About: p.Daemon.About()}
	gist := "configuration: " + count(len(c.Warnings), "warning")
	if c.About.Reload != nil && c.About.Reload.Error != "" {
		gist += ", and one that was not taken"
	}
	return &view{page: "config", Title: "Configuration", Nav: "config", Topics: []string{"config"}, Gist: gist, Data: c}, nil
}
