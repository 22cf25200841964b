package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// fingerprint is equal for equal settings. It holds the secrets, but does not
// show them.
func (s Settings) fingerprint() string {
	parts := []string{fmt.Sprint(s.TLS)}
	if b := s.Bearer; b != nil {
		parts = append(parts, "bearer", b.Prefix, b.Token.Reveal())
	}
	if b := s.Basic; b != nil {
		parts = append(parts, "basic", b.User, b.Password.Reveal())
	}
	if k := s.APIKey; k != nil {
		parts = append(parts, "api_key", k.Header, k.Query, k.Value.Reveal())
	}
	if o := s.OAuth2; o != nil {
		parts = append(parts, "oauth2", o.ClientSecret.Reveal(), o.RefreshToken.Reveal(), asJSON(o))
	}
	if l := s.Login; l != nil {
		parts = append(parts, "login", asJSON(l))
	}
	return digest(parts...)
}

// asJSON is settings as one text; those of type secret.Text are masked.
func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // no settings are such
	}
	return string(text)
}

// digest is a fingerprint of some texts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
