package emitter_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

func TestVerify(t *testing.T) {
	at := time.Unix(1614265330, 0)
	const body = `{"test": 2432232314}`
	good := signed(signers(t, vectorShared, vectorPrivate), "msg_1", at, body)
	with := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	var (
		both    = []string{vectorShared, vectorPublic}
		another = []string{vectors[1].secret}
	)
	for name, c := range map[string]struct {
		keys   []string
		header http.Header
		body   string
		now    time.Time
		want   error
	}{
		"shared secret":        {both[:1], good, body, at, nil},
		"public key":           {both[1:], good, body, at, nil},
		"private key":          {[]string{vectorPrivate}, good, body, at, nil},
		"second key fits":      {[]string{vectors[1].secret, vectorShared}, good, body, at, nil},
		"5 minutes old":        {both, good, body, at.Add(5 * time.Minute), nil},
		"5 minutes ahead":      {both, good, body, at.Add(-5 * time.Minute), nil},
		"too old":              {both, good, body, at.Add(5*time.Minute + time.Second), emitter.ErrTimestamp},
		"too new":              {both, good, body, at.Add(-5*time.Minute - time.Second), emitter.ErrTimestamp},
		"another key":          {another, good, body, at, emitter.ErrSignature},
		"no key":               {nil, good, body, at, emitter.ErrSignature},
		"another body":         {both, good, body + "\n", at, emitter.ErrSignature},
		"another id":           {both, with("webhook-id", "msg_2"), body, at, emitter.ErrSignature},
		"another second":       {both, with("webhook-timestamp", "1614265331"), body, at, emitter.ErrSignature},
		"v1 passed off as v1a": {both, with("webhook-signature", strings.Replace(good.Get("webhook-signature"), "v1,", "v1a,", 1)[:60]), body, at, emitter.ErrSignature},
		"no id":                {both, with("webhook-id", ""), body, at, emitter.ErrHeaders},
		"no signature":         {both, with("webhook-signature", ""), body, at, emitter.ErrHeaders},
		"no timestamp":         {both, with("webhook-timestamp", ""), body, at, emitter.ErrHeaders},
		"timestamp in words":   {both, with("webhook-timestamp", "now"), body, at, emitter.ErrHeaders},
		"timestamp with plus":  {both, with("webhook-timestamp", "+1614265330"), body, at, emitter.ErrHeaders},
		"farthest timestamp":   {both, with("webhook-timestamp", "9223372036854775807"), body, at, emitter.ErrTimestamp},
		"earliest timestamp":   {both, with("webhook-timestamp", "-9223372036854775808"), body, at, emitter.ErrTimestamp},
		"beyond the 32nd":      {both, with("webhook-signature", strings.Repeat("v1,AAAA ", 32)+good.Get("webhook-signature")), body, at, emitter.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			if err := emitter.Verify(c.keys, c.header, []byte(c.body), c.now); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestVerifyNamesFaultyKey(t *testing.T) {
	for key, want := range map[string]string{
		"whpk_AAAA": "key 2: the public key is 3 bytes long, not 32",
		"whpk_*":    "key 2: what follows the prefix is not standard base64 with padding",
		"hunter2":   "key 2: a secret begins with whsec_ or whsk_",
	} {
		err := emitter.Verify([]string{vectorShared, key}, http.Header{}, nil, time.Now())
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// What Verify accepts was signed: every change to any part is refused.
func FuzzVerify(f *testing.F) {
	at := time.Unix(1614265330, 0)
	good := signed(signers(f, vectorShared, vectorPrivate), "msg_1", at, "{}")
	f.Add("msg_1", "1614265330", good.Get("webhook-signature"), "{}")
	f.Add("msg_1", "1614265330", "v1,", "{}")
	f.Add("", "", "v1a,AAAA v1", "")
	f.Fuzz(func(t *testing.T, id, stamp, signature, body string) {
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", stamp)
		h.Set("webhook-signature", signature)
		err := emitter.Verify([]string{vectorShared, vectorPublic}, h, []byte(body), at)
		if err == nil && id+"."+stamp+"."+body != "msg_1.1614265330.{}" {
			t.Errorf("accepted a forgery: %q %q %q %q", id, stamp, signature, body)
		}
	})
}
