package emitter

import (
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

// Settings is an endpoint in the configuration.
type Settings struct {
	// Where webhooks are posted to: an http or https URL. Shown by scheme
	// and host only, for its path may be a credential.
	URL string `yaml:"url" json:"url" jsonschema:"required"`
	// What is sent: standard (default), Standard Webhooks 1.0.
	Format string `yaml:"format" json:"format,omitempty" jsonschema:"enum=standard"`
	// Signing secrets, whsec_… (v1) or whsk_… (v1a); each of them signs.
	Secrets []secret.Text `yaml:"secrets" json:"secrets,omitempty"`
	// How it is signed: standard (default) or none.
	Signature string `yaml:"signature" json:"signature,omitempty" jsonschema:"enum=standard,enum=none"`
	// Headers added to each attempt. Values are not shown.
	Headers map[string]secret.Text `yaml:"headers" json:"headers,omitempty"`
	// Time for one attempt. Default: 20s.
	Timeout units.Duration `yaml:"timeout" json:"timeout,omitempty"`
	Retry   RetrySettings  `yaml:"retry" json:"retry,omitempty"`
	// Attempts in flight at once. Default: 4.
	Concurrency int `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"minimum=1,maximum=256"`
	// True: nothing is sent; what is told to it waits.
	Disabled bool `yaml:"disabled" json:"disabled,omitempty"`
}

// RetrySettings is what follows an attempt that was not delivered.
type RetrySettings struct {
	// Waits between attempts; after the last one the delivery is a dead
	// letter. Default: 5s 30s 2m 10m 30m 2h 5h 10h 14h 20h 24h.
	Schedule []units.Duration `yaml:"schedule" json:"schedule,omitempty"`
	// Each wait is made longer or shorter by up to this. Default: 20%.
	Jitter *units.Percent `yaml:"jitter" json:"jitter,omitempty"`
	// Statuses that make a dead letter at once. Default: 400 401 403 404 413 415 422.
	Permanent []int `yaml:"permanent" json:"permanent,omitempty"`
}
