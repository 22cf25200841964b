package emitter_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deltahook/deltahook/emitter"
)

// The vectors of Standard Webhooks 1.0 that the design quotes.
const (
	vectorShared  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorPrivate = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	vectorPublic  = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

var vectors = []struct {
	name, secret, id, body, signature string
	at                                int64
}{
	{"A", vectorShared, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 1614265330},
	{"B", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", `{"email":"test@example.com","username":"test_user"}`, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=", 1649367553},
	{"C", vectorPrivate, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==", 1614265330},
}

func signers(t testing.TB, secrets ...string) []emitter.Signer {
	t.Helper()
	var all []emitter.Signer
	for _, text := range secrets {
		s, err := emitter.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// signed is the headers of a webhook signed by signers.
func signed(all []emitter.Signer, id string, at time.Time, body string) http.Header {
	h := http.Header{}
	h.Set(emitter.HeaderID, id)
	h.Set(emitter.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(emitter.HeaderSignature, emitter.Sign(all, id, at, []byte(body)))
	return h
}

func TestSignVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			at := time.Unix(v.at, 0)
			got := emitter.Sign(signers(t, v.secret), v.id, at, []byte(v.body))
			if got != v.signature {
				t.Errorf("signature\n got %s\nwant %s", got, v.signature)
			}
			if err := emitter.Verify([]string{v.secret}, signed(signers(t, v.secret), v.id, at, v.body), []byte(v.body), at); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestSignWithSeveralSecrets(t *testing.T) {
	v, c := vectors[0], vectors[2]
	got := emitter.Sign(signers(t, v.secret, c.secret), v.id, time.Unix(v.at, 0), []byte(v.body))
	if want := v.signature + " " + c.signature; got != want {
		t.Errorf("signature\n got %s\nwant %s", got, want)
	}
	if got := emitter.Sign(nil, v.id, time.Unix(v.at, 0), []byte(v.body)); got != "" {
		t.Errorf("without signers: %q, want none", got)
	}
}

// A receiver that has any one of the secrets accepts, by the official library.
func TestSignatureSatisfiesOfficialLibrary(t *testing.T) {
	now := time.Now()
	const body = `{"type":"a","data":{"n":1.10}}`
	h := signed(signers(t, vectors[1].secret, vectorPrivate, vectorShared), "evt_1", now, body)
	for _, secret := range []string{vectors[1].secret, vectorShared} {
		official, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := official.Verify([]byte(body), h); err != nil {
			t.Errorf("the official library refuses our signature: %v", err)
		}
		if official.Verify([]byte(body+" "), h) == nil {
			t.Error("the official library accepts another body")
		}
	}
}

func TestVerifyAcceptsOfficialSignature(t *testing.T) {
	official, err := standardwebhooks.NewWebhook(vectorShared)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := official.Sign("msg_1", now, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Webhook-Id", "msg_1")
	h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("Webhook-Signature", "v2,unknown "+signature)
	if err := emitter.Verify([]string{vectorShared}, h, []byte("{}"), now); err != nil {
		t.Error(err)
	}
}

func TestParseSecretRefuses(t *testing.T) {
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	seed := make([]byte, ed25519.SeedSize)
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "begins with whsec_ or whsk_"},
		"no prefix":         {encode(make([]byte, 24)), "begins with"},
		"short":             {"whsec_" + encode(make([]byte, 23)), "23 bytes long, not 24 to 64"},
		"long":              {"whsec_" + encode(make([]byte, 65)), "65 bytes long"},
		"not base64":        {"whsec_hunter2hunter2", "not standard base64"},
		"URL alphabet":      {"whsec_" + strings.Repeat("_-_-", 8), "not standard base64"},
		"no padding":        {"whsec_" + strings.TrimRight(encode(make([]byte, 25)), "="), "not standard base64"},
		"a second line":     {vectorShared + "\nwhpk_x", "a second line follows"},
		"line end":          {vectorShared + "\n", "not standard base64"},
		"public key":        {vectorPublic, "private key begins with whsk_"},
		"seed alone":        {"whsk_" + encode(seed), "32 bytes long, not 64"},
		"public not seed's": {"whsk_" + encode(append(seed, other[32:]...)), "doesn't belong to its seed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := emitter.ParseSecret(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if _, key, ok := strings.Cut(c.text, "_"); ok && strings.Contains(err.Error(), key) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

func TestSignerPrintsNoKey(t *testing.T) {
	for _, s := range signers(t, vectorShared, vectorPrivate) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			if got := fmt.Sprintf(verb, s); got != "<secret>" {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, s := range []string{vectorShared, vectorPrivate, vectorPublic, "whsec_", "whsk_AAAA", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := emitter.ParseSecret(text)
		if err != nil {
			return
		}
		// What parses signs, and what it signs verifies under the same text.
		at := time.Unix(1614265330, 0)
		h := signed([]emitter.Signer{s}, "msg_1", at, "{}")
		if err := emitter.Verify([]string{text}, h, []byte("{}"), at); err != nil {
			t.Error(err)
		}
	})
}
