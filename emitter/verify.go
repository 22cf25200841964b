package emitter

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a webhook, as Standard Webhooks 1.0 names them.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a webhook's timestamp may be from the receiver's
// clock, either way.
const Tolerance = 5 * time.Minute

// mostSignatures is how many signatures of one webhook are looked at. A
// sender has one for each of its secrets, two while it rotates them.
const mostSignatures = 32

// Why a webhook is not accepted.
var (
	ErrHeaders   = errors.New("a webhook-* header is missing or malformed")
	ErrTimestamp = errors.New("the timestamp is more than 5 minutes away from this clock")
	ErrSignature = errors.New("no signature fits any of the keys")
)

// Verify is nil where one of the signatures in header is good for body under
// one of keys and the timestamp is within Tolerance of now. A key is the
// shared secret (whsec_…), a public key (whpk_…) or a private one (whsk_…),
// whose public half is used. The error is one of ErrHeaders, ErrTimestamp and
// ErrSignature, or about a key that can't be read. Signatures are compared in
// constant time.
func Verify(keys []string, header http.Header, body []byte, now time.Time) error {
	checks, err := parseChecks(keys)
	if err != nil {
		return err
	}
	id, stamp, signatures := header.Get(HeaderID), header.Get(HeaderTimestamp), header.Get(HeaderSignature)
	if id == "" || signatures == "" {
		return ErrHeaders
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp {
		return ErrHeaders
	}
	// Seconds are compared, not times: the difference of far times overflows.
	if low, high := now.Add(-Tolerance).Unix(), now.Add(Tolerance).Unix(); seconds < low || seconds > high {
		return ErrTimestamp
	}
	return verifySignatures(checks, signatures, signedContent(id, stamp, body))
}

// VerifyGitHub is nil where the signature of GitHub's kind in header
// (X-Hub-Signature-256) is good for body under one of keys, each any text.
// Otherwise the error is ErrHeaders or ErrSignature. Neither id nor time is
// signed.
func VerifyGitHub(keys []string, header http.Header, body []byte) error {
	text, ok := strings.CutPrefix(header.Get(headerGitHub), "sha256=")
	got, err := hex.DecodeString(text)
	if !ok || err != nil {
		return ErrHeaders
	}
	for _, key := range keys {
		if hmac.Equal(got, mac([]byte(key), body)) {
			return nil
		}
	}
	return ErrSignature
}

// IsGitHub says whether a webhook is signed as GitHub does, and not as Standard
// Webhooks says.
func IsGitHub(header http.Header) bool {
	return header.Get(headerGitHub) != "" && header.Get(HeaderSignature) == ""
}

// IsStandardKey says whether a text is meant to be a key of Standard Webhooks.
func IsStandardKey(text string) bool {
	for _, prefix := range []string{prefixShared, prefixPrivate, prefixPublic} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

func verifySignatures(checks []check, signatures string, content []byte) error {
	for i, one := range strings.Fields(signatures) {
		if i == mostSignatures {
			break
		}
		version, text, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		for _, c := range checks {
			if c.good(version, signature, content) {
				return nil
			}
		}
	}
	return ErrSignature
}

// check is one key to verify with.
type check struct {
	shared []byte
	public ed25519.PublicKey
}

func (c check) good(version string, signature, content []byte) bool {
	switch {
	case version == "v1" && c.shared != nil:
		return hmac.Equal(signature, mac(c.shared, content))
	case version == "v1a" && c.public != nil:
		return ed25519.Verify(c.public, content, signature)
	default:
		return false
	}
}

func parseChecks(keys []string) ([]check, error) {
	checks := make([]check, 0, len(keys))
	for i, text := range keys {
		c, err := parseCheck(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		checks = append(checks, c)
	}
	return checks, nil
}

func parseCheck(text string) (check, error) {
	if encoded, ok := strings.CutPrefix(text, prefixPublic); ok {
		key, err := decodeKey(encoded)
		if err != nil {
			return check{}, err
		}
		if len(key) != ed25519.PublicKeySize {
			return check{}, fmt.Errorf("the public key is %d bytes long, not %d", len(key), ed25519.PublicKeySize)
		}
		return check{public: key}, nil
	}
	s, err := ParseSecret(text)
	if err != nil {
		return check{}, err
	}
	if s.private != nil {
		return check{public: s.private.Public().(ed25519.PublicKey)}, nil
	}
	return check{shared: s.shared}, nil
}
