package emitter

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/deltahook/deltahook/internal/secret"
)

// The prefixes that the kinds of key begin with.
const (
	prefixShared  = "whsec_" // shared secret: HMAC-SHA256, v1
	prefixPrivate = "whsk_"  // ed25519 private key, v1a
	prefixPublic  = "whpk_"  // ed25519 public key, verifies v1a
)

// headerGitHub is the header that GitHub signs its webhooks in: "sha256=" and
// the HMAC-SHA256 of the body in hex, keyed with the secret as it is written.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
const headerGitHub = "x-hub-signature-256"

// A shared secret's length in bytes, as Standard Webhooks 1.0 has it.
const shortestShared, longestShared = 24, 64

// Signer is one signing key. The zero value signs nothing. It prints as
// <secret>.
type Signer struct {
	shared  []byte
	private ed25519.PrivateKey
}

// ParseSecret reads a signing key as Standard Webhooks 1.0 writes it:
// "whsec_" and the standard base64 of 24 to 64 bytes (HMAC-SHA256, signature
// v1), or "whsk_" and the base64 of an ed25519 private key, seed and public
// key (signature v1a). Errors say nothing of the key itself.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func ParseSecret(text string) (Signer, error) {
	switch {
	case strings.HasPrefix(text, prefixShared):
		key, err := decodeKey(text[len(prefixShared):])
		if err != nil {
			return Signer{}, err
		}
		if len(key) < shortestShared || len(key) > longestShared {
			return Signer{}, fmt.Errorf("the secret is %d bytes long, not %d to %d", len(key), shortestShared, longestShared)
		}
		return Signer{shared: key}, nil
	case strings.HasPrefix(text, prefixPrivate):
		key, err := decodeKey(text[len(prefixPrivate):])
		if err != nil {
			return Signer{}, err
		}
		return privateSigner(key)
	case strings.HasPrefix(text, prefixPublic):
		return Signer{}, errors.New("this is a public key (whpk_), which only verifies: the private key begins with whsk_")
	default:
		return Signer{}, errors.New("a secret begins with whsec_ or whsk_")
	}
}

func privateSigner(key []byte) (Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return Signer{}, fmt.Errorf("the private key is %d bytes long, not %d (seed and public key)", len(key), ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])
	if !bytes.Equal(private, key) {
		return Signer{}, errors.New("the public half of the private key doesn't belong to its seed")
	}
	return Signer{private: private}, nil
}

// decodeKey reads standard base64 with padding. The decoder's own error is
// dropped, for it quotes the input, and it skips line ends, which a receiver's
// library may not.
func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("what follows the prefix is not standard base64 with padding")
	}
	return key, nil
}

// Format makes every verb of fmt print <secret>.
func (s Signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, secret.Mask) }

// sign is one signature with its version: v1,… or v1a,….
func (s Signer) sign(content []byte) string {
	switch {
	case s.shared != nil:
		return "v1," + base64.StdEncoding.EncodeToString(mac(s.shared, content))
	case s.private != nil:
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, content))
	default:
		return ""
	}
}

// Sign is the value of the header webhook-signature: one signature for each
// signer, separated by spaces; "" where there is none. at goes to the second
// and must be the webhook-timestamp that is sent along.
func Sign(signers []Signer, id string, at time.Time, body []byte) string {
	content := signedContent(id, strconv.FormatInt(at.Unix(), 10), body)
	var all []string
	for _, s := range signers {
		if one := s.sign(content); one != "" {
			all = append(all, one)
		}
	}
	return strings.Join(all, " ")
}

// signedContent is what is signed: id, timestamp and body, joined by dots.
func signedContent(id, timestamp string, body []byte) []byte {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id...)
	content = append(content, '.')
	content = append(content, timestamp...)
	content = append(content, '.')
	return append(content, body...)
}

func mac(key, content []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(content)
	return h.Sum(nil)
}
