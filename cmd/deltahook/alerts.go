package main

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
)

// alerts hands what stages say of themselves to the differ, which is made
// after them. Nothing is said before it is there.
type alerts struct {
	differ  atomic.Pointer[differ.Differ]
	expired *prometheus.GaugeVec
}

func newAlerts(r prometheus.Registerer) *alerts {
	return &alerts{expired: promauto.With(r).NewGaugeVec(prometheus.GaugeOpts{
		Name: "deltahook_auth_expired",
		Help: "1 where a refresh token is no longer taken, by the setting where a new one goes; 0 when it is again.",
	}, []string{"setting"})}
}

func (a *alerts) access(is credential.Access) {
	expired := a.expired.WithLabelValues(is.Setting)
	expired.Set(0)
	if is.Expired {
		expired.Set(1)
	}
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

func (a *alerts) health(_ context.Context, c emitter.HealthChange) {
	if d := a.differ.Load(); d != nil {
		d.EndpointIs(differ.EndpointHealth{
			Endpoint: c.Endpoint, Condition: differ.EndpointCondition(c.Now), Cause: string(c.Pause),
			Since: c.Since, Reason: c.Reason, Waiting: c.Waiting,
		})
	}
}
