package emitter

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
)

// newShared is how many random bytes a new shared secret has.
const newShared = 32

// NewSecret is a new shared secret, whsec_….
func NewSecret() string {
	key := make([]byte, newShared)
	_, _ = rand.Read(key) // it never fails
	return prefixShared + base64.StdEncoding.EncodeToString(key)
}

// NewKeyPair is a new ed25519 key, whsk_…, and the public key that verifies
// what it signs, whpk_….
func NewKeyPair() (private, public string) {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // it never fails
	key := ed25519.NewKeyFromSeed(seed)
	encode := base64.StdEncoding.EncodeToString
	return prefixPrivate + encode(key), prefixPublic + encode(key[ed25519.SeedSize:])
}
