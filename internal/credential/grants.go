package credential

import (
	"strings"

	"github.com/deltahook/deltahook/internal/fault"
)

// Use is credentials in a configuration.
type Use struct {
	Path     []string // of the settings
	Settings Settings
	Named    bool // in `auth`: those that are equal to them are others
}

// CheckGrants reports refresh tokens that more than one credential exchanges:
// an endpoint that rotates them lets each exchange take the token from the
// others. r is at the root.
func CheckGrants(r fault.Report, uses []Use) {
	type holder struct{ credential, path string }
	first := map[string]holder{} // by the grant's fingerprint
	for _, u := range uses {
		if u.Settings.OAuth2 == nil || u.Settings.OAuth2.RefreshToken.IsZero() {
			continue
		}
		own := holder{u.Settings.fingerprint(), strings.Join(u.Path, ".")} // equal ones are one credential
		if u.Named {
			own.credential = own.path
		}
		id := u.Settings.OAuth2.grant()
		other, known := first[id]
		switch {
		case !known:
			first[id] = own
		case other.credential != own.credential:
			r.At(u.Path...).At("oauth2", "refresh_token").Errorf("%s exchanges the same refresh token, and each would take it from the other: "+
				"expected one entry of auth that all name", other.path)
		}
	}
}

// grant is the fingerprint of what a refresh token was given for.
func (s OAuth2Settings) grant() string {
	return digest("refresh_token", s.TokenURL, s.ClientID, s.RefreshToken.Reveal())
}
