package emitter

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
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
	hashes  *sync.Pool // of *keyed, with shared; nil where there is none
	private ed25519.PrivateKey
}

// keyed is an HMAC-SHA256 that is used again, with room for what is signed
// before a body.
type keyed struct {
	hash.Hash
	head, sum []byte
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
		return sharedSigner(key), nil
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

func sharedSigner(key []byte) Signer {
	return Signer{shared: key, hashes: &sync.Pool{New: func() any { return &keyed{Hash: hmac.New(sha256.New, key)} }}}
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
	if first, rest, more := strings.Cut(text, "\n"); more && strings.TrimSpace(first) != "" && strings.TrimSpace(rest) != "" {
		return nil, errors.New("a second line follows: the file is to hold the key alone")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("what follows the prefix is not standard base64 with padding")
	}
	return key, nil
}

// Format makes every verb of fmt print <secret>.
func (s Signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, secret.Mask) }

// sign is one signature with its version: v1,… or v1a,….
func (s Signer) sign(id, timestamp string, body []byte) string {
	switch {
	case s.shared != nil:
		return "v1," + s.mac(id, timestamp, body)
	case s.private != nil:
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, signedContent(id, timestamp, body)))
	default:
		return ""
	}
}

// mac is the HMAC-SHA256 of signedContent in base64.
func (s Signer) mac(id, timestamp string, body []byte) string {
	h := s.hashes.Get().(*keyed)
	defer s.hashes.Put(h)
	h.Reset()
	h.head = appendSigned(h.head[:0], id, timestamp)
	h.Write(h.head)
	h.Write(body)
	h.sum = h.Sum(h.sum[:0])
	return base64.StdEncoding.EncodeToString(h.sum)
}

// Sign is the value of the header webhook-signature: one signature for each
// signer, separated by spaces; "" where there is none. at goes to the second
// and must be the webhook-timestamp that is sent along.
func Sign(signers []Signer, id string, at time.Time, body []byte) string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var all []string
	for _, s := range signers {
		if one := s.sign(id, timestamp, body); one != "" {
			all = append(all, one)
		}
	}
	return strings.Join(all, " ")
}

// signedContent is what is signed: id, timestamp and body, joined by dots.
func signedContent(id, timestamp string, body []byte) []byte {
	return append(appendSigned(nil, id, timestamp), body...)
}

// appendSigned appends what is signed before the body.
func appendSigned(b []byte, id, timestamp string) []byte {
	b = append(append(b, id...), '.')
	return append(append(b, timestamp...), '.')
}

func mac(key, content []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(content)
	return h.Sum(nil)
}
