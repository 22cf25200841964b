// Package configs reads the configuration: YAML or TOML, one file or a
// folder, into one structure that the stages' own settings make up.
//
// The flow of a load:
//
//	files -> trees with positions -> merge -> ${…} -> defaults -> schema -> decode -> checks
//
// A step runs on whatever the step before left whole, so that one run tells
// all faults, each with the file, line and column of its setting. A loaded
// Config is never changed afterwards.
//
// A setting belongs to the stage that obeys it: its key, comment and check
// stand in that stage's settings struct. schema.json and the reference in
// docs/configuration.md are made from those structs by
//
//	go test ./configs -run 'TestSchemaIsFresh|TestReferenceIsFresh' -update
package configs

import (
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
	"github.com/deltahook/deltahook/poller"
)

// Config is a whole configuration without a fault, defaults filled in.
type Config struct {
	// Path of the state file, relative to the configuration's folder.
	// Default: deltahook.db.
	Store string `yaml:"store"`
	// The admin listener: /healthz, /readyz and /metrics.
	Server Server `yaml:"server"`
	// When a changed configuration takes effect without a restart.
	Reload Reload `yaml:"reload"`
	// What is logged, and how.
	Log Log `yaml:"log"`
	// What a collector of OpenTelemetry is told of polls and attempts.
	Tracing Tracing `yaml:"tracing"`
	// Settings that are merged under every source and every endpoint.
	Defaults Defaults `yaml:"defaults"`
	// Budgets that sources share, by name: they belong to an account.
	Limits map[string]poller.LimitSettings `yaml:"limits"`
	// Credentials that sources share, by name: one token, fetched once.
	Auth map[string]credential.Settings `yaml:"auth"`
	// What is polled, by name.
	Sources map[string]Source `yaml:"sources"`
	// Who is told, by name.
	Endpoints map[string]emitter.Settings `yaml:"endpoints"`
	// Who is told when Deltahook itself has something to say.
	Alerts differ.AlertSettings `yaml:"alerts"`
	// Whom requests and webhooks may reach.
	Egress Egress `yaml:"egress"`
	// How long what is done with is kept.
	Retention Retention `yaml:"retention"`

	// Dir is the folder that relative paths start from.
	Dir string `yaml:"-"`
	// Files are the files that were read, in the order of reading.
	Files []string `yaml:"-"`
	// Warnings are settings that work, but hardly as meant.
	Warnings []Located `yaml:"-"`

	secrets []string
	reads   []string            // every file that the configuration was made of, but for folders
	sums    map[string]string   // of the files that the stages read, by path: what is in them
	places  map[string]position // of the settings that need a restart
	shown   string              // YAML; see Show
}

// Reload is when a changed configuration takes effect without a restart.
type Reload struct {
	// True: when a file that the configuration is made of has changed, or a
	// file of its folder has come or gone. False: when it is asked for, by
	// SIGHUP, 'deltahook reload' or the API. Default: true.
	Watch bool `yaml:"watch"`
}

// Server is the admin listener.
type Server struct {
	// HOST:PORT to listen on; "" switches the listener off. Default: 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// Bearer token that /metrics asks for. Needed where listen is not a
	// loopback address.
	Token secret.Text `yaml:"token"`
}

// Log is what is logged.
type Log struct {
	// The least severe level that is logged: debug, info, warn or error. Default: info.
	Level string `yaml:"level" jsonschema:"enum=debug,enum=info,enum=warn,enum=error"`
	// One line a record: text or json. Default: text.
	Format string `yaml:"format" jsonschema:"enum=text,enum=json"`
}

// Defaults is what sources and endpoints start from. After a load it has done
// its work: every source and every endpoint holds the merged settings.
type Defaults struct {
	// Merged under every source, key by key; lists are replaced, not joined.
	Source Source `yaml:"source"`
	// Merged under every endpoint, in the same way.
	Endpoint emitter.Settings `yaml:"endpoint"`
}

// Source is something that is polled: each stage's part of its settings.
type Source struct {
	// The name that the source had before: what is remembered under it goes on
	// under the new one, and nothing is told for that.
	Was  string          `yaml:"was"`
	Poll poller.Settings `yaml:",inline"`
	// Fan out: the source is polled for each of these keys.
	Watch Watch `yaml:"watch"`
	// What makes an answer one, and what is in it.
	Response Response        `yaml:"response"`
	Diff     differ.Settings `yaml:",inline"`
}

// Watch is which keys a source is polled for, and when one is done.
type Watch struct {
	Fan  poller.WatchSettings `yaml:",inline"`
	Keys differ.WatchSettings `yaml:",inline"`
}

// Response is how an answer is read.
type Response struct {
	Judge poller.ResponseSettings `yaml:",inline"`
	Read  differ.ResponseSettings `yaml:",inline"`
}

// Egress is whom this process may reach.
type Egress struct {
	// For the requests of sources. allow_private is true by default here,
	// for polling an internal API is normal.
	Sources Reach `yaml:"sources"`
	// For webhooks. allow_private is false by default here.
	Endpoints Reach `yaml:"endpoints"`
}

// Reach is a set of addresses that may be reached. Public ones always may.
type Reach struct {
	// True: private, loopback and other special addresses may be reached.
	// Cloud metadata addresses never may unless allow names them.
	AllowPrivate bool `yaml:"allow_private"`
	// Addresses and networks that may be reached as well: 10.20.0.0/16, 192.0.2.7.
	Allow []string `yaml:"allow"`
}

// Retention is how long what is done with is kept.
type Retention struct {
	// Events that every endpoint has, from when the last one got it. Default: 7d.
	Events units.Duration `yaml:"events"`
	// Records of attempts. Default: 7d.
	Attempts units.Duration `yaml:"attempts"`
	// Dead letters, from their last attempt; their event stays as long. Default: 30d.
	Dead units.Duration `yaml:"dead"`
}

// standard is a Config with every default that is not a stage's own.
func standard() *Config {
	const day = units.Duration(24 * 60 * 60 * 1e9)
	return &Config{
		Store:     "deltahook.db",
		Server:    Server{Listen: "127.0.0.1:8080"},
		Reload:    Reload{Watch: true},
		Log:       Log{Level: "info", Format: "text"},
		Tracing:   Tracing{Sample: 1, Timeout: units.Duration(10 * 1e9)},
		Alerts:    differ.AlertSettings{SourceFailingAfter: 3, SourceStaleAfter: day},
		Egress:    Egress{Sources: Reach{AllowPrivate: true}},
		Retention: Retention{Events: 7 * day, Attempts: 7 * day, Dead: 30 * day},
		Limits:    map[string]poller.LimitSettings{},
		Auth:      map[string]credential.Settings{},
		Sources:   map[string]Source{},
		Endpoints: map[string]emitter.Settings{},
	}
}

// Redactor knows every secret of the configuration: the fields of type
// secret.Text, what came from ${file:…}, the headers and query parameters of
// requests whose names say that they carry a credential, and what a login is
// made with.
func (c *Config) Redactor() *secret.Redactor { return secret.NewRedactor(c.secrets...) }
