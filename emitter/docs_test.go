package emitter_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The function that follows stands in docs/delivery.md word for word.

// verify is nil where the webhook was signed with secret (whsec_…).
func verify(secret string, header http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errors.New("the timestamp is missing or too far off")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for got := range strings.FieldsSeq(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return nil
		}
	}
	return errors.New("no signature fits")
}

// end of verify

// The function that follows stands there, too.

// verifyKey is nil where the webhook was signed with the private half of
// public (whpk_…).
func verifyKey(public string, header http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return errors.New("not a public key")
	}
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errors.New("the timestamp is missing or too far off")
	}
	signed := fmt.Appendf(nil, "%s.%s.%s", id, timestamp, body)
	for one := range strings.FieldsSeq(header.Get("webhook-signature")) {
		text, ok := strings.CutPrefix(one, "v1a,")
		got, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && ed25519.Verify(key, signed, got) {
			return nil
		}
	}
	return errors.New("no signature fits")
}

// end of verifyKey

// snippet is the n-th block of code in docs/delivery.md that is in lang, from 0.
func snippet(t *testing.T, lang string, n int) string {
	t.Helper()
	page, err := os.ReadFile("../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(page), "\n```"+lang+"\n", n+3)
	ok := len(parts) > n+1
	rest := parts[min(n+1, len(parts)-1)]
	code, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("docs/delivery.md has no block in %s", lang)
	}
	return code + "\n"
}

func TestDocsGo(t *testing.T) {
	source, err := os.ReadFile("docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "word for word.\n\n")
	own, _, _ := strings.Cut(rest, "\n// end of verify\n")
	if code := snippet(t, "go", 0); code != own {
		t.Errorf("docs/delivery.md differs from this file:\n%s", code)
	}
	body := []byte(`{"a":1.10}`)
	h := signed(signers(t, vectorPrivate, vectors[1].secret, vectorShared), "evt_1", time.Now(), string(body))
	if err := verify(vectorShared, h, body); err != nil {
		t.Error(err)
	}
	if verify(vectorShared, h, []byte("{}")) == nil || verify("whsec_"+strings.Repeat("A", 32), h, body) == nil {
		t.Error("accepts a forgery")
	}
	h.Set("webhook-timestamp", "1614265330")
	if verify(vectorShared, h, body) == nil {
		t.Error("accepts an old webhook")
	}
}

func TestDocsGoKey(t *testing.T) {
	source, err := os.ReadFile("docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "stands there, too.\n\n")
	own, _, _ := strings.Cut(rest, "\n// end of verifyKey\n")
	if code := snippet(t, "go", 1); code != own {
		t.Errorf("docs/delivery.md differs from this file:\n%s", code)
	}
	body := []byte(`{"a":1.10}`)
	h := signed(signers(t, vectorShared, vectorPrivate), "evt_1", time.Now(), string(body))
	if err := verifyKey(vectorPublic, h, body); err != nil {
		t.Error(err)
	}
	other := "whpk_" + strings.Repeat("A", 43) + "="
	if verifyKey(vectorPublic, h, []byte("{}")) == nil || verifyKey(other, h, body) == nil || verifyKey("whpk_AAAA", h, body) == nil {
		t.Error("accepts a forgery")
	}
	h.Set("webhook-timestamp", "1614265330")
	if verifyKey(vectorPublic, h, body) == nil {
		t.Error("accepts an old webhook")
	}
}

// The other snippets accept what is genuine and refuse what is not, run by
// their own interpreters.
func TestDocsOtherLanguages(t *testing.T) {
	now := time.Now()
	good := signed(signers(t, vectorPrivate, vectorShared), "evt_1", now, "{}")
	old := signed(signers(t, vectorPrivate, vectorShared), "evt_1", now.Add(-time.Hour), "{}")
	sent := func(h http.Header) string { // as a table of either language
		var all []string
		for name, values := range h {
			all = append(all, fmt.Sprintf("%q: %q", strings.ToLower(name), values[0]))
		}
		return "{" + strings.Join(all, ", ") + "}"
	}
	for name, c := range map[string]struct {
		lang  string
		block int
		key   string
		args  []string
		needs string // what is tried first
		call  string // with the key, the headers and the body
	}{
		"js":         {"js", 0, vectorShared, []string{"node", "-e"}, "0", "verify(%q, %s, Buffer.from(%q))\n"},
		"js key":     {"js", 1, vectorPublic, []string{"node", "-e"}, "0", "verifyKey(%q, %s, Buffer.from(%q))\n"},
		"python":     {"python", 0, vectorShared, []string{"python3", "-c"}, "0", "verify(%q, %s, %q.encode())\n"},
		"python key": {"python", 1, vectorPublic, []string{"python3", "-c"}, "import cryptography", "verify_key(%q, %s, %q.encode())\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := exec.CommandContext(t.Context(), c.args[0], c.args[1], c.needs).Run(); err != nil {
				t.Skipf("%s is not installed, or what the snippet needs: it is not tried", c.args[0])
			}
			code := snippet(t, c.lang, c.block)
			run := func(h http.Header, body string) error {
				call := fmt.Sprintf(c.call, c.key, sent(h), body)
				out, err := exec.CommandContext(t.Context(), c.args[0], c.args[1], code+call).CombinedOutput()
				if err != nil && !strings.Contains(string(out), "timestamp") && !strings.Contains(string(out), "no signature fits") {
					t.Fatalf("%v\n%s", err, out)
				}
				return err
			}
			if err := run(good, "{}"); err != nil {
				t.Errorf("refuses a genuine webhook: %v", err)
			}
			if run(good, "[]") == nil || run(old, "{}") == nil {
				t.Error("accepts a forged or an old webhook")
			}
			bare := good.Clone()
			bare.Del("webhook-signature")
			if run(bare, "{}") == nil || run(http.Header{}, "{}") == nil {
				t.Error("accepts what is not signed")
			}
		})
	}
}
