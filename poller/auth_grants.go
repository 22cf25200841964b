package poller

import (
	"maps"
	"slices"

	"github.com/deltahook/deltahook/internal/fault"
)

// CheckGrants reports refresh tokens that more than one credential exchanges:
// an endpoint that rotates them lets each exchange take the token from the
// others. named are those of `auth`; r is at the root.
func CheckGrants(r fault.Report, named map[string]AuthSettings, sources map[string]Settings) {
	g := grants{}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		g.add(r.At("auth", name), "auth."+name, named[name], "auth "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if own := sources[name].Request.Auth.Own; own != nil {
			// Equal ones are one credential.
			g.add(r.At("sources", name, "request", "auth"), "sources."+name+".request.auth", *own, own.fingerprint())
		}
	}
}

// grants are refresh tokens by their fingerprints, with who exchanges them
// first.
type grants map[string]holder

type holder struct{ credential, path string }

func (g grants) add(r fault.Report, path string, s AuthSettings, credential string) {
	if s.OAuth2 == nil || s.OAuth2.RefreshToken.IsZero() {
		return
	}
	id := s.OAuth2.grant()
	first, known := g[id]
	switch {
	case !known:
		g[id] = holder{credential, path}
	case first.credential != credential:
		r.At("oauth2", "refresh_token").Errorf("%s exchanges the same refresh token, and each would take it from the other: "+
			"expected one entry of auth that all name", first.path)
	}
}

// grant is the fingerprint of what a refresh token was given for.
func (s OAuth2Settings) grant() string {
	return digest("refresh_token", s.TokenURL, s.ClientID, s.RefreshToken.Reveal())
}
