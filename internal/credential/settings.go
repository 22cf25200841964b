package credential

import (
	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/request"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

// Ref is the credentials that requests carry: the name of an entry of
// `auth`, or the credentials themselves. The zero value is none.
type Ref struct {
	Name string
	Own  *Settings
}

// UnmarshalYAML reads a name or a mapping.
func (a *Ref) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		a.Name = n.Value
		return nil
	}
	a.Own = new(Settings)
	return n.Decode(a.Own)
}

// Settings is how requests show who asks. Several kinds may stand beside
// each other; all of them are sent. They go to the URL's own scheme, host and
// port only.
type Settings struct {
	// A token that is sent as it is: the token, or a mapping with its prefix.
	Bearer *BearerSettings `yaml:"bearer" json:"bearer,omitempty"`
	// User and password.
	Basic *BasicSettings `yaml:"basic" json:"basic,omitempty"`
	// A key in a header or in the query.
	APIKey *APIKeySettings `yaml:"api_key" json:"api_key,omitempty"`
	// A token that a token endpoint gives (RFC 6749), sent as Bearer.
	OAuth2 *OAuth2Settings `yaml:"oauth2" json:"oauth2,omitempty"`
	// A token that any other request gives.
	Login *LoginSettings `yaml:"login" json:"login,omitempty"`
	// Certificates of the requests for tokens. Those of polls and webhooks are
	// request.tls and endpoints.NAME.tls.
	TLS TLSSettings `yaml:"tls" json:"tls,omitzero"`
}

// BearerSettings is a token that is sent in the header Authorization.
type BearerSettings struct {
	// The token.
	Token secret.Text `yaml:"token" json:"token" jsonschema:"required"`
	// The word before it. Default: Bearer.
	Prefix string `yaml:"prefix" json:"prefix,omitempty"`
}

// UnmarshalYAML reads a token or a mapping.
func (b *BearerSettings) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		b.Token = secret.New(n.Value)
		return nil
	}
	type plain BearerSettings
	return n.Decode((*plain)(b))
}

// BasicSettings is HTTP Basic authentication (RFC 7617).
type BasicSettings struct {
	// The user. Where there is no password it is a secret itself.
	User string `yaml:"user" json:"user,omitempty"`
	// The password.
	Password secret.Text `yaml:"password" json:"password,omitempty"`
}

// APIKeySettings is a key in a header or in the query: one of the two.
type APIKeySettings struct {
	// The header that it is sent in.
	Header string `yaml:"header" json:"header,omitempty"`
	// The query parameter that it is sent in.
	Query string `yaml:"query" json:"query,omitempty"`
	// The key.
	Value secret.Text `yaml:"value" json:"value" jsonschema:"required"`
}

// OAuth2Settings is a client at a token endpoint.
type OAuth2Settings struct {
	// What is given for a token: client_credentials, or refresh_token for
	// access that a person allowed.
	Grant string `yaml:"grant" json:"grant" jsonschema:"required,enum=client_credentials,enum=refresh_token"`
	// The token endpoint. Its redirects are not followed.
	TokenURL string `yaml:"token_url" json:"token_url" jsonschema:"required"`
	// The client.
	ClientID string `yaml:"client_id" json:"client_id,omitempty"`
	// Its secret; none: a public client.
	ClientSecret secret.Text `yaml:"client_secret" json:"client_secret,omitempty"`
	// The refresh token that a person's consent gave. Where the endpoint
	// answers with a new one, that is stored and used from then on, until
	// another one stands here.
	RefreshToken secret.Text `yaml:"refresh_token" json:"refresh_token,omitempty"`
	// Scopes to ask for.
	Scopes []string `yaml:"scopes" json:"scopes,omitempty"`
	// Where client and secret go: basic (default), the header Authorization,
	// or body, the form.
	Style string `yaml:"style" json:"style,omitempty" jsonschema:"enum=basic,enum=body"`
	// Further parameters of the form, such as audience.
	Params map[string]string `yaml:"params" json:"params,omitempty"`
	// True: a token that the API refuses with status 401 is renewed once, and
	// the request sent again; at most once a minute.
	RefreshOn401 bool `yaml:"refresh_on_401" json:"refresh_on_401,omitempty"`
	// How long before its end a token is renewed, though not before half its
	// life. Default: 1m.
	ExpirySlack units.Duration `yaml:"expiry_slack" json:"expiry_slack,omitempty"`
}

// LoginSettings is a request whose JSON answer holds a token.
type LoginSettings struct {
	// The request.
	Request LoginRequestSettings `yaml:"request" json:"request" jsonschema:"required"`
	// gjson path of the token.
	Token string `yaml:"token" json:"token" jsonschema:"required"`
	// Where the token is sent: header (default) or query.
	In string `yaml:"in" json:"in,omitempty" jsonschema:"enum=header,enum=query"`
	// The name of the header or of the query parameter. Default: Authorization.
	Name string `yaml:"name" json:"name,omitempty"`
	// The word before it; Bearer (default) in Authorization, none elsewhere.
	Prefix string `yaml:"prefix" json:"prefix,omitempty"`
	// gjson path of its end: seconds, a Unix time, or RFC 3339.
	ExpiresIn string `yaml:"expires_in" json:"expires_in,omitempty"`
	// How long it lives, where the answer does not say. Default: 1h.
	Lifetime units.Duration `yaml:"lifetime" json:"lifetime,omitempty"`
	// True: as of oauth2.
	RefreshOn401 bool `yaml:"refresh_on_401" json:"refresh_on_401,omitempty"`
}

// LoginRequestSettings is the request that a token is the answer to. Its
// strings may hold {{ expressions }}, as those of a source's request.
type LoginRequestSettings struct {
	// GET or POST. Default: GET, or POST where a body is given.
	Method string `yaml:"method" json:"method,omitempty" jsonschema:"enum=GET,enum=POST"`
	// An http or https URL. Its redirects are not followed.
	URL string `yaml:"url" json:"url" jsonschema:"required"`
	// Headers to send.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty"`
	// Query parameters added to the URL's own.
	Query map[string]string `yaml:"query" json:"query,omitempty"`
	// A JSON body.
	JSON any `yaml:"json" json:"json,omitempty"`
	// An application/x-www-form-urlencoded body.
	Form map[string]string `yaml:"form" json:"form,omitempty"`
	// A body as it is; set its Content-Type in headers.
	Body string `yaml:"body" json:"body,omitempty"`
}

// template is the same as a source's request has.
func (s LoginRequestSettings) template() request.Settings {
	return request.Settings{
		Method: s.Method, URL: s.URL, Headers: s.Headers, Query: s.Query, JSON: s.JSON, Form: s.Form, Body: s.Body,
	}
}

// TLSSettings is which certificates count, and which one is shown. Paths of
// files start from the configuration's folder. The zero value is the system's
// authorities and no certificate of our own.
type TLSSettings struct {
	// A file of certificates (PEM) that are trusted instead of the system's
	// authorities.
	CA string `yaml:"ca" json:"ca,omitempty"`
	// A file with the client's certificate (PEM), those in between behind it.
	Cert string `yaml:"cert" json:"cert,omitempty"`
	// A file with the certificate's private key (PEM, not encrypted).
	Key string `yaml:"key" json:"key,omitempty"`
	// The name that the server's certificate must have. Default: the URL's host.
	ServerName string `yaml:"server_name" json:"server_name,omitempty"`
	// True: the server's certificate is not checked. Anybody on the way can
	// read and change what is sent.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify" json:"insecure_skip_verify,omitempty"`
}
