package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// shortest is the length in bytes under which a value is too common to be cut
// out of text: "on" would mutilate every log line.
const shortest = 6

// Redactor cuts known secrets out of text, in the spellings in which they
// travel: as they are, percent-encoded, JSON-escaped and in base64. It is
// immutable and safe for concurrent use; nil cuts nothing.
type Redactor struct{ replacer *strings.Replacer }

// NewRedactor knows values; those shorter than 6 bytes are left out.
func NewRedactor(values ...string) *Redactor {
	var spellings []string
	for _, v := range values {
		if len(v) < shortest {
			continue
		}
		spellings = append(spellings, v, inJSON(v, true), inJSON(v, false),
			url.QueryEscape(v), url.PathEscape(v),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.URLEncoding.EncodeToString([]byte(v)))
	}
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range slices.Compact(spellings) {
		pairs = append(pairs, s, Mask)
	}
	if pairs == nil {
		return nil
	}
	return &Redactor{strings.NewReplacer(pairs...)}
}

// inJSON is v between the quotes of a JSON text, with <, > and & escaped, as
// Go's encoder does, or left, as most others do.
func inJSON(v string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(v); err != nil {
		return v
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// Text is s without the known secrets.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// URL is what may be shown of a URL: scheme, host and path, without user,
// query and fragment, less the known secrets. What is not a URL is Mask.
func (r *Redactor) URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return Mask
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return r.Text(u.String())
}

// Host is what may be shown of a URL whose path is itself a credential, as a
// chat webhook's is: scheme and host.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return Mask
	}
	return u.Scheme + "://" + u.Host
}
