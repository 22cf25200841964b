package poller

import (
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/units"
)

// Settings is the poller's part of a source in the configuration.
type Settings struct {
	// When the source is polled: a cron spec of 5 or 6 fields, @hourly and
	// its kin, or "@every 30s" (at least 1s).
	Schedule string `yaml:"schedule" json:"schedule" jsonschema:"required"`
	// IANA zone that a cron spec is read in, and times in items that say no
	// zone (events.*.at). Default: UTC.
	Timezone string `yaml:"timezone" json:"timezone,omitempty"`
	// Polls start up to this much later, by an amount that the source's
	// name decides. "@every" schedules are spread by the name anyway.
	Jitter units.Duration `yaml:"jitter" json:"jitter,omitempty"`
	// What follows a run that was missed while the daemon was down: once
	// (default) polls at the start, skip waits for the next time.
	Missed string `yaml:"missed" json:"missed,omitempty" jsonschema:"enum=once,enum=skip"`
	// Name of a budget in limits, shared with all sources that name it.
	// None: at most 8 polls run at once of each host.
	Limit string `yaml:"limit" json:"limit,omitempty"`
	// True: the source is not polled; what is known of it is kept.
	Disabled bool `yaml:"disabled" json:"disabled,omitempty"`
	// Fan out: keys that the source is polled for. See `watch`.
	Watch WatchSettings `yaml:"-" json:"-"`
	// What is remembered of an answer to ask for less the next time.
	Cursor CursorSettings `yaml:"cursor" json:"cursor,omitzero"`
	// What is asked.
	Request RequestSettings `yaml:"request" json:"request" jsonschema:"required"`
}

// RequestSettings is what is asked of a source. Strings in url, headers,
// query, json, form and body may hold {{ expressions }}.
type RequestSettings struct {
	// GET or POST. Default: GET, or POST where a body is given.
	Method string `yaml:"method" json:"method,omitempty" jsonschema:"enum=GET,enum=POST"`
	// An http or https URL. The value of an expression in it is
	// percent-encoded for its place; raw(x) leaves it as it is.
	URL string `yaml:"url" json:"url" jsonschema:"required"`
	// Whose credentials the request carries: a name in auth, or a mapping of
	// bearer, basic, api_key, oauth2 and login. They win over headers.
	Auth credential.Ref `yaml:"auth" json:"auth,omitzero"`
	// Headers to send. They go to the URL's own host only: a redirect to
	// another host is followed without them.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty"`
	// Query parameters added to the URL's own.
	Query map[string]string `yaml:"query" json:"query,omitempty"`
	// A JSON body; a leaf that is one whole {{ expression }} keeps its type.
	JSON any `yaml:"json" json:"json,omitempty"`
	// An application/x-www-form-urlencoded body.
	Form map[string]string `yaml:"form" json:"form,omitempty"`
	// A body as it is; set its Content-Type in headers.
	Body string `yaml:"body" json:"body,omitempty"`
	// A GraphQL query, with its variables, as the body.
	GraphQL GraphQLSettings `yaml:"graphql" json:"graphql,omitzero"`
	// How further pages are asked for. Absent: there is one.
	Paginate PaginateSettings `yaml:"paginate" json:"paginate,omitzero"`
	// Time for the whole exchange, redirects and body included. Default: 30s.
	Timeout units.Duration `yaml:"timeout" json:"timeout,omitempty"`
	// Size of the decompressed answer over which the poll fails. Default: 10MiB.
	MaxBody units.Size `yaml:"max_body" json:"max_body,omitempty"`
	// Redirects followed at most; 0 follows none. Default: 5.
	Redirects *int `yaml:"redirects" json:"redirects,omitempty" jsonschema:"minimum=0,maximum=20"`
	// Certificates: a private authority, one of our own.
	TLS credential.TLSSettings `yaml:"tls" json:"tls,omitzero"`
	// Conditional requests by ETag and Last-Modified, on GET: auto (default) or off.
	Conditional string `yaml:"conditional" json:"conditional,omitempty" jsonschema:"enum=auto,enum=off"`
}

// ResponseSettings is what makes an answer one; the differ's part of
// `response` says what is in it.
type ResponseSettings struct {
	// How the body is read: auto (default, by content type), json, ndjson,
	// xml, csv, feed (RSS, Atom), html or text. All become JSON.
	Format string `yaml:"format" json:"format,omitempty" jsonschema:"enum=auto,enum=json,enum=ndjson,enum=xml,enum=csv,enum=feed,enum=html,enum=text"`
	// Charset of the body, against what the server and the body say, by a
	// name of the WHATWG: windows-1252, shift_jis. Default: as declared, else UTF-8.
	Charset string       `yaml:"charset" json:"charset,omitempty"`
	XML     XMLSettings  `yaml:"xml" json:"xml,omitzero"`
	CSV     CSVSettings  `yaml:"csv" json:"csv,omitzero"`
	HTML    HTMLSettings `yaml:"html" json:"html,omitzero"`
	// What a status means, where it isn't that 2xx is an answer and all else
	// is none: ok (the body is the answer), empty (there are no items), error
	// (the poll failed) or reset (what is remembered is forgotten, and the
	// next answer is remembered without telling anything).
	Status map[string]string `yaml:"status" json:"status,omitempty"`
	// gjson paths that must be there and not null; otherwise the poll failed.
	Require []string `yaml:"require" json:"require,omitempty"`
	// An expression over status, headers and body; false: the poll failed.
	OK string `yaml:"ok" json:"ok,omitempty"`

	// The differ's settings of these names: paging needs to know what is on a
	// page, and a table which columns it must have.
	Items string   `yaml:"-" json:"-"`
	ID    []string `yaml:"-" json:"-"`
}
