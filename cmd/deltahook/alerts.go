package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
)

// alerts hands what stages say of themselves to the differ, which is made
// after them. Nothing is said before it is there.
type alerts struct {
	differ  atomic.Pointer[differ.Differ]
	expired *prometheus.GaugeVec

	mu       sync.Mutex
	settings map[string]bool // of which expired says something
}

func newAlerts(r prometheus.Registerer) *alerts {
	return &alerts{settings: map[string]bool{}, expired: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
		Name: "deltahook_auth_expired",
		Help: "1 where a refresh token is no longer taken, by the setting where a new one goes; 0 when it is again.",
	}, []string{"setting"})}
}

func (a *alerts) access(is credential.Access) {
	a.note(is.Setting, is.Expired)
	d := a.differ.Load()
	if d == nil {
		return
	}
	said := differ.Access{Auth: is.Auth, Setting: is.Setting, Expired: is.Expired}
	for _, by := range is.Users {
		if by.Source != "" {
			said.Sources = append(said.Sources, by.Source)
		} else {
			said.Endpoints = append(said.Endpoints, by.Endpoint)
		}
	}
	d.AccessIs(said)
}

func (a *alerts) note(setting string, expired bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settings[setting] = true
	if expired {
		a.expired.WithLabelValues(setting).Set(1)
	} else {
		a.expired.WithLabelValues(setting).Set(0)
	}
}

// runs drops what is said of settings that a configuration does not have: nobody
// can put a new refresh token there.
func (a *alerts) runs(cfg *configs.Config) {
	there := refreshTokens(cfg)
	a.mu.Lock()
	defer a.mu.Unlock()
	for setting := range a.settings {
		if !there[setting] {
			delete(a.settings, setting)
			a.expired.DeleteLabelValues(setting)
		}
	}
}

// refreshTokens are the settings in which a configuration has one, as
// credential.Access names them.
func refreshTokens(cfg *configs.Config) map[string]bool {
	there := map[string]bool{}
	note := func(at string, s *credential.Settings) {
		if s != nil && s.OAuth2 != nil && !s.OAuth2.RefreshToken.IsZero() {
			there[at+".oauth2.refresh_token"] = true
		}
	}
	for name, s := range cfg.Auth {
		note("auth."+name, &s)
	}
	for name, s := range cfg.Sources {
		note("sources."+name+".request.auth", s.Poll.Request.Auth.Own)
	}
	for name, s := range cfg.Endpoints {
		note("endpoints."+name+".auth", s.Auth.Own)
	}
	return there
}

func (a *alerts) health(_ context.Context, c emitter.HealthChange) {
	if d := a.differ.Load(); d != nil {
		d.EndpointIs(differ.EndpointHealth{
			Endpoint: c.Endpoint, Condition: differ.EndpointCondition(c.Now), Cause: string(c.Pause),
			Since: c.Since, Reason: c.Reason, Waiting: c.Waiting,
		})
	}
}
