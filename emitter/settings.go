package emitter

import (
	"slices"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

// Settings is an endpoint in the configuration.
type Settings struct {
	// Where webhooks are posted to: an http or https URL. Shown by scheme
	// and host only, for its path may be a credential.
	URL string `yaml:"url" json:"url" jsonschema:"required"`
	// What is sent, and what answers mean: standard (default, Standard
	// Webhooks 1.0), cloudevents or cloudevents_binary (CloudEvents 1.0),
	// slack, discord, teams, zapier, or custom with json. See
	// delivery.md#formats.
	Format string `yaml:"format" json:"format,omitempty" jsonschema:"enum=standard,enum=cloudevents,enum=cloudevents_binary,enum=slack,enum=discord,enum=teams,enum=zapier,enum=custom"` //nolint:revive // a tag is one line
	// The payload, with {{ expressions }} in its texts: needed with custom,
	// in place of the default text with slack, discord, teams and zapier.
	JSON any `yaml:"json" json:"json,omitempty"`
	// Signing secrets, whsec_… (v1) or whsk_… (v1a); each of them signs. With
	// signature github: one, any text.
	Secrets []secret.Text `yaml:"secrets" json:"secrets,omitempty"`
	// How it is signed: standard (default), github (X-Hub-Signature-256) or
	// none.
	Signature string `yaml:"signature" json:"signature,omitempty" jsonschema:"enum=standard,enum=github,enum=none"`
	// Headers added to each attempt. Values are not shown.
	Headers map[string]secret.Text `yaml:"headers" json:"headers,omitempty"`
	// Whose credentials the requests carry: a name in auth, or a mapping of
	// bearer, basic, api_key, oauth2 and login. They win over headers.
	Auth credential.Ref `yaml:"auth" json:"auth,omitzero"`
	// Certificates: a private authority, one of our own.
	TLS credential.TLSSettings `yaml:"tls" json:"tls,omitzero"`
	// A proxy that webhooks go through: http://HOST:PORT or
	// socks5://HOST:PORT, with USER:PASSWORD@ where it asks for them. None of
	// the environment is used.
	Proxy secret.Text `yaml:"proxy" json:"proxy,omitempty"`
	// Time for one attempt. Default: 20s.
	Timeout units.Duration `yaml:"timeout" json:"timeout,omitempty"`
	Retry   RetrySettings  `yaml:"retry" json:"retry,omitempty"`
	// Attempts in any such span of time, at most: 50/s. Default: by the
	// format; slack 1/s, teams 4/s, zapier 30/s, others any number.
	Rate units.Rate `yaml:"rate" json:"rate,omitzero"`
	// Attempts in flight at once. Default: 4.
	Concurrency int `yaml:"concurrency" json:"concurrency,omitempty" jsonschema:"minimum=1,maximum=256"`
	// What may not overtake itself: the events of an item, all events
	// (endpoint), or none. Default: item.
	Order string `yaml:"order" json:"order,omitempty" jsonschema:"enum=item,enum=endpoint,enum=none"`
	// True: updates of an item that wait become one, as long as none of them
	// was tried: from what the item was before the first to what it is after
	// the last. Default: false.
	Coalesce bool `yaml:"coalesce" json:"coalesce,omitempty"`
	// An event that is older when its turn comes is not sent, and recorded
	// as expired. 0s: never. Default: 0s.
	TTL units.Duration `yaml:"ttl" json:"ttl,omitempty"`
	// When it has failed for so long, the endpoint is paused and probed; what
	// is told to it waits. 0s: never. Default: 24h.
	PauseAfter *units.Duration `yaml:"pause_after" json:"pause_after,omitempty"`
	// True: each attempt has a header traceparent, W3C Trace Context, that
	// names its trace and span. Needs tracing. Default: false.
	Traceparent bool `yaml:"traceparent" json:"traceparent,omitempty"`
	// True: nothing is sent; what is told to it waits.
	Disabled bool `yaml:"disabled" json:"disabled,omitempty"`
}

// Policy is the retry settings ready for use, with the statuses that the
// format knows to be permanent.
func (s Settings) Policy() Policy {
	p := s.Retry.Policy()
	if f := formatOf(s.Format); f != nil && len(f.stop) > 0 {
		p.Permanent = slices.Concat(p.Permanent, f.stop)
	}
	return p
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
