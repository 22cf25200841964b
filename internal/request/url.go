package request

import (
	"fmt"
	"net/url"
	"strings"
)

// ParseURL reads an absolute http or https URL. The error does not show it.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme is %q: expected http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("no host")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// EscapeQuery writes a space as %20, which every server reads as one.
func EscapeQuery(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// ValidValue reports whether v may be a header's value: it is RFC 9110's field-value, less what must not start or end
// one.
func ValidValue(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// IsToken reports whether s is a token of RFC 9110, section 5.6.2.
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// Origin is what must be equal for two URLs to belong to one server.
func Origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// SetQuery gives a parameter a value, and leaves all others as they are.
func SetQuery(query, name, value string) string {
	pair := EscapeQuery(name) + "=" + EscapeQuery(value)
	var pairs []string
	placed := false
	for old := range strings.SplitSeq(query, "&") {
		raw, _, _ := strings.Cut(old, "=")
		switch own, err := url.QueryUnescape(raw); {
		case old == "":
		case err != nil || own != name:
			pairs = append(pairs, old)
		case !placed:
			pairs, placed = append(pairs, pair), true
		}
	}
	if !placed {
		pairs = append(pairs, pair)
	}
	return strings.Join(pairs, "&")
}
