package emitter

import (
	"net/url"
	"strings"
)

// longSegment is the length in bytes from which a segment of a URL's path is
// taken for a credential by itself.
const longSegment = 16

// confidential are the values that a receiver may echo and that nobody else
// shall read: secrets, headers, and what in the URL may be a credential.
func (s Settings) confidential(u *url.URL) []string {
	var values []string
	for _, text := range s.Secrets {
		whole := text.Reveal()
		values = append(values, whole)
		if s.Signature != "github" { // whose secret is any text
			_, key, _ := strings.Cut(whole, "_")
			values = append(values, key)
		}
	}
	for _, text := range s.Headers {
		whole := text.Reveal()
		values = append(values, whole)
		if _, credential, ok := strings.Cut(whole, " "); ok { // "Bearer abc"
			values = append(values, credential)
		}
	}
	values = append(values, s.URL, u.RequestURI(), u.EscapedPath(), u.RawQuery)
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= longSegment {
			values = append(values, segment)
		}
	}
	for _, all := range u.Query() {
		values = append(values, all...)
	}
	values = append(values, userinfo(u.User)...)
	if proxy, err := parseProxy(s.Proxy.Reveal()); err == nil && proxy != nil {
		values = append(values, userinfo(proxy.User)...)
	}
	return values
}

// userinfo are the confidential values of a URL's user and password. Where
// there is no password the user is a token.
func userinfo(u *url.Userinfo) []string {
	if u == nil {
		return nil
	}
	password, _ := u.Password()
	values := []string{u.String(), u.Username() + ":" + password, password}
	if password == "" {
		values = append(values, u.Username())
	}
	return values
}
